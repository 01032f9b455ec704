"""Where the tokens of a run's folder lie, and how they come to other machines.

Below the run's `storage`, in `tokens/`, by the settings that they depend on. Where `storage` is a URI they are made on the driver's machine
and copied there, and each machine fetches them once; a file beside the copy, written last, says of which data it is.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

import pyarrow.fs

from train.run import storage
from train.run.settings import TrainConfig
from train.writing.generator_config import GeneratorConfig
from train.writing.language_model import reach
from train.writing.token_store import is_of

_OF = ".data"
_LOCAL = pyarrow.fs.LocalFileSystem()


def place_of(config: GeneratorConfig) -> str:
    """Where below `storage` the store of these settings lies."""
    tokenizer = config.tokenizer or config.base
    said = (config.data, config.validation, config.columns, config.prompt_style, config.answers, config.too_long, reach(config))
    return f"tokens/{sha256(repr((*said, config.held_out, config.seed, tokenizer)).encode()).hexdigest()[:16]}"


def is_remote(config: TrainConfig) -> bool:
    """Whether `storage` is a URI."""
    return "://" in config.runs


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """One run at a time makes a store; another one waits, and finds it there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def share(store: Path, config: GeneratorConfig, hashed: str) -> None:
    """Copy the store to the URI where there is none of this data yet."""
    system, root = _remote(config)
    if _data_of(system, root) == hashed:
        return
    system.create_dir(root, recursive=True)
    if system.get_file_info(f"{root}{_OF}").is_file:
        system.delete_file(f"{root}{_OF}")
    pyarrow.fs.copy_files(str(store), root, source_filesystem=_LOCAL, destination_filesystem=system)
    with system.open_output_stream(f"{root}{_OF}") as stream:
        stream.write(hashed.encode())


def fetched(config: GeneratorConfig) -> Path:
    """The store on this machine. Raises FileNotFoundError where none lies in a place that this machine sees, or while it is replaced."""
    target = config.local_runs / place_of(config)
    if not is_remote(config):
        if target.is_dir():
            return target
        raise FileNotFoundError(
            f"storage = {config.storage!r}: no tokens of {str(config.data)!r} at {target}; name a directory that all machines of the "
            "cluster share, or a URI such as s3://bucket/runs"
        )
    system, root = _remote(config)
    data = _data_of(system, root)
    mine = target.with_name(f"{target.name}-{data[:12]}")
    with locked(mine):
        for store in (target, mine):
            if is_of(store, data):
                return store
        partial = Path(mkdtemp(prefix=f"{mine.name}.", dir=mine.parent))
        pyarrow.fs.copy_files(root, str(partial), source_filesystem=system, destination_filesystem=_LOCAL)
        if not data or _data_of(system, root) != data:
            raise FileNotFoundError(f"storage = {config.storage!r}: the tokens at {root} are being replaced; run again with --resume")
        storage.settle(partial)
        partial.rename(mine)
    return mine


def _remote(config: GeneratorConfig) -> tuple[pyarrow.fs.FileSystem, str]:
    system, root = pyarrow.fs.FileSystem.from_uri(f"{config.runs}/{place_of(config)}")
    return system, root


def _data_of(system: pyarrow.fs.FileSystem, root: str) -> str:
    """Of which data the store at a URI is; empty where there is none, or one that is being written."""
    if not system.get_file_info(f"{root}{_OF}").is_file:
        return ""
    with system.open_input_stream(f"{root}{_OF}") as stream:
        return str(stream.read().decode())
