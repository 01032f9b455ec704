"""Behaviour in the sample shop: possible in time and place, coherent in taste, and reviews that say what their stars say."""

import datetime
import random
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from copywriting.taxonomy import VERTICALS
from demo.people import AGE_BANDS, likely_lives, lives_of
from demo.reviews import LANGUAGES, POLARITIES, clauses_of, labelled_sentences, polarity_of, review
from retrieval import tables
from tests.demo.conftest import TODAY

MIDNIGHT = datetime.datetime.combine(TODAY, datetime.time(tzinfo=datetime.UTC))
HAN = re.compile(r"[\u4e00-\u9fff]")
KINDS = {kind for kinds in VERTICALS.values() for kind in kinds}


@pytest.fixture(scope="module")
def events(shop: Path) -> list[dict]:
    return tables.read(shop, "events").to_pylist()


@pytest.fixture(scope="module")
def shoppers(shop: Path) -> dict[str, dict]:
    rows = tables.read(shop, "shoppers").to_pylist(maps_as_pydicts="strict")
    return {row["shopper_id"]: row for row in rows}


@pytest.fixture(scope="module")
def products(shop: Path) -> dict[tuple[str, str], dict]:
    rows = tables.read(shop, "products").to_pylist(maps_as_pydicts="strict")
    return {(row["product_id"], row["locale"]): row for row in rows}


def labels_of(text: str) -> set[str]:
    """The polarities of the clauses that a review is made of."""
    known = clauses_of("zh" if HAN.search(text) else "en")
    return {polarity for polarity, clauses in known.items() if any(clause.lower() in text.lower() for clause in clauses)}


def test_a_thousand_shoppers_mostly_consent_and_some_consent_has_lapsed(shoppers: dict[str, dict]):
    assert len(shoppers) == 1000
    assert 0.8 < sum(row["consent"] for row in shoppers.values()) / 1000 < 0.9
    lapsed = [row for row in shoppers.values() if row["consent_until"] and row["consent_until"] < MIDNIGHT]
    assert 10 < len(lapsed) < 80 and all(row["consent"] for row in lapsed)


def test_half_of_the_shoppers_read_chinese_and_names_suit_the_locale(shoppers: dict[str, dict]):
    shares = Counter(row["locale"] for row in shoppers.values())
    assert 450 < shares["zh-CN"] < 550 and 250 < shares["en-US"] < 350 and 150 < shares["en-GB"] < 250
    for row in shoppers.values():
        for key in {"name", "city"} & row["attributes"].keys():
            assert bool(HAN.search(row["attributes"][key])) == (row["locale"] == "zh-CN")


def test_every_attribute_but_the_country_is_missing_for_somebody(shoppers: dict[str, dict]):
    told = Counter(key for row in shoppers.values() for key in row["attributes"])
    assert told["country"] == 1000
    assert all(400 < told[key] < 1000 for key in ("name", "city", "age_band", "gender"))


def test_events_are_numerous_and_name_existing_shoppers_and_products(events: list[dict], shoppers: dict, products: dict):
    assert 35_000 <= len(events) <= 60_000
    assert {event["shopper_id"] for event in events} == shoppers.keys()
    assert {event["product_id"] for event in events} - {None} == {product_id for product_id, _ in products}
    assert len({event["event_id"] for event in events}) == len(events)


def test_events_lie_within_ninety_days_and_never_in_the_future(events: list[dict]):
    instants = [event["at"] for event in events]
    assert instants == sorted(instants)
    assert MIDNIGHT - datetime.timedelta(days=90) <= instants[0] and instants[-1] < MIDNIGHT


def test_a_purchase_follows_a_view_and_a_cart_of_the_same_product(events: list[dict]):
    seen: set[tuple] = set()
    for event in events:
        who_what = (event["shopper_id"], event["product_id"])
        if event["kind"] == "purchase":
            assert ("view", *who_what) in seen and ("cart", *who_what) in seen
        if event["kind"] == "review":
            assert ("purchase", *who_what) in seen
        seen.add((event["kind"], *who_what))


def test_purchases_are_the_smaller_part_of_carts_and_pay_a_price_of_the_shop(
    shop: Path, events: list[dict], shoppers: dict, products: dict
):
    kinds = Counter(event["kind"] for event in events)
    assert kinds["review"] < kinds["purchase"] < kinds["cart"] < kinds["search"] < kinds["view"]
    charged = defaultdict(list)
    for point in tables.read(shop, "price_history").to_pylist():
        charged[point["product_id"], point["locale"]].append(float(point["price"]))
    for event in events:
        if event["kind"] == "purchase":
            key = event["product_id"], shoppers[event["shopper_id"]]["locale"]
            paid = event["value"] / event["quantity"]
            assert event["currency"] == products[key]["currency"]
            assert 0.59 * min(charged[key]) <= paid <= max(charged[key]) + 0.001


def test_a_running_offer_lowers_what_is_paid(events: list[dict], shoppers: dict, products: dict):
    lowered = 0
    for event in events:
        row = products.get((event["product_id"], shoppers[event["shopper_id"]]["locale"]))
        offer = row["offer"] if row and event["kind"] == "purchase" else None
        if (
            offer
            and offer["kind"] == "percent_off"
            and offer["starts"] <= event["at"]
            and event["at"] > MIDNIGHT - datetime.timedelta(days=4)
        ):
            expected = float(row["price"]) * (1 - float(offer["value"]) / 100)
            if offer["ends"] >= event["at"]:
                assert event["value"] / event["quantity"] == pytest.approx(expected, abs=0.01)
                lowered += 1
    assert lowered > 0


