"""What `retrieval/interactions.py` promises, one behaviour a test."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from retrieval import schemas, tables
from retrieval.interactions import (
    Interactions,
    InteractionsError,
    context_of,
    cut_in_visits,
    from_shop,
    histories_of,
    leave_one_out,
    read_sequences,
    same_products,
    split_in_time,
)
from retrieval.recommenders.contract import History
from tests.fakes import NOW, make_shop

FILE = "7 30 4 5\n8 4 30 6 5\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text(FILE)
    return path


def test_a_published_file_is_read_in_order_with_products_sorted_by_number(file):
    read = read_sequences(file)
    assert read.product_ids == ("4", "5", "6", "30")
    assert read.shopper_ids == ("7", "8")
    assert [history.rows.tolist() for history in read.histories] == [[3, 0, 1], [0, 3, 2, 1]]
    assert read.histories[0].days.tolist() == [3, 2, 1], "an order, no visit: the last event is a day ago"
    assert not read.histories[0].in_visit


def test_a_packed_file_and_attributes_are_read(file, tmp_path):
    packed = tmp_path / "train.txt.gz"
    packed.write_bytes(gzip.compress(FILE.encode()))
    (tmp_path / "attributes.json").write_text(json.dumps({"4": [9, 2], "30": [2]}))
    read = read_sequences(packed, tmp_path / "attributes.json")
    assert read.attribute_names == ("2", "9")
    assert read.attributes == ((1, 0), (), (), (0,))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("", "is empty"), ("1 2 3\n1 4\n", "line 2: user '1' has a line already")],
)
def test_a_file_that_says_nothing_or_says_it_twice_is_refused(tmp_path, text, complaint):
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(InteractionsError, match=complaint):
        read_sequences(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InteractionsError, match=r"none\.txt: no such file"):
        read_sequences(tmp_path / "none.txt")


def test_a_test_file_is_read_over_the_products_of_the_training_file(file, tmp_path):
    other = tmp_path / "test.txt"
    other.write_text("8 4\n")
    test = same_products(other, read_sequences(file))
    assert test.shopper_ids == ("8",)
    assert test.histories[0].rows.tolist() == [0]
    other.write_text("8 99\n")
    with pytest.raises(InteractionsError, match="item '99' is not in the training file"):
        same_products(other, read_sequences(file))


def test_leave_one_out_holds_back_the_last_two(file):
    training, validation, test = leave_one_out(read_sequences(file))
    assert [history.rows.tolist() for history in training.histories] == [[3], [0, 3]]
    assert validation == [0, 2]
    assert test == [1, 1]


def test_leave_one_out_names_a_history_that_is_too_short(tmp_path):
    path = tmp_path / "short.txt"
    path.write_text("a 1 2\n")
    with pytest.raises(InteractionsError, match="shopper 'a' has 2 events"):
        leave_one_out(read_sequences(path))


def test_a_split_in_time_keeps_the_future_out_and_counts_only_what_is_new(file):
    read = read_sequences(file)
    history = History(np.array([0, 1, 0, 2, 3]), np.array([1, 1, 1, 1, -5], np.float32), np.array([9, 8, 3, 2, 1], np.float32))
    before, taken = split_in_time(read.with_histories([history, history]), 5)
    assert before.histories[0].rows.tolist() == [0, 1]
    assert before.histories[0].days.tolist() == [4, 3], "aged from the split"
    assert taken[0] == {2}, "0 was known before, 3 was sent back"


def test_a_cancellation_takes_a_purchase_back_and_unknown_products_count_for_nothing():
    at = [NOW - timedelta(days=days) for days in (3, 2, 1)]
    events = pa.table(
        {
            "event_id": ["1", "2", "3"],
            "shopper_id": ["a", "a", "a"],
            "product_id": ["p", "gone", "p"],
            "kind": ["purchase", "view", "cancellation"],
            "value": [9.0, None, 9.0],
            "quantity": pa.array([1, None, 1], pa.int32()),
            "currency": ["GBP", None, "GBP"],
            "text": pa.nulls(3, pa.string()),
            "at": pa.array(at, schemas.INSTANT),
        }
    )
    (history,) = histories_of(events, pa.array(["a"]), ["p"], [("locale:en-GB",)], NOW)
    assert history.rows.tolist() == [0, 0]
    assert history.weights.sum() == 0
    assert history.days == pytest.approx([3, 1])


def test_a_shop_gives_histories_of_those_who_consent_only(tmp_path):
    shop = make_shop(tmp_path / "shop")
    read = from_shop(shop, NOW)
    consents = {row["shopper_id"] for row in tables.read(shop, "shoppers").to_pylist() if row["consent"]}
    assert set(read.shopper_ids) <= consents
    assert "ann" in read.shopper_ids
    assert "bob" not in read.shopper_ids
    assert len(read.attributes) == read.products
    assert {name.split(":")[0] for name in read.attribute_names} >= {"kind", "category"}


def test_context_leaves_out_what_names_a_person():
    assert context_of("zh-CN", {"name": "Ann", "city": "Leeds", "age_band": "25-34"}) == (
        "locale:zh-CN",
        "age_band:25-34",
    )


def test_ages_never_lie_in_the_future():
    later = datetime(2031, 1, 1, tzinfo=UTC)
    events = schemas.EVENTS.empty_table()
    assert len(histories_of(events, pa.array(["a"], pa.string()), ["p"], [()], later)[0]) == 0


MINUTE = 1 / (24 * 60)


def history_at(days: list[float], rows: list[int], weights: list[float] | None = None) -> History:
    return History(np.array(rows), np.array(weights or [1] * len(rows), np.float32), np.array(days, np.float32))


def cut(*histories: History, days: float = 2.0, seed: int = 0) -> tuple[tuple[History, ...], list[set[int]]]:
    products = tuple(f"p{row}" for row in range(10))
    known = Interactions(products, tuple(str(i) for i in range(len(histories))), histories)
    asked, targets = cut_in_visits(known, days, seed)
    return asked.histories, targets


def test_a_moment_in_a_visit_asks_for_what_is_new_in_the_rest_of_that_visit():
    visit = history_at([9, 1 + 40 * MINUTE, 1 + 20 * MINUTE, 1, 0.5], [0, 1, 2, 3, 4])
    seen = {(len(asked[0]), frozenset(targets[0])) for asked, targets in (cut(visit, seed=seed) for seed in range(20))}
    assert seen == {(2, frozenset({2, 3})), (3, frozenset({3}))}, "neither the visit of long ago nor the next one"
    (asked,), _ = cut(visit)
    assert asked.days[-1] == 0 and asked.in_visit, "asked right after the latest event"
    assert asked.days[0] == pytest.approx(8 - (40 - 20 * (len(asked) - 2)) * MINUTE, abs=1e-4)


@pytest.mark.parametrize(
    "nothing",
    [
        history_at([], []),
        history_at([1], [0]),
        history_at([1 + 31 * MINUTE, 1], [0, 1]),
        history_at([1 + MINUTE, 1], [0, 0]),
        history_at([1 + MINUTE, 1], [0, 1], [1, -1]),
        history_at([3 + MINUTE, 3], [0, 1]),
        history_at([1, 1, 1], [0, 1, 2]),
        history_at([1 + 50 * MINUTE, 1 + 25 * MINUTE, 1], [0, 0, 1], [1, -1, 1]),
    ],
    ids=["nobody", "one event", "a gap", "seen before", "taken back", "before those days", "an invoice", "a cancellation between"],
)
def test_who_took_up_nothing_in_a_visit_is_not_asked(nothing):
    (asked,), targets = cut(nothing)
    assert len(asked) == 0 and targets == [set()]
