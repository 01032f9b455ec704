"""What `retrieval/catalogue.py` promises, one behaviour a test."""

from decimal import Decimal

import numpy as np
import pytest

from retrieval import tables
from retrieval.catalogue import Catalogue, Filters
from tests.fakes import make_product, make_shop, percent_off, product_rows, shelf


@pytest.fixture
def catalogue(tmp_path) -> Catalogue:
    return Catalogue.read(make_shop(tmp_path))


def make_catalogue(tmp_path, *products) -> Catalogue:
    return Catalogue(product_rows(products), tmp_path)


def allowed(catalogue: Catalogue, filters: Filters, locale: str = "en-US") -> set[str]:
    return {product_id for product_id, yes in zip(catalogue.product_ids, catalogue.allowed(filters, locale), strict=True) if yes}


def test_a_product_comes_back_whole(tmp_path):
    product = make_product(offer=percent_off(20), rating=4.5, rating_count=30, category=("a", "b"), images=("media/coat.jpg",))
    assert make_catalogue(tmp_path, product).product("coat", "zh-CN") == product


def test_a_product_has_one_row_in_the_index_for_all_its_locales(catalogue):
    assert catalogue.product_ids == tuple(dict.fromkeys(product.product_id for product in shelf()))


@pytest.mark.parametrize(("asked", "given"), [("zh-CN", "zh-CN"), ("en-US", "en-US"), ("en-GB", "en-US"), ("fr-FR", "zh-CN")])
def test_a_locale_that_is_missing_falls_back_to_its_language_then_to_any(catalogue, asked, given):
    assert catalogue.product("coat", asked).locale == given


def test_an_unknown_product_is_an_error_and_not_contained(catalogue):
    assert "coat" in catalogue
    assert "yacht" not in catalogue
    with pytest.raises(KeyError, match="yacht"):
        catalogue.product("yacht", "en-US")


def test_an_empty_catalogue_is_refused(tmp_path):
    with pytest.raises(tables.TableError, match=r"products\.parquet: the catalogue is empty; ingest at least one product"):
        Catalogue.read(make_shop(tmp_path, products=[]))


def test_the_document_of_a_product_holds_every_language(catalogue):
    document = catalogue.document("longjing")
    assert all(words in document for words in ("明前龙井绿茶", "Longjing green tea", "杭州绿茶", "pan-fired", "food"))


def test_names_count_twice_in_a_document_and_what_locales_share_once(catalogue):
    document = catalogue.document("longjing")
    product = catalogue.product("longjing", "en-US")
    assert document.count(product.title) == 2
    assert product.description is not None and document.count(product.description) == 1


def test_kind_or_else_vertical(tmp_path):
    catalogue = make_catalogue(tmp_path, make_product("a"), make_product("b", kind=None))
    assert (catalogue.kind_of("a"), catalogue.kind_of("b")) == ("outerwear", "fashion")


def test_rows_of_known_products_only(catalogue):
    assert list(catalogue.rows_of(["jacket", "yacht", "coat"])) == [1, 0]
    assert catalogue.rows_of([]).dtype == np.int64


def test_what_is_sold_out_is_not_recommended_unless_asked_for(catalogue):
    assert "speaker" not in allowed(catalogue, Filters())
    assert "speaker" in allowed(catalogue, Filters(in_stock=False))


def test_unknown_stock_counts_as_there(tmp_path):
    assert allowed(make_catalogue(tmp_path, make_product(stock=None)), Filters()) == {"coat"}


def test_filters_combine(catalogue):
    tea = Filters(verticals=("food",), exclude=frozenset({"beans", "yacht"}))
    assert allowed(catalogue, tea) == {"longjing", "oolong", "puer"}
    assert allowed(catalogue, Filters(verticals=("food",), min_price=67)) == {"oolong", "puer", "beans"}


@pytest.mark.parametrize(("locale", "expected"), [("zh-CN", {"coat", "jacket"}), ("en-US", {"coat", "jacket", "jumper"})])
def test_prices_are_compared_inclusively_in_the_rows_own_currency(catalogue, locale, expected):
    top = 110 if locale == "zh-CN" else 60
    assert allowed(catalogue, Filters(max_price=top), locale) == expected


def test_without_a_price_no_price_filter_is_passed(tmp_path):
    catalogue = make_catalogue(tmp_path, make_product(price=None, currency=None), make_product("cape", price=Decimal(9)))
    assert allowed(catalogue, Filters(), "zh-CN") == {"coat", "cape"}
    assert allowed(catalogue, Filters(min_price=1), "zh-CN") == allowed(catalogue, Filters(max_price=10), "zh-CN") == {"cape"}


def test_the_level_of_a_price_is_its_rank_within_its_kind_in_its_locale(tmp_path):
    priced = [("coat", 30), ("cape", 10), ("shawl", 20), ("scarf", 20), ("mystery", None)]
    ours = [make_product(name, price=None if price is None else Decimal(price)) for name, price in priced]
    others = [make_product("tea", kind=None, vertical="food", price=Decimal(5)), make_product("coat", "en-US", price=Decimal(1))]
    catalogue = make_catalogue(tmp_path, *ours, *others)
    levels = {name: catalogue.price_level(catalogue.product(name, "zh-CN")) for name in catalogue.product_ids}
    assert levels == {"coat": 1.0, "cape": 0.0, "shawl": 1 / 3, "scarf": 1 / 3, "mystery": None, "tea": 0.0}
    assert catalogue.price_level(catalogue.product("coat", "en-US")) == 0.0
    assert catalogue.vertical_of("tea") == "food"


def test_prices_are_bounded_in_the_currency_of_the_market(tmp_path):
    rows = [
        make_product("coat", "zh-CN", price=Decimal(90), currency="CNY"),
        make_product("cape", "en-US", price=Decimal(90), currency="USD"),
        make_product("shawl", "en-GB", price=Decimal(10), currency="GBP"),
    ]
    catalogue = make_catalogue(tmp_path, *rows)
    cheap = Filters(max_price=92)
    assert [allowed(catalogue, cheap, locale) for locale in ("zh-CN", "en-US", "en-GB", "en")] == [{"coat"}, {"cape"}, {"shawl"}, set()]
    assert allowed(catalogue, Filters(min_price=1, currency="CNY"), "en-US") == {"coat"}


def test_kinds_and_steps_of_the_category_path_are_filters(tmp_path):
    rows = [
        make_product("coat", kind="outerwear", category=("Clothes", "Coats")),
        make_product("scarf", kind=None, category=("Clothes", "Scarves")),
    ]
    catalogue = make_catalogue(tmp_path, *rows)
    assert allowed(catalogue, Filters(kinds=("outerwear",))) == {"coat"}
    assert allowed(catalogue, Filters(categories=("Scarves", "Hats"))) == {"scarf"}
    assert allowed(catalogue, Filters(categories=("Clothes",))) == {"coat", "scarf"}
    assert allowed(catalogue, Filters(categories=("Shoes",))) == set()
