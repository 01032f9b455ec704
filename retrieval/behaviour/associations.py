"""What is bought together: association rules with support, confidence, lift, leverage and count.

Two ways to the same numbers. mlxtend's fpgrowth finds sets of up to three products; the pair-wise way multiplies the sparse baskets by
themselves with scipy and finds pairs only, adding up over buckets so that the baskets are never held at once. `WIDEST_FPGROWTH` chooses.
A product is in a basket once, however many units; what was sent back later was still bought together.
Baskets come from shoppers who consent, and no rule rests on fewer than `min_count` of them.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from retrieval import tables
from retrieval.expressions import column
from retrieval.schemas import ASSOCIATIONS

WIDEST_FPGROWTH = 100
MOST_FPGROWTH = 50_000
"""Frequent products, and baskets, beyond which pairs are all that is looked for. On the 16,933 baskets of Online Retail fpgrowth takes
1.6 s of CPU for the 50 most frequent products, 5 s for 100, 14 s for 200 and 22 s for 400; pairs of all 3,797 take 0.6 s."""
LEAST_COUNT = 3
LEAST_SHARE = 0.001
MIN_LIFT = 1.0
_MAX_SET = 3


@dataclass(frozen=True, slots=True)
class Associations:
    """`rules`: the `associations` table, strongest first. `told`: how they were found, in a sentence."""

    rules: pa.Table
    told: str


def min_count(baskets: int) -> int:
    """Baskets that a rule must rest on: one in a thousand, never fewer than three. They may be one shopper's."""
    return max(LEAST_COUNT, math.ceil(LEAST_SHARE * baskets))


def associations(read: Callable[[], Iterable[pa.Table]], products: pa.Array, widest: int = WIDEST_FPGROWTH) -> Associations:
    """Rules over baskets. `read` begins anew with the parts, (basket, catalogue row), each time: once to count products, once for sets
    of those that are frequent enough to be in any. Baskets of one product count in every share."""
    singles, baskets = np.zeros(len(products), np.int64), 0
    for part in read():
        singles += np.bincount(column(part, "product").to_numpy(), minlength=len(products))
        baskets += len(pc.unique(column(part, "basket")))
    least = min_count(baskets)
    frequent = np.flatnonzero(singles >= least)
    names = products.take(pa.array(frequent))
    matrices = (as_matrix(part, len(products))[:, frequent] for part in read())
    if 0 < len(frequent) <= widest and baskets <= MOST_FPGROWTH:
        way, rules = "fpgrowth, sets of up to three", set_rules(csr_matrix(vstack(list(matrices))), names, least)
    else:
        counted = PairCounts(len(frequent))
        for matrix in matrices:
            counted.add(matrix)
        way, rules = "pairs, by sparse products", pair_rules(counted, names, least)
    found = f"{rules.num_rows:,} rules from {baskets:,} baskets ({way}); {len(frequent):,} products are in {least} baskets or more"
    return Associations(rules, found)


def as_matrix(part: pa.Table, products: int) -> csr_matrix:
    """(baskets, products) of ones."""
    basket, product = column(part, "basket").to_numpy(), column(part, "product").to_numpy()
    shape = (int(basket.max(initial=-1)) + 1, products)
    return csr_matrix((np.ones(len(basket), np.int64), (basket, product)), shape=shape)


class PairCounts:
    """How many baskets have each product, and each two."""

    def __init__(self, products: int) -> None:
        self.baskets = 0
        self.singles: NDArray[np.int64] = np.zeros(products, np.int64)
        self.pairs = csr_matrix((products, products), dtype=np.int64)

    def add(self, matrix: csr_matrix) -> None:
        """Add some baskets."""
        self.baskets += matrix.shape[0]
        self.singles += np.asarray(matrix.sum(axis=0), np.int64).ravel()
        self.pairs = self.pairs + (matrix.T @ matrix)


def pair_rules(counted: PairCounts, products: pa.Array, least: int) -> pa.Table:
    """Rules of one product for another, with lift above chance."""
    pairs = counted.pairs.tocoo()
    chosen = (pairs.row != pairs.col) & (pairs.data >= least)
    left, right, count = pairs.row[chosen], pairs.col[chosen], pairs.data[chosen]
    antecedents = pa.ListArray.from_arrays(pa.array(np.arange(len(left) + 1), pa.int32()), products.take(pa.array(left)))
    return _rules(antecedents, products.take(pa.array(right)), count, (counted.singles[left], counted.singles[right]), counted.baskets)


def set_rules(matrix: csr_matrix, products: pa.Array, least: int) -> pa.Table:
    """Rules of one or two products for another, by mlxtend's fpgrowth, from (baskets, products) of ones."""
    from mlxtend.frequent_patterns import association_rules, fpgrowth

    baskets = matrix.shape[0]
    frame = pd.DataFrame.sparse.from_spmatrix(matrix.astype(bool), columns=np.arange(len(products)))
    sets = fpgrowth(frame, min_support=least / baskets, use_colnames=True, max_len=_MAX_SET)
    if not (sets["itemsets"].map(len) > 1).any():
        return ASSOCIATIONS.empty_table()
    found = association_rules(sets, num_itemsets=baskets, metric="lift", min_threshold=MIN_LIFT)
    found = found[found["consequents"].map(len) == 1]
    names = products.to_pylist()
    antecedents = pa.array([sorted(names[row] for row in rows) for rows in found["antecedents"]], pa.list_(pa.string()))
    consequents = pa.array([names[next(iter(rows))] for rows in found["consequents"]], pa.string())
    shares = ("support", "antecedent support", "consequent support")
    count, left, right = (np.rint(found[name].to_numpy() * baskets).astype(np.int64) for name in shares)
    return _rules(antecedents, consequents, count, (left, right), baskets)


def _rules(
    antecedents: pa.Array, consequents: pa.Array, count: NDArray[np.int64], sides: tuple[NDArray[np.int64], NDArray[np.int64]], baskets: int
) -> pa.Table:
    """The table of rules from whole counts, so that both ways give the same numbers to the last bit. Best leverage first."""
    left, right = sides
    total = max(baskets, 1)
    made = {
        "antecedents": antecedents,
        "consequent": consequents,
        "count": count,
        "support": count / total,
        "confidence": count / np.maximum(left, 1),
        "lift": count * total / np.maximum(left * right, 1),
        "leverage": count / total - (left / total) * (right / total),
    }
    rules = pa.table(made).cast(ASSOCIATIONS).filter(pa.array(made["lift"] > MIN_LIFT))
    keyed = rules.append_column("key", pc.binary_join(column(rules, "antecedents"), "\x1f"))
    order = [("leverage", "descending"), ("lift", "descending"), ("key", "ascending"), ("consequent", "ascending")]
    return keyed.sort_by(order).drop_columns(["key"])


class Together:
    """Answers what goes with a product, from a shop's `associations`."""

    def __init__(self, rules: pa.Table) -> None:
        single = rules.filter(pc.equal(pc.list_value_length(rules["antecedents"]), 1))
        self._with: dict[str, list[str]] = {}
        for product, other in zip(pc.list_flatten(single["antecedents"]).to_pylist(), single["consequent"].to_pylist(), strict=True):
            self._with.setdefault(product, []).append(other)

    @classmethod
    def read(cls, shop: Path) -> "Together":
        """Raises TableError where the shop has no associations yet."""
        return cls(tables.read(shop, "associations"))

    def bought_together(self, product_id: str, k: int) -> list[str]:
        """Up to k products, the one bought with it most beyond chance first; none for a product without a rule."""
        return self._with.get(product_id, [])[:k]
