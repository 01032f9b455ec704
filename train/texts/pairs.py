"""Pairs of texts of which one did better: from A/B tests (how often each variant was shown and chosen) or from judgements.

Outcomes: a row for each variant with its test, text, times shown and times chosen. Variants of one test are compared where the columns
`within` agree (the same picture, say), so that only the text differs. What is learned is the chance that the first is the better one,
Φ(z) of the two-proportion test, so that a pair that hardly anybody saw teaches little (Bradley and Terry 1952, with soft outcomes).
Judgements: columns first, second, better (1 or 2). `held_out` (true or false) says which rows are held out, else whole tests are drawn.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import norm

from train.run.settings import ConfigError
from train.run.tables import columns_of, read_table

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


def read_pairs(path: Path, columns: PairColumns) -> list[Pair]:
    """Every pair of a table of either form. Raises ConfigError where a column is missing, a count is impossible, or pairs are too few."""
    table = read_table(path)
    judged = {"first", "second", "better"} <= set(table.column_names)
    found = _judgements(table, path, columns) if judged else _outcomes(table, path, columns)
    found = [pair for pair in found if abs(pair.z) >= columns.least_z]
    if len(found) < _FEWEST:
        raise ConfigError(
            f"pairs = {str(path)!r}: has {len(found)} pairs of different texts that differ by {columns.least_z:g} standard errors; "
            f"give at least {_FEWEST}, better a thousand"
        )
    return found


def _judgements(table: pa.Table, path: Path, columns: PairColumns) -> list[Pair]:
    held = columns_of(table, ("first", "second", "better"), path)
    if strange := sorted({str(value) for value in held["better"]} - {"1", "2"}):
        raise ConfigError(f"pairs = {str(path)!r}: better = {strange[0]}; write 1 where the first text did better, 2 where the second did")
    tests = _optional(table, columns.test, range(table.num_rows))
    rows = zip(held["first"], held["second"], held["better"], tests, _held_out(table), strict=True)
    return [
        Pair(first, second, float(str(better) == "1"), np.inf if str(better) == "1" else -np.inf, str(test), out)
        for first, second, better, test, out in rows
        if first.strip() != second.strip()
    ]


def _optional(table: pa.Table, name: str, otherwise: Sequence[Any]) -> Sequence[Any]:
    return table[name].to_pylist() if name in table.column_names else otherwise


def _held_out(table: pa.Table) -> list[bool]:
    return [bool(value) for value in _optional(table, "held_out", [False] * table.num_rows)]


def _outcomes(table: pa.Table, path: Path, columns: PairColumns) -> list[Pair]:
    names = (columns.test, columns.text, columns.shown, columns.chosen, *columns.within)
    held = columns_of(table, names, path)
    for number, (shown, chosen) in enumerate(zip(held[columns.shown], held[columns.chosen], strict=True), 1):
        if not 0 <= chosen <= shown:
            raise ConfigError(
                f"pairs = {str(path)!r}: row {number} was chosen {chosen} of {shown} times; mend {columns.shown!r} and {columns.chosen!r}"
            )
    variants: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number in range(table.num_rows):
        variants[str(held[columns.test][number]), *(str(held[name][number]) for name in columns.within)].append(number)
    shown, chosen = (np.array(held[name], dtype=float) for name in (columns.shown, columns.chosen))
    texts, outs = held[columns.text], _held_out(table)
    pairs = []
    for key, rows in variants.items():
        for one, other in combinations(rows, 2):
            if texts[one].strip() != texts[other].strip():
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
