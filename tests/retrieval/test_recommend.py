"""What `retrieval/recommend.py` promises, one behaviour a test."""

import shutil
from datetime import timedelta

import pytest

from artifacts.card import ArtifactError
from copywriting.shopper import Shopper, anonymous
from retrieval.build import build_index
from retrieval.catalogue import Filters
from retrieval.recommend import Recommender, names
from retrieval.tables import TableError
from tests.fakes import EVENTS, NOW, SHOPPERS, make_shop, shelf


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    root = tmp_path_factory.mktemp("recommend")
    shop = make_shop(root / "shop")
    build_index(shop, root / "index", now=NOW, quiet=True)
    return shop, root / "index"


@pytest.fixture(scope="module")
def recommender(paths) -> Recommender:
    return Recommender(*paths)


@pytest.fixture
def own(paths, tmp_path):
    """A shop and index that a test may spoil."""
    for path in paths:
        shutil.copytree(path, tmp_path / path.name)
    return tmp_path / "shop", tmp_path / "index"


def ids(ranked) -> list[str]:
    return [entry.product.product_id for entry in ranked]


def test_a_shopper_is_shown_more_of_what_they_browsed_and_not_what_they_bought(recommender):
    ranked = recommender.for_shopper(recommender.shopper("ann", NOW), "en-US")
    assert set(ids(ranked)[:2]) == {"oolong", "puer"}
    assert "longjing" not in ids(ranked)
    assert {entry.reason for entry in ranked} == {"your behaviour"}
    assert [entry.score for entry in ranked] == sorted((entry.score for entry in ranked), reverse=True)


def test_a_shopper_who_consents_has_a_profile(recommender):
    ann = recommender.shopper("ann", NOW)
    assert ann == Shopper("ann", "en-US", True, {"name": "Ann", "city": "Leeds"}, ("tea",), frozenset({"longjing"}), "longjing")


@pytest.mark.parametrize("who", ["bob", "cleo", "nobody"])
def test_without_consent_the_ranking_is_an_anonymous_shoppers(recommender, who):
    shopper = recommender.shopper(who, NOW)
    assert not shopper.personalise
    assert shopper == anonymous(shopper.locale), "nothing but the preferred locale is carried"
    theirs, anyones = (recommender.for_shopper(s, "en-US", 12) for s in (shopper, anonymous()))
    assert theirs == anyones
    assert ids(theirs)[:2] == ["longjing", "keyboard"]


def test_consent_given_or_taken_away_after_the_index_was_built_holds_at_once(own):
    shop, index = own
    make_shop(shop, shoppers=[SHOPPERS[0] | {"consent": False}, *SHOPPERS[1:]])
    recommender = Recommender(shop, index)
    ann = recommender.shopper("ann", NOW)
    assert ann == anonymous("en-US")
    assert recommender.for_shopper(ann, "en-US") == recommender.popular("en-US")


def test_consent_that_lapses_between_two_requests_ends_between_them(own):
    shop, index = own
    make_shop(shop, shoppers=[SHOPPERS[0] | {"consent_until": NOW + timedelta(hours=1)}])
    recommender = Recommender(shop, index)
    assert recommender.shopper("ann", NOW).personalise
    assert not recommender.shopper("ann", NOW + timedelta(hours=1)).personalise


def test_a_shopper_without_behaviour_gets_what_is_popular(recommender):
    dan = recommender.shopper("dan", NOW)
    assert dan.personalise
    assert recommender.for_shopper(dan, "en-US") == recommender.popular("en-US")


def test_declared_interests_stand_in_for_behaviour(recommender):
    ranked = recommender.for_shopper(Shopper(None, "en-US", True, interests=("headphones",)), "en-US", 3)
    assert ids(ranked)[0] == "headphones"
    assert ranked[0].reason == "declared interests"


def test_knowing_a_shopper_is_being_in_the_table(recommender):
    assert recommender.knows("bob")
    assert not recommender.knows("nobody")


@pytest.mark.parametrize(
    ("query", "best"), [("green tea", "longjing"), ("绿茶", "longjing"), ("耳机", "headphones"), ("coffee beans", "beans")]
)
@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_a_query_finds_its_product_in_either_language(recommender, query, best, locale):
    ranked = recommender.for_query(query, locale, 3)
    assert ids(ranked)[0] == best
    assert (ranked[0].product.locale, ranked[0].reason) == (locale, "matches the query")


def test_a_query_of_unknown_words_gives_what_is_popular(recommender):
    assert recommender.for_query("!!!", "en-US", 3) == recommender.popular("en-US", 3)


def test_a_product_is_like_its_own_kind_and_not_itself(recommender):
    ranked = recommender.similar("coat", "en-US", 3)
    assert ids(ranked)[0] == "jacket"
    assert "coat" not in ids(recommender.similar("coat", "en-US", 12))
    with pytest.raises(KeyError, match="yacht"):
        recommender.similar("yacht", "en-US")


def test_no_way_of_asking_passes_a_filter_by(recommender):
    filters = Filters(verticals=("electronics", "beauty"), max_price=100, exclude=frozenset({"cream"}))
    ann = recommender.shopper("ann", NOW)
    for ranked in (
        recommender.for_shopper(ann, "en-US", 12, filters),
        recommender.for_query("waterproof tea", "en-US", 12, filters),
        recommender.similar("coat", "en-US", 12, filters),
        recommender.popular("en-US", 12, filters),
    ):
        assert set(ids(ranked)) == {"sunscreen", "headphones", "keyboard"}


def test_at_most_k_and_sometimes_none(recommender):
    assert len(recommender.popular("en-US", 3)) == 3
    assert recommender.popular("en-US", 3, Filters(verticals=("toys",))) == []
    assert recommender.for_query("tea", "en-US", 3, Filters(verticals=("toys",))) == []


def test_an_index_of_another_catalogue_is_refused_with_the_remedy(own):
    shop, index = own
    make_shop(shop, shelf()[:6])
    with pytest.raises(
        ArtifactError, match=r"was built from another version of .*products\.parquet; build it again with: python -m retrieval"
    ):
        Recommender(shop, index)


@pytest.mark.parametrize("name", ["products.faiss", "shoppers.faiss", "profiles.parquet", "rows.parquet", "encoder/lsa.safetensors"])
def test_a_changed_file_is_refused_before_it_is_read(own, name):
    shop, index = own
    content = bytearray((index / name).read_bytes())
    content[len(content) // 2] ^= 1
    (index / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=name):
        Recommender(shop, index)


def test_a_shop_without_products_is_refused(own):
    shop, index = own
    (shop / "products.parquet").unlink()
    with pytest.raises((TableError, FileNotFoundError), match=r"products\.parquet"):
        Recommender(shop, index)


def test_names_are_for_people(recommender):
    assert names(recommender.popular("zh-CN", 1)) == ["明前龙井绿茶"]


def test_the_shop_of_these_tests_has_behaviour_without_consent():
    assert {"bob", "cleo"} <= {event["shopper_id"] for event in EVENTS}, "or the tests above prove nothing"
