"""Pairs of completions of one prompt, of which one is preferred: as they were judged, or as an A/B test came out.

Forms of the table: prompt, chosen, rejected (the last two may be chats that end with the answer, and then need no prompt column), perhaps
with `chance`, how sure it is that the chosen one is better; A/B outcomes or judgements as train/texts/pairs.py reads them, with a column of
prompts, which must be the same throughout a test. What shoppers did is told by outcomes: count for each variant who saw it and who acted.

Left out and counted: pairs of one text, repeated ones, those judged both ways. Held out are whole prompts. Knows no tokens.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from train.run.settings import ConfigError
from train.run.tables import read_table
from train.texts import pairs
from train.texts.pairs import PairColumns
from train.writing.dialogues import PROMPTS, Dialogue, Turn, column, found, hold_out, key, turns_of

_CHOSEN = ("chosen", "preferred", "winner", "better_text")
_REJECTED = ("rejected", "dispreferred", "loser", "worse_text")
_FEWEST = 4


class PreferenceColumns(BaseModel):
    """Which columns of a table hold what. An empty name is found by what columns are usually called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = ""
    chosen: str = ""
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class Preference:
    """Two dialogues that differ in their last answer, and the chance that the chosen one is the better one, above a half."""

    chosen: Dialogue
    rejected: Dialogue
    chance: float = 1.0


@dataclass(frozen=True, slots=True)
class Preferences:
    """What is learned and what is held out; how many pairs were left out, by reason."""

    training: tuple[Preference, ...]
    held_out: tuple[Preference, ...]
    left_out: dict[str, int]


def parts(
    data: Path, validation: Path | None, columns: PreferenceColumns, pair_columns: PairColumns, share: float, seed: int
) -> Preferences:
    """The pairs of `data`, of which those in `validation`, or of a share of the prompts, are held out. Raises ConfigError for a table that
    can't be used."""
    rows, left_out = distinct(read_preferences(data, columns, pair_columns))
    if validation is None:
        _, held = hold_out([row.chosen for row in rows], share, seed)
        out = {one.asked for one in held}
        held_out = [row for row in rows if row.chosen.asked in out]
    else:
        held_out, _ = distinct(read_preferences(validation, columns, pair_columns))
        out = {row.chosen.asked for row in held_out}
    training = [row for row in rows if row.chosen.asked not in out]
    leaks = 0 if validation is None else len(rows) - len(training)
    if len(training) < _FEWEST or not held_out:
        raise ConfigError(
            f"data = {str(data)!r}: has {len(training)} pairs to learn from and {len(held_out)} held out (left out: {left_out}); "
            f"give at least {_FEWEST} and 1, of different prompts, better hundreds"
        )
    return Preferences(tuple(training), tuple(held_out), {**left_out, "with a prompt that is held out": leaks})


def distinct(rows: Sequence[Preference]) -> tuple[list[Preference], dict[str, int]]:
    """(each pair once, how many were left out by reason)."""
    different = [row for row in rows if _texts(row)[0] != _texts(row)[1] and row.chance > 0.5]
    seen = {(row.chosen.asked, *_texts(row)): row for row in different}
    both = {place for place in seen if (place[0], place[2], place[1]) in seen}
    kept = [row for place, row in seen.items() if place not in both]
    contradicted = Counter((row.chosen.asked, *_texts(row)) in both for row in different)[True]
    counts = {"of one text, or undecided": len(rows) - len(different), "judged both ways": contradicted}
    return kept, {**counts, "repeated": len(different) - contradicted - len(kept)}


def _texts(row: Preference) -> tuple[str, str]:
    return key(row.chosen.answer), key(row.rejected.answer)


def read_preferences(path: Path, columns: PreferenceColumns, pair_columns: PairColumns) -> list[Preference]:
    """Every pair of a table of any form. Raises ConfigError naming what is missing."""
    table = read_table(path)
    if (columns.chosen or found(table, _CHOSEN)) and (columns.rejected or found(table, _REJECTED)):
        return _chosen_and_rejected(table, path, columns)
    return _outcomes(table, path, columns, pair_columns)


def _chosen_and_rejected(table: pa.Table, path: Path, columns: PreferenceColumns) -> list[Preference]:
    chosen = column(table, path, "chosen", columns.chosen, _CHOSEN)
    rejected = column(table, path, "rejected", columns.rejected, _REJECTED)
    chats = isinstance(next(filter(None, chosen), ""), list) and not (columns.prompt or found(table, PROMPTS))
    prompts = [None] * len(chosen) if chats else column(table, path, "prompt", columns.prompt, PROMPTS)
    chances = table["chance"].to_pylist() if "chance" in table.column_names else [1.0] * len(chosen)
    outs = table["held_out"].to_pylist() if "held_out" in table.column_names else [False] * len(chosen)
    rows = []
    for number, (prompt, one, other, chance, out) in enumerate(zip(prompts, chosen, rejected, chances, outs, strict=True), 1):
        where = f"data = {str(path)!r}: row {number}"
        if not one or not other:
            raise ConfigError(f"{where}: has an empty answer; fill it or leave the row out")
        better, worse = (_dialogue(prompt, answer, bool(out), where) for answer in (one, other))
        if better.asked != worse.asked:
            raise ConfigError(f"{where}: chosen and rejected answer different prompts; give pairs that differ in the last answer alone")
        rows.append(Preference(better, worse, float(chance)))
    return rows


def _dialogue(prompt: Any, answer: Any, held_out: bool, where: str) -> Dialogue:
    """From a text or a list of messages each."""
    said = turns_of(answer, where) if isinstance(answer, list) else (Turn("assistant", str(answer)),)
    if said[-1].role != "assistant":
        raise ConfigError(f"{where}: the last message of an answer is the {said[-1].role}'s; end it with the assistant's")
    if prompt is None:
        return Dialogue(said, chat=True, held_out=held_out)
    if isinstance(prompt, list):
        return Dialogue((*turns_of(prompt, where), said[-1]), chat=True, held_out=held_out)
    return Dialogue((Turn("user", str(prompt)), said[-1]), held_out=held_out)


def _outcomes(table: pa.Table, path: Path, columns: PreferenceColumns, pair_columns: PairColumns) -> list[Preference]:
    """A/B outcomes or judgements; the prompt of a pair is that of its test."""
    prompts = column(table, path, "prompt", columns.prompt, PROMPTS)
    tests = table[pair_columns.test].to_pylist() if pair_columns.test in table.column_names else range(table.num_rows)
    by_test: dict[str, str] = {}
    for test, prompt in zip(map(str, tests), prompts, strict=True):
        if by_test.setdefault(test, str(prompt)) != str(prompt):
            raise ConfigError(
                f"data = {str(path)!r}: test {test!r} has more than one prompt; give variants of one prompt a test of their own"
            )
    rows = []
    for pair in pairs.read_pairs(path, pair_columns):
        first, second = (
            Dialogue((Turn("user", by_test[pair.test]), Turn("assistant", text)), held_out=pair.held_out)
            for text in (pair.first, pair.second)
        )
        rows.append(Preference(first, second, pair.chance) if pair.chance >= 0.5 else Preference(second, first, 1 - pair.chance))
    return rows
