"""What goes with a product: rules of the shop's own baskets first, likeness where there are none, and only what can be sold beside it."""

import pyarrow as pa
import pytest

from retrieval import schemas, tables
from retrieval.build import build_index
from retrieval.catalogue import Catalogue
from retrieval.recommend import Recommender
from retrieval.together import Together
from tests.fakes import NOW, make_shop

RULES = (("longjing", "speaker", 9.0), ("longjing", "beans", 3.0), ("longjing", "oolong", 2.0))


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = make_shop(tmp_path_factory.mktemp("together"))
    shares = {"count": 9, "support": 0.1, "confidence": 0.5, "leverage": 0.05}
    rows = [{"antecedents": [one], "consequent": other, "lift": lift, **shares} for one, other, lift in RULES]
    tables.write(shop, "associations", pa.Table.from_pylist(rows, schema=schemas.ASSOCIATIONS))
    build_index(shop, shop / "index", now=NOW, quiet=True)
    return shop, Recommender(shop, shop / "index")


def test_the_strongest_rule_whose_product_is_in_stock_wins(shop):
    directory, recommender = shop
    product = recommender.catalogue.product("longjing", "zh-CN")
    assert Together(directory).other(product, "zh-CN", recommender).product_id == "beans"  # the speaker is sold out
    assert Together(directory).other(product, "zh-CN", recommender, frozenset({"beans"})).product_id == "oolong"


def test_without_rules_it_is_what_is_most_alike(shop, tmp_path):
    _, recommender = shop
    product = recommender.catalogue.product("longjing", "en-US")
    other = Together(tmp_path).other(product, "en-US", recommender)
    assert other.product_id in {"oolong", "puer"} and other.currency == product.currency


def test_a_catalogue_knows_the_prices_of_each_row(tmp_path):
    shop = make_shop(tmp_path)
    row = {"product_id": "coat", "locale": "zh-CN", "currency": "CNY"}
    points = [{**row, "price": price, "at": NOW.replace(day=day)} for price, day in ((120, 9), (100, 3))]
    foreign = {**points[0], "currency": "USD"}
    tables.write(shop, "price_history", pa.Table.from_pylist([*points, foreign], schema=schemas.PRICE_HISTORY))
    catalogue = Catalogue.read(shop)
    assert [int(point.price) for point in catalogue.product("coat", "zh-CN").price_history] == [100, 120]
    assert catalogue.product("coat", "en-US").price_history == ()
