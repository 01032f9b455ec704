"""Labelled texts out of a table: which column is the text, what its labels mean, what is repeated, what is held out.

Columns are found by their usual names where the settings don't name them. A text that stands twice is taken once; one that stands with
two different labels says nothing and is left out; both are counted. Rows are held out as a column `held_out` says, else by a seeded
draw with the same share of every label and group, or of whole dialogues where a column says what hangs together. A text with several labels
has them in a list, or with `|` between.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from train.run.settings import ConfigError
from train.run.tables import flags_of

_TEXTS = ("text", "review", "sentence", "text_a", "content", "comment", "headline", "body", "文本", "评论", "内容")
_LABELS = ("label", "sentiment", "polarity", "class", "target", "标签", "情感")
_GROUPS = ("locale", "cat", "category")
SEVERAL = "|"
"""What stands between the labels of a text that has several."""


class Columns(BaseModel):
    """Which columns of a table hold what. An empty name is found by what columns are usually called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = ""
    label: str = ""
    group: tuple[str, ...] | None = None
    """Columns whose values are held out in equal shares and reported apart; none named: locale, cat, category where they are there."""
    meaning: Mapping[str, str] = Field(default_factory=dict)
    """What a label of the table is called here, such as {"1": positive, "0": negative}."""
    together: str = ""
    """A column of what hangs together (a dialogue, an advertiser), whose rows are never on two sides; none means each row by itself."""
    context: str = ""
    """A column of what was said before the text; none means the text alone."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One text with the name of its label."""

    text: str
    label: str
    group: str = ""
    """The values of the group columns, joined by `/`."""
    held_out: bool = False
    context: str = ""
    """What was said before it."""
    together: str = ""
    """What it hangs together with; empty for nothing."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Distinct labelled texts, sorted; the files that they came from; and how many rows were left out, by reason."""

    rows: tuple[Labelled, ...]
    files: tuple[Path, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def told(self) -> str:
        """What was left out, for a reader; empty where nothing was."""
        return ", ".join(f"{count} {reason}" for reason, count in self.left_out.items() if count)


def from_table(table: pa.Table, path: Path, columns: Columns, names: Sequence[str] | None, *, repeats: bool = False) -> Texts:
    """The labelled texts of a table. `names` are the labels that there can be, None for the table's own; with `repeats` a text counts as
    often as it stands there. Raises ConfigError naming what is missing or unknown."""
    text = _column(table, path, "text", columns.text, _TEXTS)
    label = _column(table, path, "label", columns.label, _LABELS)
    groups = _group_columns(table, path, columns)
    said = [_joined(value) for value in table[label].to_pylist()]
    meaning = _meanings(sorted(set(said)), path, columns.meaning, names)
    held_out = flags_of(table, "held_out", path)
    grouped = [[str(value) for value in table[name].to_pylist()] for name in groups]
    context, together = (_optional(table, path, role, getattr(columns, role)) for role in ("context", "together"))
    rows, empty = [], 0
    for number, given in enumerate(table[text].to_pylist()):
        if clean := _clean(given):
            group = "/".join(values[number] for values in grouped)
            rows.append(Labelled(clean, meaning[said[number]], group, held_out[number], _clean(context[number]), _clean(together[number])))
        else:
            empty += 1
    left_out = {"empty": empty}
    return Texts(tuple(sorted(rows, key=_place)), (path,), left_out) if repeats else distinct(rows, (path,), left_out)


def _joined(value: object) -> str:
    """One label, or several with `|` between, in the order of their names."""
    several = value if isinstance(value, list) else str(value).split(SEVERAL)
    return SEVERAL.join(sorted(str(one).strip() for one in several))


def _clean(value: object) -> str:
    return "" if value is None else str(value).replace("\ufeff", "").strip()


def _optional(table: pa.Table, path: Path, role: str, name: str) -> list[object]:
    return list(table[_column(table, path, role, name, ())].to_pylist()) if name else [None] * table.num_rows


def _place(row: Labelled) -> tuple[str, str, str]:
    return row.text, row.context, row.together


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


def _meanings(found: Sequence[str], path: Path, given: Mapping[str, str], names: Sequence[str] | None) -> dict[str, str]:
    """Label of the table → one of `names`, of which 0 and 1 alone are the first and the last: negative and positive."""
    usual = {"0": names[0], "1": names[-1]} if names and set(found) <= {"0", "1"} else {}
    meaning = {label: given.get(label, usual.get(label, label)) for label in found}
    if names and (unknown := [label for label in found if meaning[label] not in names]):
        raise ConfigError(
            f"data = {str(path)!r}: label {unknown[0]!r} is none of {tuple(names)}; "
            f"say what it means with --set columns='{{meaning: {{\"{unknown[0]}\": {names[-1]}}}}}'"
        )
    return meaning


def distinct(rows: Sequence[Labelled], files: tuple[Path, ...], left_out: Mapping[str, int]) -> Texts:
    """Each text once, sorted, so that the order of a file changes nothing."""
    by_text: dict[tuple[str, ...], list[Labelled]] = defaultdict(list)
    for row in rows:
        by_text[_key(row)].append(row)
    kept = tuple(sorted((same[0] for same in by_text.values() if len({row.label for row in same}) == 1), key=_place))
    contradicted = sum(len(same) for same in by_text.values() if len({row.label for row in same}) > 1)
    counts = {"repeated": len(rows) - contradicted - len(kept), "labelled in two ways": contradicted}
    return Texts(kept, files, {**left_out, **counts})


def _key(row: Labelled) -> tuple[str, ...]:
    """What two texts after the same words have in common that differ only in width, case and white space."""
    return tuple("".join(unicodedata.normalize("NFKC", text).lower().split()) for text in (row.text, row.context))


def hold_out(rows: Sequence[Labelled], share: float, seed: int) -> tuple[list[Labelled], list[Labelled]]:
    """(kept, held out): as the rows say, or where none says so by a seeded draw: of whole clusters where rows hang together, else of the
    same share of every label and group."""
    if any(row.held_out for row in rows):
        return [row for row in rows if not row.held_out], [row for row in rows if row.held_out]
    held = _drawn_clusters(rows, share, seed) if any(row.together for row in rows) else _drawn(rows, share, seed)
    return [row for number, row in enumerate(rows) if number not in held], [rows[number] for number in sorted(held)]


def _drawn_clusters(rows: Sequence[Labelled], share: float, seed: int) -> set[int]:
    names = sorted({row.together for row in rows})
    drawn = set(Random(seed).sample(names, max(1, round(len(names) * share))))
    return {number for number, row in enumerate(rows) if row.together in drawn}


def _drawn(rows: Sequence[Labelled], share: float, seed: int) -> set[int]:
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
    return held


def parted(
    found: Texts, apart: Texts | None, share: float, seed: int, *, repeats: bool = False
) -> tuple[list[Labelled], list[Labelled], Texts]:
    """(training, held out, everything that was read): a table of its own is what is held out, and what stands in both is not trained on,
    unless `repeats` says so; without one a share is drawn as `hold_out` has it."""
    if apart is None:
        return *hold_out(found.rows, share, seed), found
    seen = set() if repeats else set(leaks(apart.rows, found.rows))
    training = [row for row in found.rows if row not in seen]
    left_out = {**found.left_out, "held out as well": len(found.rows) - len(training)}
    return training, list(apart.rows), Texts((*training, *apart.rows), (*found.files, *apart.files), left_out)


def leaks(training: Sequence[Labelled], held_out: Sequence[Labelled]) -> list[Labelled]:
    """Held-out rows whose text stands in the training rows as well, after the same words, whatever its width, case or white space."""
    seen = {_key(row) for row in training}
    return [row for row in held_out if _key(row) in seen]


def check_labels(rows: Sequence[Labelled], path: Path, *, fewest: int, left_out: str = "") -> None:
    """Raises ConfigError where there are too few texts to learn from, or one label only."""
    counts = Counter(row.label for row in rows)
    if len(rows) < fewest:
        reasons = f" (left out: {left_out})" if left_out else ""
        raise ConfigError(f"data = {str(path)!r}: has {len(rows)} labelled texts{reasons}; give at least {fewest}, better a thousand")
    if len(counts) < 2:
        raise ConfigError(f"data = {str(path)!r}: every text is {next(iter(counts))!r}; give texts of at least two labels")
