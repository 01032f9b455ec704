"""The sample shop's catalogue: complete in both languages, lawful in its prices, the same from the same seed."""

import datetime
import itertools
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from copywriting.taxonomy import VERTICALS
from demo import merchandise
from demo.merchandise import CATALOGUE, CURRENCIES, MerchandiseError
from demo.pricing import price_at
from demo.shop import Listing, build, listed
from retrieval import schemas, tables
from tests.demo.conftest import TODAY, blank

NOW = datetime.datetime.combine(TODAY, datetime.time(12, tzinfo=datetime.UTC))
TABLES = ("products", "price_history", "shoppers", "events")
HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def products(shop: Path) -> list[dict]:
    return tables.read(shop, "products").to_pylist(maps_as_pydicts="strict")


@pytest.fixture(scope="module")
def english(products: list[dict]) -> dict[str, dict]:
    return {row["product_id"]: row for row in products if row["locale"] == "en-US"}


def test_every_table_has_exactly_its_schema(shop: Path):
    for name in TABLES:
        assert tables.read(shop, name).schema.equals(schemas.SCHEMAS[name]), name


def test_the_same_seed_and_day_give_the_same_bytes(tmp_path: Path):
    for copy in ("one", "two"):
        build(tmp_path / copy, today=TODAY, render=blank, num_shoppers=40)
    for name in TABLES:
        one, two = (tables.path_of(tmp_path / copy, name).read_bytes() for copy in ("one", "two"))
        assert one == two, name


def test_another_seed_gives_another_shop(tmp_path: Path):
    for seed in (1, 2):
        build(tmp_path / str(seed), seed, TODAY, blank, num_shoppers=40)
    for name in TABLES:
        one, two = (tables.path_of(tmp_path / str(seed), name).read_bytes() for seed in (1, 2))
        assert one != two, name


def test_every_kind_sells_four_products_in_three_markets(products: list[dict]):
    counts = Counter((row["vertical"], row["kind"], row["locale"]) for row in products)
    assert counts == {(v, kind, locale): 4 for v, kinds in VERTICALS.items() for kind in kinds for locale in CURRENCIES}
    assert len({row["product_id"] for row in products}) == 240


def test_rows_are_written_in_their_markets_language(products: list[dict]):
    for row in products:
        texts = [row["title"], row["name"], row["brand"], row["description"], *row["category"], *row["certificates"]]
        texts += row["attributes"].values()
        texts += [row["offer"]["gift"]] if row["offer"] and row["offer"]["gift"] else []
        assert all(texts), row["product_id"]
        if row["locale"] == "zh-CN":
            assert HAN.search(row["name"]) and HAN.search(row["title"]) and HAN.search(row["attributes"]["feature"])
        else:
            assert not [text for text in texts if HAN.search(text)], row["product_id"]


def test_names_are_short_and_unique_in_each_language(products: list[dict]):
    for locale, longest in (("zh-CN", 10), ("en-US", 26)):
        names = [row["name"] for row in products if row["locale"] == locale]
        assert len(set(names)) == 240
        assert max(map(len, names)) <= longest


def test_a_brand_has_one_chinese_form_and_stays_in_one_vertical(products: list[dict], english: dict[str, dict]):
    forms = {(english[row["product_id"]]["brand"], row["brand"], row["vertical"]) for row in products if row["locale"] == "zh-CN"}
    assert len(forms) == len({form[0] for form in forms}) == len({form[1] for form in forms})
    assert set(Counter(form[2] for form in forms).values()) <= {4, 5, 6}


def test_titles_begin_with_the_brand_except_for_books(products: list[dict]):
    for row in products:
        if row["vertical"] != "books":
            begin = row["brand"][:2] if row["locale"] == "zh-CN" else row["brand"].split()[0]
            assert row["title"].startswith(begin), row["title"]
        elif row["locale"] == "zh-CN":
            assert re.fullmatch("《.+》", row["name"])


def test_selling_points_hold_no_digits_and_fit_their_slots(products: list[dict]):
    for row in products:
        for key in ("feature", "feature_2"):
            point = row["attributes"][key]
            assert not re.search(r"\d", point), point
            assert len(point) <= (14 if row["locale"] == "zh-CN" else 48), point


def test_fashion_sells_a_down_jacket(products: list[dict]):
    assert any("羽绒服" in row["name"] for row in products if row["kind"] == "outerwear")


def test_two_fifths_of_products_have_an_offer_that_runs_today(english: dict[str, dict]):
    offers = [row["offer"] for row in english.values() if row["offer"]]
    running = [offer for offer in offers if offer["starts"] <= NOW <= offer["ends"]]
    assert len(running) == 96
    assert all(datetime.timedelta(days=2) <= offer["ends"] - NOW + datetime.timedelta(days=1) for offer in running)
    assert all(offer["ends"] - NOW <= datetime.timedelta(days=41) for offer in running)
    assert {offer["kind"] for offer in running} == {"percent_off", "amount_off", "gift", "spend_save", "buy_get"}
    assert sum(offer["starts"] > NOW for offer in offers) == 12
    assert sum(offer["ends"] < NOW for offer in offers) == 12


