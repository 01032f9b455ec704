"""A folder of Parquet files becomes a store of tokens (`train/writing/token_store.py`), for more rows than memory holds.

Ray Data reads, parses and tokenises it as a stream, block by block with the whole cluster, before the workers of the run start. Blocks
arrive in the order of the files, so that a row has the same number whatever the cluster, and a run that is resumed sees the rows that it
would have seen. A store is made again when the data or the tokenizer has changed.
"""

import logging
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
from jinja2 import TemplateError
from rich.progress import Progress
from transformers import PreTrainedTokenizerFast

from train.run import cluster
from train.run.settings import ConfigError, data_hash
from train.writing.dialogues import OWN, dialogues_of, key, read_dialogues
from train.writing.folder import Folder
from train.writing.generator_config import GeneratorConfig
from train.writing.language_model import reach
from train.writing.token_place import is_remote, locked, place_of, share
from train.writing.token_store import Keys, StoreWriter, digest, is_of, keys_of, parted
from train.writing.tokenising import BAD, HASHED, KEPT, LONG, UNANSWERED, Tokenising

_BATCH = 2048


def gather(config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast) -> None:
    """Make the store of a run's data where there is none of it yet. Raises ConfigError for rows that can't be used."""
    assert config.data is not None
    hashed = _hash_of(config, tokenizer)
    target = config.local_runs / place_of(config)
    with locked(target):
        if not is_of(target, hashed):
            folder = Folder.read(config.data, config.columns)
            cluster.connect(config)
            _write(config, folder, tokenizer, StoreWriter(target, hashed))
        if is_remote(config):
            share(target, config, hashed)


def _hash_of(config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast) -> str:
    """Of all that is read, by its contents."""
    with TemporaryDirectory() as directory:
        written = Path(directory) / "tokenizer"
        tokenizer.save_pretrained(written)
        return data_hash([path for path in (config.data, config.validation, written) if path])


def _write(config: GeneratorConfig, folder: Folder, tokenizer: PreTrainedTokenizerFast, writer: StoreWriter) -> None:
    how = (config.columns, config.prompt_style, config.answers, config.too_long, reach(config), config.seed)
    work = Tokenising(tokenizer, *how)
    validation = _validation(config)
    columns: dict[str, list[Any]] = {name: [] for name in (*HASHED, "held_out", "state", LONG)}
    unanswered = seen = 0
    with Progress() as progress, closing(_blocks(folder, work)) as blocks:
        task = progress.add_task(f"tokens of {folder.root.name}", total=sum(folder.counts))
        for block in blocks:
            states = block["state"].to_numpy()
            if (states == BAD).any():
                _refuse(folder, seen + int((states == BAD).argmax()), work)
            said = block.filter(pa.array(states != UNANSWERED))
            writer.add(said)
            for name, column in columns.items():
                column.append(said[name].to_numpy())
            unanswered += int((states == UNANSWERED).sum())
            seen += block.num_rows
            progress.update(task, completed=seen)
    if seen != sum(folder.counts):
        raise ConfigError(f"data = {str(folder.root)!r}: {seen} of its {sum(folder.counts)} rows came; is a file being written? Run again")
    training, held_out, apart = parted(keys_of(columns), config.held_out, validation)
    states, long = (np.concatenate(columns[name]) for name in ("state", LONG))
    left_out = {"without an answer": unanswered, **apart}
    left_out[told_of_length(config)] = int(long[training].sum() + long[held_out].sum())
    training, held_out = (numbers[states[numbers] == KEPT] for numbers in (training, held_out))
    if not len(training) or not (len(held_out) or config.validation):
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
        raise ConfigError(
            f"data = {str(folder.root)!r}: of {seen} rows {len(training)} are left to learn from and {len(held_out)} held out "
            f"({reasons or 'none left out'}); give more rows with different prompts, or raise max_position"
        )
    writer.finish(training, held_out, left_out)


def told_of_length(config: GeneratorConfig) -> str:
    """Why rows of too many tokens are left out, or how they are kept."""
    return f"of more than {reach(config)} tokens{', cut' * (config.too_long == 'cut')}"


def _blocks(folder: Folder, work: Tokenising) -> Generator[pa.Table, None, None]:
    """The rows of the files, in their order, as `Tokenising` leaves them."""
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.WARNING)
    context = ray.data.DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = context.print_on_execution_start = False
    with ray.data.DataContext.current(context):
        files = [str(path) for path in folder.files]
        rows = ray.data.read_parquet(files, partitioning=None, file_extensions=None).select_columns(list(folder.names))
        tokens = rows.map_batches(work, batch_format="pyarrow", batch_size=_BATCH, zero_copy_batch=True)
        yield from tokens.iter_batches(batch_format="pyarrow", batch_size=None)


def _refuse(folder: Folder, number: int, work: Tokenising) -> None:
    """Raises ConfigError for the row of this number, counted over all files from 0."""
    table, path, within = folder.row(number)
    try:
        (one,) = dialogues_of(table, path, work.columns, within)
        assert one is not None
        work.encoded(one)
        work.hashes(one)
    except ConfigError:
        raise
    except (ValueError, TemplateError) as error:
        raise ConfigError(f"data = {str(path)!r}: row {within}: {error}; mend the row or leave it out") from error
    raise AssertionError(f"row {within} of {path} was refused for nothing")


def _validation(config: GeneratorConfig) -> Keys | None:
    """What the table that is held out holds."""
    if config.validation is None:
        return None
    rows, _ = read_dialogues(config.validation, config.columns)
    answers = [key(row.answer) for row in rows]
    prompts = np.array([digest(row.asked, config.seed) for row in rows], dtype=np.uint64)
    own = np.array([digest(each, config.seed) if len(each) >= OWN else 0 for each in answers], dtype=np.uint64)
    return Keys(prompts, prompts, own, np.ones(len(rows), dtype=bool))
