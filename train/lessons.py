"""What one run of the generator learns from: pieces of the copybook, each with a new brief in every epoch, and rows of a table.

Numbers below `len(pieces)` are pieces, the others rows. Rows that are too long for the model are left out or cut, and counted.
"""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Self

from jinja2 import TemplateError
from pydantic import Field, model_validator
from transformers import PreTrainedTokenizerFast

from copywriting import copybook
from copywriting.copybook import Piece
from copywriting.prompt import PromptStyle
from train.completions import (
    Answers,
    Encoded,
    TooLong,
    check_template,
    dialogue_prompt_ids,
    encode_dialogue,
    encode_example,
    fitted,
    prompt_ids,
    with_hidden_words,
)
from train.dialogues import Dialogue, DialogueColumns, Dialogues, parts
from train.examples import Shelf, example, split
from train.language_model import LanguageModelConfig, reach
from train.settings import ConfigError, InputPath

_JUDGED_PIECES = 256


class GeneratorConfig(LanguageModelConfig):
    """What the generator needs besides the settings of every language model."""

    copybook: InputPath | None = None
    verticals: tuple[str, ...] = ()
    """Train on pieces of these verticals only; empty means all."""
    data: InputPath | None = None
    """A table of prompts and completions, or of chats, instead of the copybook or besides it."""
    validation: InputPath | None = None
    """A table of its own to be held out; none means a share of `data`. What stands in both is left out of the training."""
    columns: DialogueColumns = DialogueColumns()
    prompt_style: PromptStyle = "compact"
    """How briefs are written. Of a table: `compact` takes prompts as they stand, `chat` puts them into the tokenizer's chat template."""
    answers: Answers = "all"
    """Of a chat, which of the assistant's turns are learned."""
    too_long: TooLong = "leave_out"
    """What happens to a row of more tokens than `max_position`; either is counted and told."""
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the answers' tokens that the model doesn't see while it learns what follows: for a model from scratch on few texts."""
    packing: bool = False
    """Several examples in one row, without seeing each other: no padding where lengths differ much."""
    held_out: float = Field(default=0.05, gt=0, lt=0.5)

    @model_validator(mode="after")
    def _has_data(self) -> Self:
        if self.copybook is None and self.data is None:
            raise ValueError("neither copybook nor data is given; name a directory of pieces, a table of prompts and completions, or both")
        if self.packing and self.method == "prefix":
            raise ValueError("packing = True: packed examples can't share a prefix; pass --set packing=false")
        return self


class Lessons:
    """Everything that a run learns from and is judged on."""

    def __init__(self, config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast) -> None:
        self._config, self._tokenizer = config, tokenizer
        self.pieces, self.held_out_pieces = pieces_of(config)
        self._shelf = Shelf(self.pieces)
        table = parts(config.data, config.validation, config.columns, config.held_out, config.seed) if config.data else Dialogues()
        self._limit, self._too_long = reach(config), 0
        self.rows, self.held_out_rows = self._fitting(table.training), self._fitting(table.held_out)
        self._asked = table.held_out
        self.left_out = {**table.left_out, f"of more than {self._limit} tokens{', cut' * (config.too_long == 'cut')}": self._too_long}
        if config.data and not (self.rows and self.held_out_rows):
            raise ValueError(
                f"data = {str(config.data)!r}: no row has at most {self._limit} tokens; raise max_position, or pass --set too_long=cut"
            )

    def _fitting(self, dialogues: Sequence[Dialogue]) -> list[Encoded]:
        whole = [encode_dialogue(one, self._tokenizer, self._config.prompt_style, self._config.answers) for one in dialogues]
        self._too_long += sum(len(tokens) > self._limit for tokens, _ in whole)
        return [row for one in whole if (row := fitted(one, self._limit, self._config.too_long))]

    def __len__(self) -> int:
        return len(self.pieces) + len(self.rows)

    def encoded(self, number: int, epoch: int) -> Encoded:
        """One example of one epoch."""
        whole = self._whole(number, epoch)
        if not self._config.word_dropout:
            return whole
        return with_hidden_words(
            whole, self._config.word_dropout, self._tokenizer.pad_token_id, Random(f"{self._config.seed}/{epoch}/{number}/hidden")
        )

    def _whole(self, number: int, epoch: int) -> Encoded:
        if number >= len(self.pieces):
            return self.rows[number - len(self.pieces)]
        one = self._shelf.example(number, Random(f"{self._config.seed}/{epoch}/{number}"))
        return encode_example(one, tokenizer=self._tokenizer, style=self._config.prompt_style, limit=self._limit)

    @property
    def lengths(self) -> list[int]:
        """About how many tokens each has."""
        return [len(self._tokenizer(piece.template)["input_ids"]) for piece in self.pieces] + [len(tokens) for tokens, _ in self.rows]

    def told(self) -> str:
        """Which rows were left out, for a reader; empty where none was."""
        return ", ".join(f"{count} {reason}" for reason, count in self.left_out.items() if count)

    def examinations(self) -> dict[str, list[Encoded]]:
        """What a model is judged on, always the same: `validation_loss` on what it never saw; with a copybook, `new_brief_loss` on pieces
        that it saw under briefs that it didn't."""
        seen = Random(0).sample(list(self.pieces), min(_JUDGED_PIECES, len(self.pieces)))
        asked = {
            "validation_loss": [*self._under_a_brief(self.held_out_pieces), *self.held_out_rows],
            "new_brief_loss": self._under_a_brief(seen),
        }
        return {name: examples for name, examples in asked.items() if examples}

    def _under_a_brief(self, pieces: Sequence[Piece]) -> list[Encoded]:
        ones = [example(piece, Random(f"judge/{piece.piece_id}")) for piece in pieces]
        return [encode_example(one, tokenizer=self._tokenizer, style=self._config.prompt_style, limit=self._limit) for one in ones]

    def asked(self, count: int) -> list[tuple[list[int], str]]:
        """(prompt, what a person answered) of some held-out pieces and rows."""
        ones = [example(piece, Random(f"judge/{piece.piece_id}")) for piece in self.held_out_pieces]
        style = self._config.prompt_style
        found = [(prompt_ids(one.brief, self._tokenizer, style), one.copy) for one in ones]
        for row in self._asked:
            prompt = dialogue_prompt_ids(row, self._tokenizer, style)
            if len(prompt) < self._limit:
                found.append((prompt, row.answer))
        return Random(self._config.seed).sample(found, min(count, len(found)))


