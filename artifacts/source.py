"""Where a model comes from: a directory of ours, a registry of its versions, any other directory, or a hub id."""

from pathlib import Path

from artifacts.card import CARD, ArtifactError, read_card, verify
from artifacts.pointer import current

_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt"]


def verified_model(model: str, kind: str) -> str:
    """A model name that may be loaded: a directory of ours by its card and hashes, the version that serves of a registry, another directory
    as it is, or a hub id.

    Raises ArtifactError for a directory that doesn't match its card, or a hub id that is in no local cache and can't be reached.
    """
    directory = current(Path(model))
    if directory != Path(model) or (directory / CARD).is_file():
        verify(directory, kind)
        return str(directory)
    if directory.is_dir():
        return model
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return str(snapshot_download(model, allow_patterns=_WANTED))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        raise ArtifactError(
            f"{kind} model: {model!r} is neither a directory nor a hub id that can be reached ({type(error).__name__}); "
            "give a local model directory, or allow access to the hub"
        ) from error


def version_of(model: str) -> str:
    """The version on the card of a directory of ours, or of the version that serves of a registry; any other model is known by its name."""
    directory = current(Path(model))
    return read_card(directory).version if (directory / CARD).is_file() else model
