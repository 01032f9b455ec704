"""Association rules: a hand-computed example, two ways to the same pairs, and what is bought together."""

import numpy as np
import pyarrow as pa
import pytest

from retrieval.behaviour.associations import PairCounts, Together, as_matrix, associations, min_count, pair_rules, set_rules
from retrieval.behaviour.bucket_work import BASKET_ROWS, baskets
from retrieval.behaviour.cleaning import sorted_rows
from retrieval.behaviour.trail import Trail
from tests.retrieval.behaviour.behaviourkit import PRODUCTS, bought, event, made, portrait, rows, write_shop

NAMES = pa.array(["bread", "butter", "jam", "soap"])


def part(*contents: str) -> pa.Table:
    """Baskets by the initials of their products: B bread, U butter, J jam, S soap."""
    pairs = [(number, "BUJS".index(letter)) for number, basket in enumerate(contents) for letter in basket]
    return pa.Table.from_arrays([pa.array([p[at] for p in pairs], pa.int64()) for at in (0, 1)], schema=BASKET_ROWS)


EXAMPLE = ("BU", "BU", "BU", "BUJ", "BJ", "S", "S", "U", "BS", "S")
"""Ten baskets: bread in 6, butter in 5, both in 4."""


def test_a_rule_has_the_numbers_worked_out_by_hand():
    found = associations(lambda: [part(*EXAMPLE)], NAMES).rules.to_pylist()
    (rule,) = [row for row in found if row["antecedents"] == ["bread"] and row["consequent"] == "butter"]
    assert rule["count"] == 4
    assert (rule["support"], rule["confidence"]) == (pytest.approx(0.4), pytest.approx(4 / 6))
    assert (rule["lift"], rule["leverage"]) == (pytest.approx(4 / 6 / 0.5), pytest.approx(0.4 - 0.6 * 0.5))
    assert len(found) == 2


def test_parts_add_up_to_the_whole():
    whole = associations(lambda: [part(*EXAMPLE)], NAMES)
    parts = associations(lambda: [part(*EXAMPLE[:3]), part(*EXAMPLE[3:])], NAMES)
    assert parts.rules.equals(whole.rules)
    assert "10 baskets" in parts.told


def random_part(seed: int, count: int = 300, products: int = 8) -> pa.Table:
    """Baskets in which neighbours go together."""
    rng = np.random.default_rng(seed)
    found = set()
    for basket in range(count):
        first = int(rng.integers(products))
        found |= (
            {(basket, first)}
            | {(basket, (first + 1) % products) for _ in range(int(rng.random() < 0.6))}
            | {(basket, int(rng.integers(products)))}
        )
    ordered = sorted(found)
    return pa.Table.from_arrays([pa.array([p[at] for p in ordered], pa.int64()) for at in (0, 1)], schema=BASKET_ROWS)


@pytest.mark.parametrize("seed", range(3))
def test_the_pair_wise_way_gives_what_mlxtend_gives(seed):
    names = pa.array([f"p{number}" for number in range(8)])
    matrix = as_matrix(random_part(seed), 8)
    counted = PairCounts(8)
    counted.add(matrix[:100])
    counted.add(matrix[100:])
    by_sets = set_rules(matrix, names, 4)
    by_pairs = pair_rules(counted, names, 4)
    pairs_of_sets = [row for row in by_sets.to_pylist() if len(row["antecedents"]) == 1]
    assert by_pairs.num_rows > 10
    assert by_pairs.to_pylist() == pairs_of_sets


def test_our_numbers_are_those_that_mlxtend_prints():
    import pandas as pd
    from mlxtend.frequent_patterns import association_rules, fpgrowth

    matrix = as_matrix(random_part(9), 8)
    sets = fpgrowth(
        pd.DataFrame(matrix.toarray().astype(bool), columns=list("abcdefgh")), min_support=4 / 300, use_colnames=True, max_len=2
    )
    theirs = association_rules(sets, num_itemsets=300, metric="lift", min_threshold=1.0)
    measures = ["support", "confidence", "lift", "leverage"]
    expected = {(*row["antecedents"], *row["consequents"]): [row[name] for name in measures] for row in theirs.to_dict("records")}
    counted = PairCounts(8)
    counted.add(matrix)
    for row in pair_rules(counted, pa.array(list("abcdefgh")), 4).to_pylist():
        ours = [row[name] for name in measures]
        assert ours == pytest.approx(expected[row["antecedents"][0], row["consequent"]])


def test_a_wide_catalogue_takes_the_pair_wise_way():
    narrow = associations(lambda: [random_part(1)], pa.array([f"p{n}" for n in range(8)]))
    wide = associations(lambda: [random_part(1)], pa.array([f"p{n}" for n in range(8)]), widest=4)
    assert ("fpgrowth" in narrow.told, "pairs" in wide.told) == (True, True)
    assert wide.rules.to_pylist() == [row for row in narrow.rules.to_pylist() if len(row["antecedents"]) == 1]
    assert any(len(row["antecedents"]) == 2 for row in narrow.rules.to_pylist())


def test_a_rule_rests_on_enough_baskets():
    assert (min_count(0), min_count(3000), min_count(20_000)) == (3, 3, 20)
    assert associations(lambda: [part("BJ", "BJ", "S", "S", "S")], NAMES).rules.num_rows == 0


@pytest.mark.parametrize("parts", [[], [BASKET_ROWS.empty_table()]])
def test_no_baskets_give_no_rules(parts):
    assert associations(lambda: parts, NAMES).rules.num_rows == 0
    assert associations(lambda: parts, pa.array([], pa.string())).rules.num_rows == 0


@pytest.mark.parametrize(("window", "expected"), [("session", 3), ("day", 2), ("shopper", 1)])
def test_what_a_basket_is(window, expected):
    events = [
        bought(1, "coat", 1.0),
        bought(2, "cream", 1.0, 60),
        bought(3, "cream", 2.0, 90),
        bought(4, "puer", 1.0, 7200),
        bought(5, "oolong", 1.0, 90_000),
    ]
    trail = Trail.of(sorted_rows(rows(*events, event(6, "view", "keyboard", 5))), PRODUCTS)
    found = baskets(trail, window)
    assert (len(set(found["basket"].to_pylist())), found.num_rows) == (expected, 4)


def test_what_goes_with_a_product_comes_strongest_first(tmp_path):
    events, number = [], 0
    for day, products in enumerate([["coat", "cream"]] * 5 + [["coat", "puer"]] * 3 + [["oolong"]] * 6):
        for product in products:
            number += 1
            events.append(bought(number, product, 5.0, -day * 86_400 + number))
    shop = write_shop(tmp_path, events)
    portrait(shop)
    together = Together.read(shop)
    assert together.bought_together("coat", 5) == ["cream", "puer"]
    assert together.bought_together("coat", 1) == ["cream"]
    assert together.bought_together("oolong", 5) == together.bought_together("nothing", 5) == []
    assert [row["count"] for row in made(shop, "associations")] == [5, 5, 3, 3]
