"""What `demo/market.py` puts into the sample shop, one behaviour a test."""

import datetime
from pathlib import Path

import pytest

from copywriting.taxonomy import VERTICALS
from demo.market import table
from demo.merchandise import CURRENCIES, load
from retrieval import tables
from retrieval.market import MarketCalendar, rows_of
from tests.demo.conftest import TODAY

LOCALES = tuple(CURRENCIES)


def test_the_shop_has_a_table_that_retrieval_reads(shop: Path):
    assert tables.read(shop, "market").equals(table(TODAY, LOCALES))
    assert len(MarketCalendar.read(shop)) == table(TODAY, LOCALES).num_rows


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("today", [TODAY, datetime.date(2028, 2, 29), datetime.date(2026, 12, 30)])
def test_competitors_promote_on_every_day_in_every_market(today: datetime.date, locale: str):
    near = MarketCalendar(rows_of(table(today, LOCALES), Path("table"))).near(today, locale)
    assert {row.kind for row in near} == {"competitor_promotion"}


def test_categories_are_those_of_the_shop():
    known = {*VERTICALS, *(kind for kinds in VERTICALS.values() for kind in kinds)}
    assert {row["category"] for row in table(TODAY, LOCALES).to_pylist()} - {None} <= known


def test_no_competitor_is_a_brand_of_the_shop():
    brands = {name for product in load().products for name in product.brand}
    assert brands.isdisjoint(table(TODAY, LOCALES)["competitor"].to_pylist())