def pieces_of(config: GeneratorConfig) -> tuple[list[Piece], list[Piece]]:
    """(training, held out) pieces of the copybook; none without one. Raises ValueError where `verticals` leaves none to learn from."""
    if config.copybook is None:
        return [], []
    training, held_out = split(copybook.load(config.copybook), config.held_out, config.seed)
    if config.verticals:
        training, held_out = ([piece for piece in pieces if piece.vertical in config.verticals] for pieces in (training, held_out))
    if not training:
        raise ValueError(f"verticals = {list(config.verticals)}: no piece of {config.copybook} is of these; name others or leave it empty")
    return training, held_out


def check(config: GeneratorConfig, tokenizer: PreTrainedTokenizerFast) -> tuple[Path, ...]:
    """The files of the table, which is read once before Ray starts. Raises ConfigError where it, or the tokenizer, can't be used."""
    table = parts(config.data, config.validation, config.columns, config.held_out, config.seed) if config.data else Dialogues()
    chats = any(one.chat for one in (*table.training, *table.held_out))
    try:
        if chats or config.prompt_style == "chat":
            check_template(tokenizer, "messages in the data" if chats else "prompt_style = 'chat'")
        if table.training:  # the one with the most turns
            encode_dialogue(max(table.training, key=lambda one: len(one.turns)), tokenizer, config.prompt_style, config.answers)
    except (ValueError, TemplateError) as error:
        raise ConfigError(str(error)) from error
    return table.files
