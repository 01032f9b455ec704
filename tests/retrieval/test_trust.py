"""What a shop must be able to trust: consent, offers, currencies, locales and times that can't be right are mended or left out, noted."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.retrieval.shopkit import catalogue, ingest, refused, told, write_csv

SHOPPER = {"shopper_id": "who", "consent": "ok", "locale": {"constant": "en-GB"}}


def shoppers(folder, rows: list[list[str]], **table: Any):
    write_csv(folder / "products.csv", [["id", "title"], ["1", "Mug"]])
    write_csv(folder / "people.csv", [["who", "ok", "until", "city"], *rows])
    given = catalogue({})
    given["sources"]["people"] = {"path": "people.csv"}
    given["tables"]["shoppers"] = {"source": "people", "columns": SHOPPER | {"consent_until": "until"}} | table
    report, made = ingest(folder, given)
    return [entry[1:] for entry in told(report)], {row["shopper_id"]: (row["consent"], row["consent_until"]) for row in made["shoppers"]}


def test_one_no_among_a_shoppers_rows_is_a_no(tmp_path):
    listed, made = shoppers(
        tmp_path, [["a", "yes", "", "x"], ["a", "yes", "", "y"], ["a", "no", "", "z"], ["b", "no", "", ""], ["b", "1", "", ""]]
    )
    assert made == {"a": (False, None), "b": (False, None)}
    assert sorted(listed, key=lambda entry: entry[2]) == [
        ("changed", "consent_conflict", 1, "true", "false"),
        ("refused", "consent_conflict", 2, "true", "false"),
        ("refused", "duplicate_key", 3, "a", None),
        ("refused", "consent_conflict", 5, "true", "false"),
    ]


def test_folded_rows_agree_on_the_strictest_consent(tmp_path):
    rows = [
        ["a", "yes", "2030-05-01", "x"],
        ["a", "yes", "2029-05-01", "x"],
        ["b", "yes", "", "y"],
        ["b", "no", "", "y"],
        ["c", "yes", "", ""],
    ]
    listed, made = shoppers(tmp_path, rows, one_per=["who"], combine={"city": "most_common"})
    assert made == {"a": (True, datetime(2029, 5, 1, tzinfo=UTC)), "b": (False, None), "c": (True, None)}
    assert [entry[:3] for entry in listed] == [("changed", "consent_conflict", 3), ("changed", "consent_conflict", 1)]


def test_a_mapping_may_say_which_row_of_a_consent_log_counts(tmp_path):
    rows = [["a", "no", "", ""], ["a", "yes", "", ""]]
    assert shoppers(tmp_path, rows, one_per=["who"], combine={"ok": "last"}) == ([], {"a": (True, None)})


def test_a_consent_that_can_not_be_read_is_none(tmp_path):
    rows = [["a", "yes", "", ""], ["a", "perhaps", "", ""], ["b", "yes", "soon", ""]]
    _, made = shoppers(tmp_path, rows, one_per=["who"])
    assert made == {"a": (False, None), "b": (False, None)}


def test_consent_of_two_sources_is_that_of_the_stricter(tmp_path):
    write_csv(tmp_path / "products.csv", [["id", "title"], ["1", "Mug"]])
    for name, answer in (("shop", "yes"), ("app", "no")):
        write_csv(tmp_path / f"{name}.csv", [["who", "ok"], ["a", answer]])
    given = catalogue({})
    given["sources"] |= {name: {"path": f"{name}.csv"} for name in ("shop", "app")}
    given["tables"]["shoppers"] = [{"source": name, "columns": SHOPPER, "one_per": ["who"]} for name in ("shop", "app")]
    _, made = ingest(tmp_path, given)
    assert [row["consent"] for row in made["shoppers"]] == [False]


OFFER = {"kind": "kind", "value": "value", "gift": "gift", "starts": "starts", "ends": "ends"}


@pytest.mark.parametrize(
    ("kind", "value", "gift", "ends", "rule"),
    [
        ("percent_off", "20", "", "2024-01-31", None),
        ("amount_off", "3.99", "", "2024-01-31", None),
        ("gift", "", "a spoon", "2024-01-31", None),
        ("percent_off", "150", "", "2024-01-31", "offer_out_of_range"),
        ("percent_off", "100", "", "2024-01-31", "offer_out_of_range"),
        ("percent_off", "-10", "", "2024-01-31", "offer_out_of_range"),
        ("amount_off", "4", "", "2024-01-31", "offer_out_of_range"),
        ("amount_off", "0", "", "2024-01-31", "offer_out_of_range"),
        ("percent_off", "", "", "2024-01-31", "incomplete_offer"),
        ("gift", "5", "", "2024-01-31", "incomplete_offer"),
        ("percent_off", "20", "", "2023-12-31", "offer_ends_before_start"),
    ],
)
def test_an_offer_gives_something_off_and_not_everything(tmp_path, kind, value, gift, ends, rule):
    row = ["1", "Mug", "4", kind, value, gift, "2024-01-01", ends]
    write_csv(tmp_path / "products.csv", [["id", "title", "price", "kind", "value", "gift", "starts", "ends"], row])
    report, made = ingest(tmp_path, catalogue({"price": "price", "currency": {"constant": "GBP"}, "offer": {"entries": OFFER}}))
    assert (made["products"][0]["offer"] is None) == (rule is not None)
    assert [entry[1:4] for entry in told(report)] == ([("changed", rule, 1)] if rule else [])


def test_an_amount_off_needs_a_price_to_come_off(tmp_path):
    row = ["1", "Mug", "amount_off", "2", "", "2024-01-01", "2024-02-01"]
    write_csv(tmp_path / "products.csv", [["id", "title", "kind", "value", "gift", "starts", "ends"], row])
    report, made = ingest(tmp_path, catalogue({"offer": {"entries": OFFER}}))
    assert made["products"][0]["offer"] is None
    assert [entry[2] for entry in told(report)] == ["offer_out_of_range"]


def test_a_currency_is_an_iso_code_in_capitals_or_takes_the_price_along(tmp_path):
    rows = [["1", "Mug", "3", "5", "£"], ["2", "Cup", "4", "", "gbp"], ["3", "Jug", "5", "", "RMB"], ["4", "Pan", "6", "", ""]]
    write_csv(tmp_path / "products.csv", [["id", "title", "price", "list", "money"], *rows])
    report, made = ingest(tmp_path, catalogue({"price": "price", "list_price": "list", "currency": "money"}))
    assert [(row["price"], row["list_price"], row["currency"]) for row in made["products"]] == [
        (None, None, None),
        (Decimal("4.00"), None, "GBP"),
        (None, None, None),
        (Decimal("6.00"), None, None),
    ]
    listed = [entry[2:] for entry in told(report)]
    assert {("unknown_currency", 1, "£", None), ("unknown_currency", 1, "3", None), ("unknown_currency", 3, "RMB", None)} <= set(listed)
    assert ("currency_normalised", 2, "gbp", "GBP") in listed
    assert ("no_currency", 4, "6", None) in listed


def test_a_locale_is_a_language_and_a_country(tmp_path):
    write_csv(
        tmp_path / "products.csv", [["id", "title", "where"], ["1", "Lamp", "english"], ["2", "Chair", "zh_CN"], ["3", "Rug", "en-gb"]]
    )
    report, made = ingest(tmp_path, catalogue({"locale": "where"}))
    assert [row["locale"] for row in made["products"]] == ["zh-CN", "en-GB"]
    assert sorted(entry[1:] for entry in told(report)) == [
        ("changed", "locale_normalised", 2, "zh_CN", "zh-CN"),
        ("changed", "locale_normalised", 3, "en-gb", "en-GB"),
        ("refused", "unknown_locale", 1, "english", None),
    ]


EVENT = {"event_id": "id", "shopper_id": "who", "product_id": "what", "value": "value", "currency": "money", "at": "at"}


def events(folder, rows: list[list[str]], *, views: list[list[str]] | None = None):
    write_csv(folder / "products.csv", [["id", "title"], ["1", "Mug"]])
    write_csv(folder / "people.csv", [["who"], ["a"]])
    write_csv(folder / "orders.csv", [["id", "who", "what", "value", "money", "at"], *rows])
    write_csv(folder / "views.csv", [["id", "who", "what", "at"], *(views or [])])
    given = catalogue({})
    given["sources"] |= {name: {"path": f"{name}.csv"} for name in ("people", "orders", "views")}
    consenting = {"shopper_id": "who", "consent": {"constant": True}, "locale": {"constant": "en-GB"}}
    given["tables"]["shoppers"] = {"source": "people", "columns": consenting}
    seen = {name: EVENT[name] for name in ("event_id", "shopper_id", "product_id", "at")}
    given["tables"]["events"] = [
        {
            "source": "orders",
            "columns": EVENT | {"kind": {"constant": "purchase"}},
            "cancellations": {"when": {"column": "id", "matches": "^C"}},
        },
        {"source": "views", "columns": seen | {"kind": {"constant": "view"}}},
    ]
    return ingest(folder, given)


def test_events_of_a_source_without_cancellations_stay_beside_one_with_them(tmp_path):
    orders = [["1", "a", "1", "4", "GBP", "2024-01-01"], ["C2", "a", "1", "-4", "GBP", "2024-01-02"]]
    report, made = events(tmp_path, orders, views=[["v1", "a", "1", "2024-01-03"]])
    assert not refused(report)
    assert [row["kind"] for row in made["events"]] == ["purchase", "cancellation", "view"]


def test_events_to_come_and_purchases_below_nothing_are_refused(tmp_path):
    rows = [
        ["1", "a", "1", "4", "GBP", "2099-01-01"],
        ["2", "a", "1", "-4", "GBP", "2024-01-01"],
        ["3", "a", "1", "4", "gbp", "2024-01-01"],
    ]
    report, made = events(tmp_path, rows)
    assert [(row["event_id"], row["currency"]) for row in made["events"]] == [("3", "GBP")]
    assert refused(report) == {"future_event": 1, "negative": 1}


def test_the_value_of_an_event_in_no_known_currency_is_left_empty(tmp_path):
    report, made = events(tmp_path, [["1", "a", "1", "4", "quid", "2024-01-01"]])
    assert [(row["value"], row["currency"]) for row in made["events"]] == [(None, None)]
    assert ("events", "changed", "unknown_currency", 1, "quid", None) in told(report)


def test_a_price_in_history_of_no_known_currency_is_refused(tmp_path):
    write_csv(tmp_path / "products.csv", [["id", "title"], ["1", "Mug"]])
    given = catalogue({})
    columns = {"product_id": "id", "price": {"constant": 4}, "currency": {"constant": "quid"}, "at": {"constant": "2024-01-01"}}
    given["tables"]["price_history"] = {"source": "products", "columns": columns | {"locale": {"constant": "en_gb"}}}
    report, made = ingest(tmp_path, given)
    assert not made["price_history"]
    assert refused(report) == {"unknown_currency": 1}
