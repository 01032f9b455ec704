"""The rows of a table, or of a folder of tables, as examples: encoded in memory, or out of a store of tokens. Rows that are too long for
the model are left out or cut, and counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from train.run.loop import Lengths
from train.run.settings import ConfigError
from train.writing.completions import Encoded, check_template, encode_dialogue, fitted
from train.writing.dialogues import Dialogue, Dialogues, dialogues_of, parts, read_dialogues
from train.writing.folder import Folder
from train.writing.generator_config import GeneratorConfig
from train.writing.language_model import reach
from train.writing.stream import gather, told_of_length
from train.writing.token_place import fetched
from train.writing.token_store import TokenStore


@dataclass(frozen=True, slots=True)
class Rows:
    """Examples to learn from with their lengths in tokens, examples that are held out, and how many rows were left out, by reason."""

    training: Sequence[Encoded] = ()
    held_out: Sequence[Encoded] = ()
    lengths: Lengths = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


def rows_of(config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast) -> Rows:
    """The rows of `data`; none without it. Raises ValueError where none is short enough."""
    if config.data is None:
        return Rows()
    rows = _stored(config, tokenizer) if config.streamed else _read(config, tokenizer)
    if not (rows.training and rows.held_out):
        raise ValueError(
            f"data = {str(config.data)!r}: no row has at most {reach(config)} tokens; raise max_position, or pass --set too_long=cut"
        )
    return rows


def _read(config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast) -> Rows:
    assert config.data is not None
    table = parts(config.data, config.validation, config.columns, config.held_out, config.seed)
    (training, long), (held_out, other) = (_fitting(each, config, tokenizer) for each in (table.training, table.held_out))
    left_out = {**table.left_out, told_of_length(config): long + other}
    return Rows(training, held_out, [len(tokens) for tokens, _ in training], left_out)


def _stored(config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast) -> Rows:
    store = TokenStore.read(fetched(config))
    if config.validation is None:
        return Rows(store.training, store.held_out, store.training.lengths, store.left_out)
    apart, left_out = read_dialogues(config.validation, config.columns)
    held_out, long = _fitting(apart, config, tokenizer)
    counts = {reason: count + left_out.get(reason, 0) for reason, count in store.left_out.items()}
    counts[told_of_length(config)] += long
    return Rows(store.training, held_out, store.training.lengths, counts)


def _fitting(dialogues: Sequence[Dialogue], config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast) -> tuple[list[Encoded], int]:
    """(examples, how many were too long)."""
    limit = reach(config)
    whole = [encode_dialogue(one, tokenizer, config.prompt_style, config.answers) for one in dialogues]
    return [row for one in whole if (row := fitted(one, limit, config.too_long))], sum(len(tokens) > limit for tokens, _ in whole)


def check(config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast) -> tuple[Path, ...]:
    """The files of the data, which are looked at before Ray starts: a table as a whole, of a folder the first rows. Raises ConfigError
    where they, or the tokenizer, can't be used."""
    if config.streamed:
        assert config.data is not None
        table, path = Folder.read(config.data, config.columns).first()
        rows = [one for one in dialogues_of(table, path, config.columns) if one]
        rows += read_dialogues(config.validation, config.columns)[0] if config.validation else []
        files = tuple(path for path in (config.data, config.validation) if path)
    else:
        table = parts(config.data, config.validation, config.columns, config.held_out, config.seed) if config.data else Dialogues()
        rows, files = [*table.training, *table.held_out], table.files
    chats = any(one.chat for one in rows)
    try:
        if chats or config.prompt_style == "chat":
            check_template(tokenizer, "messages in the data" if chats else "prompt_style = 'chat'")
        if rows:  # the one with the most turns
            encode_dialogue(max(rows, key=lambda one: len(one.turns)), tokenizer, config.prompt_style, config.answers)
    except (ValueError, TemplateError) as error:
        raise ConfigError(str(error)) from error
    return files


def prepare(config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast) -> tuple[Path, ...]:
    """What must be there before the workers start. Returns the files of the data; raises ConfigError as `check` and `gather` do."""
    files = check(config, tokenizer)
    if config.streamed:
        gather(config, tokenizer)
    return files
