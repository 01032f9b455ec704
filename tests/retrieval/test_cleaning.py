"""Each rule refuses or changes what it should, and the report lists the row, the rule, the old value and the new."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.retrieval.shopkit import catalogue, ingest, ingest_lines, refused, told, write_csv


def line(invoice="9", sku="A1", title="RED ENAMEL MUG", units="1", at="2024-03-05 10:00", price="4.50", customer="c1"):
    return [invoice, sku, title, units, at, price, customer]


@pytest.mark.parametrize(
    ("bad", "rule", "old"),
    [
        (line(sku=""), "missing_required", None),
        (line(units="six"), "unparsable", "six"),
        (line(price="4,5O"), "unparsable", "4,5O"),
        (line(at="31/02/2024"), "unparsable", "31/02/2024"),
        (line(price="0"), "not_positive", "0"),
        (line(price="-4.50"), "not_positive", "-4.5"),
        (line(sku="post"), "non_product", "POST"),
        (line(customer=""), "no_shopper", None),
        (line(sku="Z9", title=""), "missing_required", None),
    ],
)
def test_a_bad_line_is_refused_once_and_listed(tmp_path, bad, rule, old):
    report, tables = ingest_lines(tmp_path, [bad])
    listed = [entry for entry in told(report) if entry[1] == "refused" and entry[2] != "unknown_product"]
    assert [(entry[2], entry[3], entry[4]) for entry in listed if entry[2] == rule] == [(rule, 6, old)]
    assert len(listed) == 1
    assert len(tables["events"]) == 5
    assert {product["product_id"] for product in tables["products"]} == {"A1", "B2"}


def test_a_row_that_breaks_two_rules_is_refused_by_the_first(tmp_path):
    report, _ = ingest_lines(tmp_path, [line(sku="POST", price="0")])
    assert refused(report) == {"non_product": 1}


def test_the_same_line_twice_is_one_line(tmp_path):
    report, tables = ingest_lines(tmp_path, [line(), line(), line(units="2")])
    assert ("source lines", "refused", "exact_duplicate", 7, "same as row 6", None) in told(report)
    assert len(tables["events"]) == 7


def test_exact_duplicates_stay_where_the_mapping_keeps_them(tmp_path):
    report, tables = ingest_lines(tmp_path, [line(), line()], sources__lines__rules__exact_duplicates="keep")
    assert not refused(report)
    assert len(tables["events"]) == 7


def test_a_price_far_from_the_products_median_is_an_outlier(tmp_path):
    usual = [line(invoice=str(i)) for i in range(10, 20)]
    report, tables = ingest_lines(tmp_path, [*usual, line(price="649.50"), line(price="0.01"), line(sku="B2", price="649.50")])
    listed = [entry[2:] for entry in told(report) if entry[2] == "outlier"]
    assert listed == [("outlier", 16, "649.5", "median 4.5"), ("outlier", 17, "0.01", "median 4.5")]
    assert len(tables["events"]) == 5 + 10 + 1  # B2 has too few sales for a telling median


def test_an_absurd_quantity_is_an_outlier_with_its_cancellation(tmp_path):
    report, _ = ingest_lines(tmp_path, [line(units="80995"), line(invoice="C9", units="-80995")])
    assert refused(report) == {"outlier": 2}


def test_a_cancellation_is_matched_to_the_latest_purchase_with_units_left(tmp_path):
    report, tables = ingest_lines(
        tmp_path, [line(invoice="C6", units="-3"), line(invoice="C7", units="-6"), line(invoice="C8", customer="c9", units="-1")]
    )
    listed = [entry[2:] for entry in told(report) if entry[2].startswith("cancellation")]
    assert listed == [
        ("cancellation_matched", 6, "3", "3-3"),  # c1 bought 2, later 6: the 6 are drawn on first
        ("cancellation_unmatched", 7, "6", None),  # only 5 are left
        ("cancellation_unmatched", 8, "1", None),  # never bought
    ]
    cancelled = [event for event in tables["events"] if event["kind"] == "cancellation"]
    assert [(event["quantity"], event["value"]) for event in cancelled] == [(3, 13.5), (6, 27.0), (1, 4.5)]


def test_a_purchase_of_less_than_one_unit_is_refused(tmp_path):
    report, _ = ingest_lines(tmp_path, [line(units="-2")])
    assert refused(report) == {"not_positive": 1}


def test_an_event_of_a_product_that_was_never_sold_is_refused(tmp_path):
    report, _ = ingest_lines(tmp_path, [line(invoice="C9", sku="Q7", units="-1")])
    assert refused(report) == {"unknown_product": 1}


def test_a_product_is_its_commonest_title_and_the_median_of_its_last_prices(tmp_path):
    old = [line(at="2023-01-01 10:00", price="1.00", invoice=str(i)) for i in range(20, 30)]
    _, tables = ingest_lines(tmp_path, [*old, line(title="damaged", price="4.60")])
    mug = next(product for product in tables["products"] if product["product_id"] == "A1")
    assert (mug["title"], mug["name"], mug["price"]) == ("Red Enamel Mug", "Red Enamel Mug", Decimal("4.50"))


def test_price_history_has_each_days_commonest_price_where_it_changed(tmp_path):
    _, tables = ingest_lines(
        tmp_path, [line(price="4.20", at="2024-03-03 12:00"), line(price="9.00", at="2024-03-03 13:00"), line(price="4.20")]
    )
    mug = [(row["price"], row["at"]) for row in tables["price_history"] if row["product_id"] == "A1"]
    assert mug == [
        (Decimal("4.50"), datetime(2024, 3, 1, 10, tzinfo=UTC)),
        (Decimal("4.20"), datetime(2024, 3, 3, 10, tzinfo=UTC)),
    ]


def products(folder, rows, columns, **source):
    write_csv(folder / "products.csv", [list(rows[0]), *([str(value) for value in row.values()] for row in rows)])
    return ingest(folder, catalogue(columns, **source))


DOUBTFUL = [
    {
        "id": "1",
        "title": "Red bag (Pack of 2)",
        "price": "10.005",
        "list": "9",
        "stars": "4.5",
        "count": "3",
        "stock": "-2",
        "v": "fashion",
        "k": "bags",
    },
    {
        "id": "2",
        "title": "Oak shelf",
        "price": "0.001",
        "list": "20",
        "stars": "7",
        "count": "-1",
        "stock": "4",
        "v": "garden",
        "k": "bags",
    },
    {
        "id": "3",
        "title": "Lamp",
        "price": "",
        "list": "8",
        "stars": "",
        "count": "x",
        "stock": "99999999999",
        "v": "home",
        "k": "shoes",
    },
    {"id": "3", "title": "Lamp again", "price": "5", "list": "", "stars": "", "count": "", "stock": "", "v": "", "k": ""},
]
"""Products of which nearly every column holds something that can't stand."""
DOUBTFUL_COLUMNS = {
    "price": "price",
    "list_price": "list",
    "currency": {"constant": "GBP"},
    "rating": "stars",
    "rating_count": "count",
    "stock": "stock",
    "vertical": "v",
    "kind": "k",
}