def test_a_durable_is_bought_once_and_a_consumable_may_be_bought_again(events: list[dict]):
    bought = Counter((event["shopper_id"], event["product_id"]) for event in events if event["kind"] == "purchase")
    again = {product_id.split("-")[0] for (_, product_id), times in bought.items() if times > 1}
    assert again and again <= {"food", "beauty", "pet"}


def test_shoppers_keep_to_few_kinds(events: list[dict]):
    viewed = defaultdict(Counter)
    for event in events:
        if event["kind"] == "view":
            viewed[event["shopper_id"]][event["product_id"].rsplit("-", 1)[0]] += 1
    busy = [kinds for kinds in viewed.values() if kinds.total() >= 20]
    shares = [sum(times for _, times in kinds.most_common(4)) / kinds.total() for kinds in busy]
    assert sum(shares) / len(shares) > 0.6  # of sixty kinds, chance would give about a quarter


def test_kinds_of_one_life_are_looked_at_by_the_same_shoppers(events: list[dict]):
    viewers = defaultdict(set)
    for event in events:
        if event["kind"] == "view":
            viewers[event["product_id"].split("-")[1]].add(event["shopper_id"])
    together = len(viewers["strollers"] & viewers["nursery"]) / len(viewers["strollers"])
    assert together > 3 * len(viewers["strollers"] & viewers["keyboards"]) / len(viewers["strollers"])


def test_the_old_look_at_other_things_than_the_young(events: list[dict], shoppers: dict):
    looks, of_theirs = Counter(), Counter()
    for event in events:
        if event["kind"] == "view":
            age = shoppers[event["shopper_id"]]["attributes"].get("age_band")
            looks[age] += 1
            of_theirs[age] += event["product_id"].split("-")[1] in ("pensions", "funds", "decor")
    assert of_theirs["55+"] / looks["55+"] > 2 * of_theirs["18-24"] / looks["18-24"]


def test_every_life_names_kinds_of_the_taxonomy_and_every_kind_has_a_life():
    assert {kind for kinds in lives_of().values() for kind in kinds} == KINDS
    assert {age for life in lives_of() for age in AGE_BANDS if likely_lives(age)[life] > likely_lives(None)[life]} == set(AGE_BANDS)


def test_searches_and_reviews_are_in_the_shoppers_language(events: list[dict], shoppers: dict):
    for event in events:
        if event["text"] is not None:
            assert event["kind"] in ("search", "review")
            assert bool(HAN.search(event["text"])) == (shoppers[event["shopper_id"]]["locale"] == "zh-CN"), event["text"]


def test_a_reviews_text_says_what_its_stars_say(events: list[dict]):
    stars = [event["value"] for event in events if event["kind"] == "review"]
    assert set(stars) == {1.0, 2.0, 3.0, 4.0, 5.0}
    for event in events:
        if event["kind"] == "review":
            polarity, found = polarity_of(int(event["value"])), labels_of(event["text"])
            assert polarity in found or (polarity == "neutral" and not found), event
    extremes = [event for event in events if event["kind"] == "review" and event["value"] in (1.0, 5.0)]
    assert all(labels_of(event["text"]) == {polarity_of(int(event["value"]))} for event in extremes)


def test_well_rated_products_get_more_stars(events: list[dict], products: dict):
    stars = defaultdict(list)
    for event in events:
        if event["kind"] == "review":
            stars[products[event["product_id"], "en-US"]["rating"] >= 4.3].append(event["value"])
    assert sum(stars[True]) / len(stars[True]) > sum(stars[False]) / len(stars[False]) + 0.3


def test_labelled_sentences_are_balanced_distinct_and_the_same_from_the_same_seed():
    sentences = labelled_sentences(3, 6000)
    assert set(Counter((language, label) for language, _, label in sentences).values()) == {1000}
    assert len({text for _, text, _ in sentences}) == 6000
    assert sentences == labelled_sentences(3, 6000) != labelled_sentences(4, 6000)


def test_exclamation_marks_and_buts_do_not_give_the_label_away():
    loud, contrast = Counter(), Counter()
    for _, text, label in labelled_sentences(5, 9000):
        loud[label] += text.endswith(("!", "！"))
        contrast[label] += bool(re.search(r"但|不过|可是|\bbut\b|though|while", text, re.IGNORECASE))
    for counts in (loud, contrast):
        assert min(counts[label] for label in POLARITIES) > 0.6 * max(counts.values())


def test_a_clause_has_one_polarity_and_there_are_many_of_each():
    for language in LANGUAGES:
        known = clauses_of(language)
        assert all(len(known[polarity]) > 180 for polarity in POLARITIES)
        assert len(frozenset().union(*known.values())) == sum(map(len, known.values()))


def test_a_service_is_not_reviewed_as_a_parcel():
    rng = random.Random(1)
    texts = " ".join(review(language, "savings", stars, rng) for language in LANGUAGES for stars in range(1, 6) for _ in range(80))
    assert not re.search("包装|快递|packag|parcel|courier", texts)
