"""Labelled texts out of a table: which column is the text, what its labels mean, what is repeated, what is held out.

Columns are found by their usual names where the settings don't name them. A text that stands twice is taken once; one that stands with
two different labels says nothing and is left out; both are counted. Rows are held out as a column `held_out` says, else by a seeded
draw with the same share of every label and group.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from train.settings import ConfigError

_TEXTS = ("text", "review", "sentence", "text_a", "content", "comment", "headline", "body", "文本", "评论", "内容")
_LABELS = ("label", "sentiment", "polarity", "class", "target", "标签", "情感")
_GROUPS = ("locale", "cat", "category")


class Columns(BaseModel):
    """Which columns of a table hold what. An empty name is found by what columns are usually called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = ""
    label: str = ""
    group: tuple[str, ...] | None = None
    """Columns whose values are held out in equal shares and reported apart; none named: locale, cat, category where they are there."""
    meaning: Mapping[str, str] = Field(default_factory=dict)
    """What a label of the table is called here, such as {"1": positive, "0": negative}."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One text with the name of its label."""

    text: str
    label: str
    group: str = ""
    """The values of the group columns, joined by `/`."""
    held_out: bool = False


@dataclass(frozen=True, slots=True)
class Texts:
    """Distinct labelled texts, sorted; the files that they came from; and how many rows were left out, by reason."""

    rows: tuple[Labelled, ...]
    files: tuple[Path, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def told(self) -> str:
        """What was left out, for a reader; empty where nothing was."""
        return ", ".join(f"{count} {reason}" for reason, count in self.left_out.items() if count)


def from_table(table: pa.Table, path: Path, columns: Columns, names: Sequence[str]) -> Texts:
    """The labelled texts of a table. `names` are the labels that there can be. Raises ConfigError naming what is missing or unknown."""
    text = _column(table, path, "text", columns.text, _TEXTS)
    label = _column(table, path, "label", columns.label, _LABELS)
    groups = _group_columns(table, path, columns)
    meaning = _meanings(table[label], path, columns.meaning, names)
    held_out = table["held_out"].to_pylist() if "held_out" in table.column_names else [False] * table.num_rows
    grouped = [[str(value) for value in table[name].to_pylist()] for name in groups]
    rows, empty = [], 0
    for number, (said, given) in enumerate(zip(table[text].to_pylist(), table[label].to_pylist(), strict=True)):
        clean = str(said).replace("\ufeff", "").strip() if said is not None else ""
        if clean:
            group = "/".join(values[number] for values in grouped)
            rows.append(Labelled(clean, meaning[str(given)], group, bool(held_out[number])))
        else:
            empty += 1
    return distinct(rows, (path,), {"empty": empty})


def _column(table: pa.Table, path: Path, role: str, name: str, usual: Sequence[str]) -> str:
    if name and name not in table.column_names:
        raise ConfigError(f"columns.{role} = {name!r}: {str(path)!r} has no such column; it has {table.column_names}")
    found = [name] if name else [each for each in usual if each in table.column_names]
    if not found:
        raise ConfigError(
            f"data = {str(path)!r}: no column is called {', '.join(usual[:3])} …; it has {table.column_names}: "
            f"say which holds the {role} with --set columns='{{{role}: NAME}}'"
        )
    return found[0]


def _group_columns(table: pa.Table, path: Path, columns: Columns) -> tuple[str, ...]:
    if columns.group is None:
        return tuple(name for name in _GROUPS if name in table.column_names)
    for name in columns.group:
        _column(table, path, "group", name, ())
    return columns.group


def _meanings(labels: pa.ChunkedArray, path: Path, given: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Label of the table → one of `names`. 0 and 1 alone are the first and the last of them: negative and positive."""
    found = sorted({str(value) for value in labels.unique().to_pylist()})
    usual = {"0": names[0], "1": names[-1]} if set(found) <= {"0", "1"} else {}
    meaning = {label: given.get(label, usual.get(label, label)) for label in found}
    if unknown := [label for label in found if meaning[label] not in names]:
        raise ConfigError(
            f"data = {str(path)!r}: label {unknown[0]!r} is none of {tuple(names)}; "
            f"say what it means with --set columns='{{meaning: {{\"{unknown[0]}\": {names[-1]}}}}}'"
        )
    return meaning


def distinct(rows: Sequence[Labelled], files: tuple[Path, ...], left_out: Mapping[str, int]) -> Texts:
    """Each text once, sorted, so that the order of a file changes nothing."""
    by_text: dict[str, list[Labelled]] = defaultdict(list)
    for row in rows:
        by_text[_key(row.text)].append(row)
    kept = tuple(sorted((same[0] for same in by_text.values() if len({row.label for row in same}) == 1), key=lambda row: row.text))
    contradicted = sum(len(same) for same in by_text.values() if len({row.label for row in same}) > 1)
    counts = {"repeated": len(rows) - contradicted - len(kept), "labelled in two ways": contradicted}
    return Texts(kept, files, {**left_out, **counts})


def _key(text: str) -> str:
    """What two texts have in common that differ only in width, case and white space."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


def hold_out(rows: Sequence[Labelled], share: float, seed: int) -> tuple[list[Labelled], list[Labelled]]:
    """(kept, held out): as the rows say, or where none says so by a seeded draw of the same share of every label and group."""
    if any(row.held_out for row in rows):
        return [row for row in rows if not row.held_out], [row for row in rows if row.held_out]
    strata: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        strata[row.label, row.group].append(number)
    random, held, owed = Random(seed), set[int](), 0.0
    for key in sorted(strata):
        numbers = strata[key]
        random.shuffle(numbers)
        owed += len(numbers) * share  # what is owed goes on to the next stratum: small ones are held out in their share, too
        take = min(len(numbers), round(owed))
        owed -= take
        held.update(numbers[:take])
    return [row for number, row in enumerate(rows) if number not in held], [rows[number] for number in sorted(held)]


def leaks(training: Sequence[Labelled], held_out: Sequence[Labelled]) -> list[str]:
    """Held-out texts that stand in the training rows as well, whatever their width, case or white space."""
    seen = {_key(row.text) for row in training}
    return [row.text for row in held_out if _key(row.text) in seen]


def check_labels(rows: Sequence[Labelled], path: Path, *, fewest: int, left_out: str = "") -> None:
    """Raises ConfigError where there are too few texts to learn from, or one label only."""
    counts = Counter(row.label for row in rows)
    if len(rows) < fewest:
        reasons = f" (left out: {left_out})" if left_out else ""
        raise ConfigError(f"data = {str(path)!r}: has {len(rows)} labelled texts{reasons}; give at least {fewest}, better a thousand")
    if len(counts) < 2:
        raise ConfigError(f"data = {str(path)!r}: every text is {next(iter(counts))!r}; give texts of at least two labels")
