"""Where a model comes from: a directory of ours, any other directory, or a hub id."""

from pathlib import Path

from artifacts.card import CARD, ArtifactError, verify

_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt"]


def verified_model(model: str, kind: str) -> str:
    """A model name that may be loaded: a directory of ours by its card and hashes, another directory as it is, or a hub id.

    Raises ArtifactError for a directory that doesn't match its card, or a hub id that is in no local cache and can't be reached.
    """
    directory = Path(model)
    if (directory / CARD).is_file():
        verify(directory, kind)
        return model
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
