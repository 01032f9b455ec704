"""A folder of Parquet files becomes a store of tokens (`train/writing/token_store.py`): read as a stream by Ray Data, for more than memory
holds.

The whole cluster reads, parses and tokenises, block by block, before the workers of the run start; blocks arrive in the order of the files,
so that a row has the same number whatever the cluster, and a run that is resumed sees the rows that it would have seen. The store lies
below the run's `storage`, in `tokens/`, by the settings that it depends on; it is made again when the data has changed. Where `storage` is
a URI a copy lies there, too, which each machine fetches once.
"""

import logging
import os
import shutil
from bisect import bisect_right
from collections.abc import Generator, Sequence
from contextlib import closing
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from jinja2 import TemplateError
from rich.progress import Progress
from transformers import PreTrainedTokenizerFast

from train.run import cluster
from train.run.settings import ConfigError, data_hash
from train.writing.dialogues import OWN, dialogues_of, key, names_of, read_dialogues
from train.writing.generator_config import GeneratorConfig
from train.writing.language_model import reach
from train.writing.token_store import Keys, StoreWriter, digest, is_of, keys_of, parted
from train.writing.tokenising import BAD, HASHED, KEPT, LONG, UNANSWERED, Tokenising

_OTHER_TABLES = {".csv", ".tsv", ".jsonl", ".json", ".gz", ".zst", ".bz2"}
_BATCH = 2048
_OF = ".data"
"""What a file is called that lies beside a store at a URI and says of which data it is; it is written last."""


def files_of(folder: Path) -> list[Path]:
    """The Parquet files below a folder, by name. Raises ConfigError where there is none, or a table of another form besides."""
    files = sorted(path for path in folder.rglob("*.parquet") if path.is_file())
    if not files:
        raise ConfigError(
            f"data = {str(folder)!r}: a folder without a .parquet file; convert its tables to Parquet, or name a single table"
        )
    if others := sorted(path for path in folder.rglob("*") if path.suffix in _OTHER_TABLES):
        raise ConfigError(f"data = {str(folder)!r}: holds {others[0].name} beside Parquet files; convert it or move it elsewhere")
    return files


def first_rows(config: GeneratorConfig, count: int = 64) -> pa.Table:
    """The first rows of the folder, once all of its files are seen to have the columns that the first one has. Raises ConfigError where one
    has not."""
    assert config.data is not None
    files = files_of(config.data)
    schemas = [_opened(path).schema_arrow for path in files]
    names = names_of(schemas[0].empty_table(), files[0], config.columns)
    for path, schema in zip(files, schemas, strict=True):
        if missing := [name for name in names if name not in schema.names]:
            raise ConfigError(f"data = {str(path)!r}: lacks column {missing[0]!r}, which {files[0].name} has; it has {schema.names}")
    for path in files:
        for rows in _opened(path).iter_batches(count, columns=names):
            return pa.Table.from_batches([rows])
    raise ConfigError(f"data = {str(config.data)!r}: has no row; give at least two, better a thousand")


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(f"data = {str(path)!r}: not Parquet ({error}); write it again") from error


def place_of(config: GeneratorConfig) -> str:
    """Where below `storage` the store of these settings lies."""
    tokenizer = config.tokenizer or config.base
    said = (config.data, config.validation, config.columns, config.prompt_style, config.answers, config.too_long, reach(config))
    return f"tokens/{sha256(repr((*said, config.held_out, config.seed, tokenizer)).encode()).hexdigest()[:16]}"


def gather(config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast) -> None:
    """Make the store of a run's data where there is none of it yet. Raises ConfigError for rows that can't be used."""
    assert config.data is not None
    hashed = _hash_of(config, tokenizer)
    target = config.local_runs / place_of(config)
    if not is_of(target, hashed):
        first_rows(config)
        cluster.connect(config)
        _write(config, tokenizer, target, hashed)
    if "://" in config.runs:
        _share(target, f"{config.runs}/{place_of(config)}", hashed)


def _share(store: Path, uri: str, hashed: str) -> None:
    """Copy the store to a URI where there is none of it yet; a file beside it, written last, says of which data it is."""
    system, root = pyarrow.fs.FileSystem.from_uri(uri)
    if _shared(system, root) == hashed:
        return
    system.create_dir(root, recursive=True)
    pyarrow.fs.copy_files(str(store), root, source_filesystem=pyarrow.fs.LocalFileSystem(), destination_filesystem=system)
    with system.open_output_stream(f"{root}{_OF}") as stream:
        stream.write(hashed.encode())


def _shared(system: pyarrow.fs.FileSystem, root: str) -> str:
    """Of which data the store at a URI is; empty where there is none."""
    if not system.get_file_info(f"{root}{_OF}").is_file:
        return ""
    with system.open_input_stream(f"{root}{_OF}") as stream:
        return str(stream.read().decode())


def _hash_of(config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast) -> str:
    """Of all that is read, by its contents."""
    with TemporaryDirectory() as directory:
        written = Path(directory) / "tokenizer"
        tokenizer.save_pretrained(written)
        return data_hash([path for path in (config.data, config.validation, written) if path])


