"""What the rules on events promise: each refusal with its note, nothing lost, machines told from keen people."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from retrieval.behaviour.bots import FLOORS, limit, peaks, suspects
from retrieval.behaviour.cleaning import Known, clean, sorted_rows
from retrieval.behaviour.currencies import RatesError, load_rates, main_currencies
from retrieval.behaviour.trail import Trail
from tests.fakes import NOW
from tests.retrieval.behaviour.behaviourkit import KNOWN, PRODUCTS, SHOPPERS, bought, cleaned, event, rows, told


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"shopper_id": "stranger"}, "unknown_shopper"),
        ({"product_id": "nothing"}, "unknown_product"),
        ({"product_id": None}, "missing_product"),
        ({"at": NOW + timedelta(minutes=5, seconds=1)}, "in_the_future"),
        ({"at": datetime(1999, 12, 31, 23, 59, tzinfo=UTC)}, "before_2000"),
        ({"kind": "purchase", "value": -1.0}, "negative"),
        ({"kind": "purchase", "quantity": -1}, "negative"),
    ],
)
def test_an_impossible_row_is_refused_with_its_reason(changes, rule):
    sifted = cleaned(event(1), event(2, seconds=60) | changes)
    assert sifted.rows["event_id"].to_pylist() == ["e1"]
    assert told(sifted.notes) == [("e2", "refused", rule)]


def test_a_clock_five_minutes_fast_and_a_search_without_a_product_stay():
    sifted = cleaned(
        event(1, at=NOW + timedelta(minutes=5)), event(2, "search", None, text="coat"), event(3, at=datetime(2000, 1, 1, tzinfo=UTC))
    )
    assert (sifted.rows.num_rows, sifted.notes.num_rows) == (3, 0)


def test_a_row_with_two_faults_is_refused_once():
    sifted = cleaned(event(1, shopper_id="stranger", product_id="nothing", value=-1.0))
    assert told(sifted.notes) == [("e1", "refused", "unknown_shopper")]


def test_an_exact_copy_goes_and_so_does_another_row_with_a_taken_id():
    sifted = cleaned(event(1), event(1), event(1, "cart", "cream", 60))
    assert sifted.rows.num_rows == 1
    assert told(sifted.notes) == [("e1", "refused", "exact_duplicate"), ("e1", "refused", "repeated_event_id")]


def test_taps_within_two_seconds_are_one_event_and_later_ones_another():
    sifted = cleaned(*(event(number, seconds=at) for number, at in enumerate((0, 2, 4, 6.1))))
    assert sifted.rows["event_id"].to_pylist() == ["e0", "e3"]
    assert told(sifted.notes) == [("e1", "refused", "repeated_tap"), ("e2", "refused", "repeated_tap")]
    assert {note["event_id"]: (note["old"], note["new"]) for note in sifted.notes.to_pylist()} == {"e1": ("e1", "e0"), "e2": ("e2", "e1")}


@pytest.mark.parametrize(
    "changes", [{"product_id": "cream"}, {"kind": "cart"}, {"who": "bob"}, {"value": 2.0}, {"quantity": 2}, {"text": "x"}]
)
def test_another_thing_done_at_once_is_no_tap(changes):
    who = changes.pop("who", "ann")
    assert cleaned(event(1, value=1.0, quantity=1), event(2, who=who, value=1.0, quantity=1) | changes).rows.num_rows == 2


def test_values_are_standardised_and_told():
    sifted = cleaned(
        event(1, " Purchase", value=3.0, currency="usd "),
        event(2, "search", None, 60, text="  red \n coat "),
        event(3, "view", "cream", 90, value=float("nan")),
    )
    by_id = {row["event_id"]: row for row in sifted.rows.to_pylist()}
    assert (by_id["e1"]["kind"], by_id["e1"]["currency"], by_id["e2"]["text"], by_id["e3"]["value"]) == (
        "purchase",
        "USD",
        "red coat",
        None,
    )
    assert told(sifted.notes) == [(number, "changed", "standardised") for number in ("e1", "e1", "e2", "e3")]


def test_the_order_of_the_file_decides_nothing():
    events = [event(1), event(2, seconds=1), event(3, "cart", "cream", 1), event(1), event(4, who="bob"), bought(5, "coat", 3.0, 1)]
    first, second = cleaned(*events), cleaned(*events[::-1])
    assert first.rows.equals(second.rows)
    assert told(first.notes) == told(second.notes)


def test_rows_in_are_rows_kept_and_refused():
    events = [event(n % 7, seconds=n, product_id=("coat", "nothing", "cream")[n % 3]) for n in range(50)]
    sifted = cleaned(*events)
    refused = [note for note in sifted.notes.to_pylist() if note["action"] == "refused"]
    assert len(events) == sifted.rows.num_rows + len(refused)


def test_amounts_are_converted_only_with_a_rate():
    known = Known(PRODUCTS, SHOPPERS, NOW, {"USD": 0.8}, "GBP")
    sifted = cleaned(
        bought(1, "coat", 10.0), bought(2, "cream", 10.0, 60, currency="CNY"), bought(3, "oolong", 10.0, 90, currency="GBP"), known=known
    )
    assert [(row["value"], row["currency"]) for row in sifted.rows.to_pylist()] == [(8.0, "GBP"), (10.0, "CNY"), (10.0, "GBP")]
    assert told(sifted.notes) == [("e1", "changed", "converted"), ("e2", "kept", "no_rate")]
    assert told(cleaned(bought(1, "coat", 10.0)).notes) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [("base: GBP\n", "exactly the keys base and rates"), ("base: GBP\nrates: {USD: 0}\n", r"rates\.USD is 0"), (None, "no such file")],
)
def test_a_rates_file_that_cannot_be_used_says_why(tmp_path, text, message):
    if text:
        (tmp_path / "rates.yaml").write_text(text)
    with pytest.raises(RatesError, match=message):
        load_rates(tmp_path / "rates.yaml")


def test_the_main_currency_is_that_of_most_purchases():
    events = [bought(n, "coat", 1.0, n * 60, currency=c) for n, c in enumerate(("USD", "CNY", "CNY"))] + [bought(9, "coat", 1.0, who="bob")]
    events.append(event(10, "cancellation", "coat", 0, "cleo", currency="GBP", value=2.0))
    trail = Trail.of(sorted_rows(rows(*events)), PRODUCTS)
    money = main_currencies(trail.rows, trail.who, trail.shoppers)
    assert dict(zip(trail.shoppers.to_pylist(), money.main.to_pylist(), strict=True)) == {"ann": "CNY", "bob": "USD", "cleo": "GBP"}
    assert money.mixed == {"ann": "CNY 2, USD 1"}
    assert int((~money.in_main).sum()) == 1


def hammering(count: int, seconds_apart: float, who: str = "bob") -> list:
    return [event(1000 + n, product_id=PRODUCTS[n % 12].as_py(), seconds=n * seconds_apart, who=who) for n in range(count)]


def found_bots(events: list) -> dict[str, str]:
    busy = clean(rows(*events), KNOWN)[1]
    found = peaks(busy)
    return suspects(found, [limit(unit, found.histogram(unit)) for unit in ("minute", "day")])


def test_a_machine_is_told_by_its_minute_with_an_explanation():
    told_of = found_bots([event(1), event(2, who="cleo"), *hammering(61, 0.9)])
    assert list(told_of) == ["bob"]
    assert "61 events in the minute of 2026-01-10 10:00 UTC; limit 60, typical 1" in told_of["bob"]


def test_a_slow_machine_is_told_by_its_day():
    assert "1,001 events in the day of 2026-01-10" in found_bots([event(1), *hammering(1001, 40)])["bob"]


def test_sixty_events_in_a_minute_and_a_long_order_are_a_person():
    order = [bought(n, PRODUCTS[n % 12].as_py(), 1.0 + n, who="cleo") for n in range(300)]
    assert found_bots([event(9999), *hammering(60, 0.99), *order]) == {}


def test_hammering_on_one_page_shows_though_taps_are_folded():
    taps = [event(n, seconds=n * 0.5, who="bob") for n in range(100)]
    assert cleaned(*taps).rows.num_rows == 1
    assert list(found_bots([*taps, event(200), event(201, who="cleo")])) == ["bob"]


def test_a_lone_shopper_is_nobody_to_compare_with():
    assert found_bots([event(n, seconds=n * 0.5) for n in range(100)]) == {}


def test_where_everyone_is_busy_the_limit_rises_above_the_floor():
    busy = limit("minute", {30: 40, 40: 50, 60: 40, 80: 10})
    assert busy.most > FLOORS["minute"]
    assert limit("minute", {1: 1000, 2: 3}).most == FLOORS["minute"]
    assert limit("minute", {}).most == FLOORS["minute"]


def test_nobody_has_no_peaks():
    assert len(peaks(rows()).shoppers) == 0
    assert clean(rows(), KNOWN)[0].rows.equals(pa.table(rows()))