def test_product_columns_are_checked_and_every_change_is_listed(tmp_path):
    report, tables = products(tmp_path, DOUBTFUL, DOUBTFUL_COLUMNS)
    assert {(rule, row, old, new) for _, _, rule, row, old, new in told(report)} == {
        ("name_shortened", 1, "Red bag (Pack of 2)", "Red bag"),
        ("rounded", 1, "10.005", "10.01"),
        ("list_price_not_above_price", 1, "9", None),
        ("negative", 1, "-2", None),
        ("rounded", 2, "0.001", "0"),
        ("not_positive", 2, "0", None),
        ("no_price", 2, None, None),
        ("list_price_not_above_price", 2, "20", None),
        ("rating_out_of_range", 2, "7", None),
        ("negative", 2, "-1", None),
        ("unknown_vertical", 2, "garden", "general"),
        ("unknown_kind", 2, "bags", None),
        ("no_price", 3, None, None),
        ("list_price_not_above_price", 3, "8", None),
        ("unparsable", 3, "x", None),
        ("out_of_range", 3, "99999999999", None),
        ("unknown_kind", 3, "shoes", None),
        ("duplicate_key", 4, "3", None),
    }
    assert [(row["product_id"], row["price"], row["currency"]) for row in tables["products"]] == [
        ("1", Decimal("10.01"), "GBP"),
        ("2", None, None),
        ("3", None, None),
    ]


def test_long_attributes_are_left_out_and_named(tmp_path):
    columns = {"attributes": {"entries": {"care": "care", "color": "colour"}}}
    report, tables = products(tmp_path, [{"id": "1", "title": "Mug", "care": "wash " * 60, "colour": "red"}], columns)
    assert told(report) == [("products", "changed", "attribute_too_long", 1, "care", None)]
    assert tables["products"][0]["attributes"] == [("color", "red")]


def test_units_bring_cents_and_ten_point_ratings_to_ours(tmp_path):
    write_csv(tmp_path / "products.csv", [["id", "title", "cents", "stars"], ["1", "Mug", "1299", "9"]])
    given = catalogue({"price": "cents", "rating": "stars"})
    given["tables"]["products"]["units"] = {"price": "minor", "rating": "out_of_10"}
    _, tables = ingest(tmp_path, given)
    assert (tables["products"][0]["price"], tables["products"][0]["rating"]) == (Decimal("12.99"), 4.5)


def test_an_offer_needs_a_known_kind_and_its_dates(tmp_path):
    offer = {"kind": "kind", "value": "value", "starts": "starts", "ends": "ends"}
    rows = [
        {"id": "1", "title": "Mug", "kind": "percent_off", "value": "20", "starts": "2024-01-01", "ends": "2024-01-31"},
        {"id": "2", "title": "Cup", "kind": "half_price", "value": "50", "starts": "2024-01-01", "ends": "2024-01-31"},
        {"id": "3", "title": "Jug", "kind": "gift", "value": "", "starts": "2024-01-01", "ends": "soon"},
        {"id": "4", "title": "Pan", "kind": "", "value": "", "starts": "", "ends": ""},
    ]
    report, tables = products(tmp_path, rows, {"offer": {"entries": offer}})
    assert [row["offer"] and row["offer"]["value"] for row in tables["products"]] == [Decimal("20.00"), None, None, None]
    assert sorted((rule, row) for _, _, rule, row, _, _ in told(report)) == [
        ("incomplete_offer", 2),
        ("incomplete_offer", 3),
        ("unparsable", 3),
    ]