def fetched(config: GeneratorConfig) -> Path:
    """The store on this machine. Raises FileNotFoundError where `gather` did not make it in a place that this machine sees."""
    target = config.local_runs / place_of(config)
    if "://" not in config.runs:
        if target.is_dir():
            return target
        raise FileNotFoundError(
            f"storage = {config.storage!r}: no tokens of {str(config.data)!r} at {target}; name a directory that all machines of the "
            "cluster share, or a URI such as s3://bucket/runs"
        )
    system, root = pyarrow.fs.FileSystem.from_uri(f"{config.runs}/{place_of(config)}")
    if is_of(target, _shared(system, root)):
        return target
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    pyarrow.fs.copy_files(root, str(partial), source_filesystem=system, destination_filesystem=pyarrow.fs.LocalFileSystem())
    if not is_of(target, _shared(system, root)):  # of data that is no longer there
        shutil.rmtree(target, ignore_errors=True)
    try:
        partial.rename(target)
    except OSError:  # another worker of this machine was first
        shutil.rmtree(partial)
    return target


def _write(config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast, target: Path, hashed: str) -> None:
    assert config.data is not None
    files = files_of(config.data)
    counts = [_opened(path).metadata.num_rows for path in files]
    how = (config.columns, config.prompt_style, config.answers, config.too_long, reach(config), config.seed)
    work = Tokenising(tokenizer, *how)
    writer = StoreWriter(target)
    parts: dict[str, list[Any]] = {name: [] for name in (*HASHED, "held_out")}
    left_out, seen = {"without an answer": 0, told_of_length(config): 0}, 0
    with Progress() as progress, closing(_blocks(files, work)) as blocks:
        task = progress.add_task(f"tokens of {config.data.name}", total=sum(counts))
        for block in blocks:
            states = block["state"].to_numpy()
            if (states == BAD).any():
                _refuse(files, counts, seen + int((states == BAD).argmax()), work)
            kept = block.filter(pa.array(states == KEPT))
            writer.add(kept)
            for name, column in parts.items():
                column.append(kept[name].to_numpy())
            left_out["without an answer"] += int((states == UNANSWERED).sum())
            left_out[told_of_length(config)] += int(block[LONG].to_numpy().sum())
            seen += block.num_rows
            progress.update(task, completed=seen)
    training, held_out, apart = parted(keys_of(parts), config.held_out, _validation(config))
    if not len(training) or not (len(held_out) or config.validation):
        raise ConfigError(
            f"data = {str(config.data)!r}: of {seen} rows {len(training)} are left to learn from and {len(held_out)} held out "
            f"({told({**left_out, **apart}) or 'none left out'}); give more rows with different prompts, or raise max_position"
        )
    writer.finish(training, held_out, data=hashed, left_out=left_out | apart)


def told_of_length(config: GeneratorConfig) -> str:
    """Why rows of too many tokens are left out, or how they are kept."""
    return f"of more than {reach(config)} tokens{', cut' * (config.too_long == 'cut')}"


def told(left_out: dict[str, int]) -> str:
    """How many rows were left out, by reason; empty where none was."""
    return ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)


def _blocks(files: Sequence[Path], work: Tokenising) -> Generator[pa.Table, None, None]:
    """The rows of the files, in their order, as `Tokenising` leaves them."""
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.WARNING)
    context = ray.data.DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = context.print_on_execution_start = False
    names = names_of(_opened(files[0]).schema_arrow.empty_table(), files[0], work.columns)
    with ray.data.DataContext.current(context):
        rows = ray.data.read_parquet([str(path) for path in files], columns=names, partitioning=None)
        tokens = rows.map_batches(work, batch_format="pyarrow", batch_size=_BATCH, zero_copy_batch=True)
        yield from tokens.iter_batches(batch_format="pyarrow", batch_size=None)


def _refuse(files: Sequence[Path], counts: Sequence[int], number: int, work: Tokenising) -> None:
    """Raises ConfigError for the row of this number, counted over all files from 0."""
    ends = list(accumulate(counts))
    which = bisect_right(ends, number)
    within = number - (ends[which] - counts[which])
    table = pq.read_table(files[which], columns=names_of(_opened(files[0]).schema_arrow.empty_table(), files[0], work.columns))
    (one,) = dialogues_of(table.slice(within, 1), files[which], work.columns, within + 1)
    assert one is not None
    try:
        work.encoded(one)
    except (ValueError, TemplateError) as error:
        raise ConfigError(f"data = {str(files[which])!r}: row {within + 1}: {error}") from error
    raise AssertionError(f"row {within + 1} of {files[which]} was refused for nothing")


def _validation(config: GeneratorConfig) -> Keys | None:
    """What the table that is held out holds."""
    if config.validation is None:
        return None
    rows, _ = read_dialogues(config.validation, config.columns)
    answers = [key(row.answer) for row in rows]
    prompts = np.array([digest(row.asked, config.seed) for row in rows], dtype=np.uint64)
    own = np.array([digest(each, config.seed) if len(each) >= OWN else 0 for each in answers], dtype=np.uint64)
    return Keys(prompts, prompts, own, np.ones(len(rows), dtype=bool))