def test_offers_leave_most_of_the_price_and_name_their_gift(products: list[dict]):
    for row in products:
        if not (offer := row["offer"]):
            continue
        if offer["kind"] == "gift":
            assert offer["gift"] and offer["value"] is None
        elif offer["kind"] == "buy_get":
            assert (offer["buy"], offer["free"]) == (2, 1)
        elif offer["kind"] == "spend_save":
            assert row["price"] <= offer["minimum"] and 0.02 < offer["value"] / offer["minimum"] <= 0.16
        else:
            taken = offer["value"] / 100 if offer["kind"] == "percent_off" else offer["value"] / row["price"]
            assert Decimal("0.05") <= taken <= Decimal("0.4"), row["product_id"]


def test_savings_funds_and_pensions_are_never_discounted(products: list[dict]):
    for row in products:
        if row["kind"] in ("savings", "funds", "pensions"):
            assert row["list_price"] is None
            assert not row["offer"] or row["offer"]["kind"] == "gift"


def test_stock_is_low_for_some_out_for_few_and_unknown_where_nothing_runs_out(english: dict[str, dict]):
    stock = {product_id: row["stock"] for product_id, row in english.items()}
    assert {product_id for product_id, units in stock.items() if units is None} == {p for p in stock if p.startswith("finance-")}
    assert sum(units == 0 for units in stock.values()) == 5
    assert sum(units in range(2, 16) for units in stock.values() if units) == 44
    assert all(row["rating_count"] >= 8 and 3.2 <= round(row["rating"], 1) <= 4.9 for row in english.values())


def test_the_last_price_in_the_history_is_the_present_price(shop: Path, products: list[dict]):
    history = tables.read(shop, "price_history").to_pylist()
    rows = {(row["product_id"], row["locale"]): row for row in products}
    points: dict[tuple[str, str], list[dict]] = {}
    for point in history:
        points.setdefault((point["product_id"], point["locale"]), []).append(point)
    assert points.keys() == rows.keys()
    for key, known in points.items():
        assert known[-1]["price"] == rows[key]["price"] and known[-1]["currency"] == rows[key]["currency"], key
        assert known[0]["at"] <= NOW - datetime.timedelta(days=90)
        assert [point["at"] for point in known] == sorted({point["at"] for point in known})
        assert known[-1]["at"] <= NOW and len(known) >= 4
        assert all(one["price"] != two["price"] for one, two in itertools.pairwise(known)), key


def test_a_list_price_was_charged_for_thirty_days_before_the_present_price(shop: Path, products: list[dict]):
    history = tables.read(shop, "price_history").to_pylist()
    listed = {(row["product_id"], row["locale"]): row for row in products if row["list_price"]}
    assert len(listed) >= 150
    for key, row in listed.items():
        *_, before, now = [point for point in history if (point["product_id"], point["locale"]) == key]
        assert before["price"] == row["list_price"] > row["price"]
        assert now["at"] - before["at"] >= datetime.timedelta(days=30)


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_a_discount_is_taken_from_the_lowest_price_of_the_thirty_days_before_the_offer_began(seed: int):
    discounted = [listing for listing in listed(merchandise.load(), seed, TODAY) if listing.offer and listing.offer.lowers_price]
    assert len(discounted) > 60
    for listing, currency in itertools.product(discounted, CURRENCIES.values()):
        assert listing.offer
        starts, ends = listing.offer.starts, min(listing.offer.ends, NOW)
        while_it_runs = charged(listing, currency, starts, max(ends, starts))
        before = charged(listing, currency, starts - datetime.timedelta(days=30), starts)
        assert min(before) >= max(while_it_runs), (listing.product.product_id, currency)
        assert set(while_it_runs) == {listing.product.prices[currency]}, "the price that copy names is the one that the offer began with"


def charged(listing: Listing, currency: str, first: datetime.datetime, last: datetime.datetime) -> list[Decimal]:
    """The prices in force at any time from `first` to `last`."""
    changes = [point.prices[currency] for point in listing.prices if first < point.at <= last]
    return [price_at(listing.prices, first, currency), *changes]


def test_every_product_has_its_own_pictures_in_the_shop(shop: Path, english: dict[str, dict]):
    drawn = {image: (shop / image).read_text() for row in english.values() for image in row["images"]}
    assert len(drawn) == 240 and all(image.startswith("media/") for image in drawn)
    assert len(set(drawn.values())) == 240
    assert {asked.split()[0] for asked in drawn.values()} == {kind for kinds in VERTICALS.values() for kind in kinds}


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda product: product.pop("title"), r"food\.yaml, food-tea-1: missing \['title'\]"),
        (lambda product: product.update(brand="nobody"), "food-tea-1, brand: 'nobody'"),
        (lambda product: product.update(name="只有中文"), "food-tea-1, name: .*both languages"),
        (lambda product: product.update(price={"CNY": 9}), "food-tea-1, price"),
        (lambda product: product.update(look="mauve plain"), "food-tea-1, look: 'mauve plain'"),
        (lambda product: product.update(look="red plain"), "food.yaml, tea, look: two products look alike"),
        (lambda product: product.update(weight=3), r"food-tea-1: unknown field\(s\) \['weight'\]"),
        (lambda product: product.update(name="云絮羽绒服 | Other"), "name: '云絮羽绒服' is fashion-outerwear-1's too"),
    ],
)
def test_a_fault_in_the_catalogue_names_file_product_and_field(tmp_path: Path, spoil, complaint: str):
    for path in CATALOGUE.glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    document = yaml.load((CATALOGUE / "food.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    spoil(document["kinds"]["tea"]["products"][0])
    (tmp_path / "food.yaml").write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    with pytest.raises(MerchandiseError, match=complaint):
        merchandise.load(tmp_path)
