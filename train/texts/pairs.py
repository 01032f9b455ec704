"""Pairs of texts of which one did better: from A/B tests (how often each variant was shown and chosen) or from judgements.

Outcomes: a row for each variant with its test, text, times shown and times chosen. Variants of one test are compared where the columns
`within` agree (the same picture, say), so that only the text differs. What is learned is the chance that the first is the better one,
Φ(z) of the two-proportion test, so that a pair that hardly anybody saw teaches little (Bradley and Terry 1952, with soft outcomes).
Judgements: columns first, second, better (1 or 2). `held_out` (true or false) says which rows are held out, else whole tests are drawn.
Pairs of one text, too small differences and pairs that are held out as well are left out and counted.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import norm

from train.run.settings import ConfigError
from train.run.tables import columns_of, flags_of, read_table

SIGNIFICANT = 1.96
_FEWEST = 10


class PairColumns(BaseModel):
    """Which columns of a table hold what; the usual names need no mention."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    test: str = "test"
    """What hangs together: an A/B test, a dialogue. In a table of judgements it may be missing."""
    text: str = "text"
    shown: str = "impressions"
    chosen: str = "clicks"
    within: tuple[str, ...] = ()
    least_z: float = Field(default=0.0, ge=0)
    """Pairs whose outcomes differ by fewer standard errors are left out."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts, the chance that the first is the better one, and by how many standard errors it was."""

    first: str
    second: str
    chance: float
    z: float
    test: str
    held_out: bool = False


@dataclass(frozen=True, slots=True)
class PairParts:
    """What is learned from, what is held out, and how many pairs were left out, by reason."""

    training: list[Pair]
    held_out: list[Pair]
    left_out: dict[str, int]


def parts(path: Path, columns: PairColumns, share: float, seed: int) -> PairParts:
    """The pairs of a table, parted as `hold_out` has it; the training has none of which the same two texts are held out. Raises ConfigError
    as `read_pairs` does, and where nothing is left on a side."""
    found, left_out = _read(path, columns)
    kept, held_out = hold_out(found, share, seed)
    seen = {_key(pair.first, pair.second) for pair in held_out}
    training = [pair for pair in kept if _key(pair.first, pair.second) not in seen]
    if not training or not held_out:
        raise ConfigError(
            f"pairs = {str(path)!r}: {len(training)} pairs are left to learn from and {len(held_out)} are held out, of "
            f"{len({pair.test for pair in found})} test(s); give more tests, or say with a column held_out which rows are held out"
        )
    return PairParts(training, held_out, {**left_out, "held out as well": len(kept) - len(training)})


def read_pairs(path: Path, columns: PairColumns) -> list[Pair]:
    """Every pair of a table of either form. Raises ConfigError where a column is missing, a value is impossible, or pairs are too few."""
    return _read(path, columns)[0]


def _read(path: Path, columns: PairColumns) -> tuple[list[Pair], dict[str, int]]:
    """(pairs, how many were left out by reason)."""
    table = read_table(path)
    judged = {"first", "second", "better"} <= set(table.column_names)
    whole = _judgements(table, path, columns) if judged else _outcomes(table, path, columns)
    differ = [pair for pair in whole if pair.first.strip() != pair.second.strip()]
    found = [pair for pair in differ if abs(pair.z) >= columns.least_z]
    if len(found) < _FEWEST:
        raise ConfigError(
            f"pairs = {str(path)!r}: has {len(found)} pairs of different texts that differ by {columns.least_z:g} standard errors; "
            f"give at least {_FEWEST}, better a thousand"
        )
    left_out = {
        "of one text twice": len(whole) - len(differ),
        f"that differ by less than {columns.least_z:g} errors": len(differ) - len(found),
    }
    return found, left_out


def _key(first: str, second: str) -> str:
    """The same for two texts in either order, whatever their width, case or white space."""
    return "\0".join(sorted("".join(unicodedata.normalize("NFKC", text).lower().split()) for text in (first, second)))


def _judgements(table: pa.Table, path: Path, columns: PairColumns) -> list[Pair]:
    held = columns_of(table, ("first", "second", "better"), path)
    _check_texts(held, ("first", "second"), path)
    if strange := sorted({str(value) for value in held["better"]} - {"1", "2"}):
        raise ConfigError(f"pairs = {str(path)!r}: better = {strange[0]}; write 1 where the first text did better, 2 where the second did")
    alone = [_key(first, second) for first, second in zip(held["first"], held["second"], strict=True)]  # said twice, they hang together
    tests = table[columns.test].to_pylist() if columns.test in table.column_names else alone
    rows = zip(held["first"], held["second"], held["better"], tests, flags_of(table, "held_out", path), strict=True)
    return [
        Pair(first, second, float(str(better) == "1"), np.inf if str(better) == "1" else -np.inf, str(test), out)
        for first, second, better, test, out in rows
    ]


def _check_texts(held: Mapping[str, Sequence[Any]], names: Sequence[str], path: Path) -> None:
    for name in names:
        if others := [number for number, value in enumerate(held[name], 1) if not isinstance(value, str)]:
            raise ConfigError(
                f"pairs = {str(path)!r}: row {others[0]}: {name} = {held[name][others[0] - 1]!r} is no text; name the column of texts"
            )


def _outcomes(table: pa.Table, path: Path, columns: PairColumns) -> list[Pair]:
    names = (columns.test, columns.text, columns.shown, columns.chosen, *columns.within)
    held = columns_of(table, names, path)
    _check_texts(held, (columns.text,), path)
    for number, (shown, chosen) in enumerate(zip(held[columns.shown], held[columns.chosen], strict=True), 1):
        if strange := [each for each in (shown, chosen) if isinstance(each, bool) or not isinstance(each, int | float | Decimal)]:
            raise ConfigError(f"pairs = {str(path)!r}: row {number}: {strange[0]!r} is no count; write numbers without separators")
        if not 0 <= chosen <= shown:
            raise ConfigError(
                f"pairs = {str(path)!r}: row {number} was chosen {chosen} of {shown} times; mend {columns.shown!r} and {columns.chosen!r}"
            )
    variants: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number in range(table.num_rows):
        variants[str(held[columns.test][number]), *(str(held[name][number]) for name in columns.within)].append(number)
    shown, chosen = (np.array(held[name], dtype=float) for name in (columns.shown, columns.chosen))
    texts, outs = held[columns.text], flags_of(table, "held_out", path)
    pairs = []
    for key, rows in variants.items():
        for one, other in combinations(rows, 2):
            z = standard_errors(shown[one], chosen[one], shown[other], chosen[other])
            pairs.append(Pair(texts[one], texts[other], float(norm.cdf(z)), z, key[0], outs[one] or outs[other]))
    return pairs


def standard_errors(shown: float, chosen: float, shown_other: float, chosen_other: float) -> float:
    """z of the two-proportion test, pooled; 0 where nobody was shown one of them, or all chose alike."""
    if not shown or not shown_other:
        return 0.0
    pooled = (chosen + chosen_other) / (shown + shown_other)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / shown + 1 / shown_other))
    return float((chosen / shown - chosen_other / shown_other) / spread) if spread > 0 else 0.0


def hold_out(pairs: Sequence[Pair], share: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    """(kept, held out): as the rows say, or where none says so by a seeded draw of whole tests. Tests never straddle the two."""
    tests = sorted({pair.test for pair in pairs})
    drawn = {pair.test for pair in pairs if pair.held_out}
    if not drawn:
        drawn = set(Random(seed).sample(tests, max(1, round(len(tests) * share))))
    return [pair for pair in pairs if pair.test not in drawn], [pair for pair in pairs if pair.test in drawn]
