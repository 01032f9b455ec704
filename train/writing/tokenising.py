"""What Ray Data does to a block of rows, wherever in the cluster: each row as tokens, with what two rows have in common that are the
same."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from copywriting.prompt import PromptStyle
from train.writing.completions import IGNORED, Answers, Encoded, TooLong, encode_dialogue, fitted
from train.writing.dialogues import OWN, Dialogue, DialogueColumns, dialogues_of, key
from train.writing.token_store import SCHEMA, digest

KEPT, UNANSWERED, TOO_LONG, BAD = range(4)
"""What became of a row."""
HASHED = ("row", "prompt", "answer")
LONG = "long"
"""The column that tells rows of more tokens than the limit, cut or not."""


@dataclass(frozen=True, slots=True)
class Tokenising:
    """What is done to a block of rows, wherever in the cluster."""

    tokenizer: PreTrainedTokenizerFast
    columns: DialogueColumns
    style: PromptStyle
    answers: Answers
    too_long: TooLong
    limit: int
    seed: int

    def __call__(self, table: pa.Table) -> pa.Table:
        """For each row its tokens, what two rows have in common that are the same, and what became of it. One that can't be read is marked:
        only the driver knows its number."""
        rows = [self._row(one) for one in self._parsed(table)]
        names = ("state", *SCHEMA.names, *HASHED, "held_out", LONG)
        kinds = (pa.int8(), *SCHEMA.types, *([pa.uint64()] * len(HASHED)), pa.bool_(), pa.bool_())
        columns = list(zip(*rows, strict=True)) or [()] * len(names)
        return pa.table([pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)], list(names))

    def _parsed(self, table: pa.Table) -> list[Dialogue | ValueError | None]:
        try:
            return list(dialogues_of(table, Path(), self.columns))
        except ValueError as error:  # ConfigError is one, and what is no UTF-8
            return [error] if table.num_rows == 1 else [one for at in range(table.num_rows) for one in self._parsed(table.slice(at, 1))]

    def _row(self, one: Dialogue | ValueError | None) -> tuple[Any, ...]:
        if not isinstance(one, Dialogue):
            return (BAD if one else UNANSWERED, [], [], 0, 0, 0, False, False)
        try:
            told, whole = (*self.hashes(one), one.held_out), self.encoded(one)
        except (ValueError, TemplateError):
            return (BAD, [], [], 0, 0, 0, False, False)
        tokens, labels = fitted(whole, self.limit, self.too_long) or ([], [])
        return (KEPT if tokens else TOO_LONG, tokens, [label != IGNORED for label in labels], *told, len(whole[0]) > self.limit)

    def hashes(self, one: Dialogue) -> tuple[int, int, int]:
        """Of the dialogue, of all but its last answer, and of that answer, 0 for a short one. Raises ValueError for half a character."""
        answer = key(one.answer)
        whole, asked, own = (digest(text, self.seed) for text in (f"{one.asked}\0\0{answer}", one.asked, answer))
        return whole, asked, own if len(answer) >= OWN else 0

    def encoded(self, one: Dialogue) -> Encoded:
        """A dialogue as tokens, however many."""
        return encode_dialogue(one, self.tokenizer, self.style, self.answers)
