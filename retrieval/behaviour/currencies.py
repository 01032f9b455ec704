"""Whose money is in which currency: nothing is added up across currencies, and nothing converted unless rates are given.

Without rates a shopper's amounts are those in their main currency, the one that most of their purchases are in; the rest are noted.
Rates come from a YAML file, `base: GBP` and `rates: {USD: 0.79}` (units of base for one); today's rate for an old purchase is a
simplification that the report states.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from numpy.typing import NDArray

from retrieval.expressions import column
from retrieval.rules import mask


class RatesError(ValueError):
    """A rates file that can't be used. The message names the file, the key and the remedy."""


@dataclass(frozen=True, slots=True)
class Rates:
    """`base` is ISO 4217, `rates` units of base for one unit of another currency. Empty: nothing is converted."""

    base: str | None = None
    rates: Mapping[str, float] = field(default_factory=dict)


def load_rates(path: Path) -> Rates:
    """Read a rates file. Raises RatesError."""
    if not path.is_file():
        raise RatesError(f"{path}: no such file; give YAML with `base: GBP` and `rates: {{USD: 0.79}}`")
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(given, dict) or set(given) != {"base", "rates"} or not isinstance(given["rates"], dict):
        raise RatesError(f"{path}: has {given!r}; it needs exactly the keys base and rates, rates being currency: number")
    for currency, rate in given["rates"].items():
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not (math.isfinite(rate) and rate > 0):
            raise RatesError(f"{path}: rates.{currency} is {rate!r}; give units of {given['base']} for one {currency}, above 0")
    return Rates(str(given["base"]), {str(currency): float(rate) for currency, rate in given["rates"].items()})


@dataclass(frozen=True, slots=True)
class MainCurrency:
    """(m,) each shopper's main currency, null where no purchase names one; `in_main` (n,) which rows are in it (none is none)."""

    main: pa.Array
    in_main: NDArray[np.bool_]
    mixed: dict[str, str]


def main_currencies(rows: pa.Table, who: NDArray[np.int64], shoppers: pa.Array) -> MainCurrency:
    """Main currency by number of purchases, then of cancellations, then by the alphabet. `mixed`: shopper → what they paid in, where it
    is more than one currency."""
    names = pa.array(sorted(pc.unique(column(rows, "currency")).drop_null().to_pylist()), pa.string())
    own = pc.fill_null(pc.index_in(column(rows, "currency"), names), -1).to_numpy().astype(np.int64)
    bought, back = (mask(pc.equal(column(rows, "kind"), kind)) & (own >= 0) for kind in ("purchase", "cancellation"))
    width = len(names) + 1
    pairs, at = np.unique((who * width + own)[bought | back], return_inverse=True)
    purchases, cancellations = (np.bincount(at, part[bought | back], minlength=len(pairs)).astype(np.int64) for part in (bought, back))
    owner, which = pairs // width, pairs % width
    order = np.lexsort((which, -cancellations, -purchases, owner))
    main = np.full(len(shoppers), -1)
    first, begins = np.unique(owner[order], return_index=True)
    main[first] = which[order][begins]
    several = np.flatnonzero(np.bincount(owner[purchases > 0], minlength=len(shoppers)) > 1)
    paid_by = {row: (owner == row) & (purchases > 0) for row in several.tolist()}
    mixed = {shoppers[row].as_py(): _told(names, which[mine], purchases[mine]) for row, mine in paid_by.items()}
    return MainCurrency(names.take(pa.array(main, mask=main < 0)), own == main[who], mixed)


def _told(names: pa.Array, which: NDArray[np.int64], sizes: NDArray[np.int64]) -> str:
    """`CNY 3, USD 1`: purchases by currency."""
    return ", ".join(f"{names[int(code)].as_py()} {size}" for code, size in zip(which, sizes, strict=True))
