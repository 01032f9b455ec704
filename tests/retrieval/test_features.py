"""What `retrieval/features.py` promises, one behaviour a test."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from retrieval import schemas
from retrieval.catalogue import Catalogue
from retrieval.encoder import LsaEncoder
from retrieval.features import Behaviour, behaviour_features, consenting
from tests.fakes import NOW, make_event, make_shopper, product_rows, shelf

ANN = (make_shopper("ann"),)


class Shop:
    """A catalogue whose product vectors are the axes, so that a shopper's vector can be read product by product."""

    def __init__(self, tmp_path) -> None:
        self.catalogue = Catalogue(product_rows(shelf()), tmp_path)
        self.encoder = LsaEncoder.fit([self.catalogue.document(product_id) for product_id in self.catalogue.product_ids], 11)

    def features(self, events, shoppers=ANN, *, axes: bool = True) -> Behaviour:
        documents = [self.catalogue.document(product_id) for product_id in self.catalogue.product_ids]
        vectors = np.eye(len(documents), self.encoder.dim, dtype=np.float32) if axes else self.encoder.encode(documents)
        return behaviour_features(
            self.catalogue,
            vectors,
            pa.Table.from_pylist(list(events), schema=schemas.EVENTS),
            pa.Table.from_pylist(list(shoppers), schema=schemas.SHOPPERS),
            self.encoder,
            NOW,
        )

    def weight(self, behaviour: Behaviour, product_id: str, row: int = 0) -> float:
        """How much more than the keyboard, which no test of weights touches: the mean product is taken off all axes alike."""
        at, untouched = map(self.catalogue.product_ids.index, (product_id, "keyboard"))
        return float(behaviour.vectors[row, at] - behaviour.vectors[row, untouched])


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


def test_an_event_counts_half_after_thirty_days(shop):
    behaviour = shop.features([make_event("ann", "view", "coat", 0), make_event("ann", "view", "oolong", 30)])
    assert shop.weight(behaviour, "oolong") / shop.weight(behaviour, "coat") == pytest.approx(0.5, abs=1e-4)


def test_a_purchase_says_more_than_a_basket_and_a_basket_more_than_a_look(shop):
    behaviour = shop.features([make_event("ann", kind, p) for kind, p in (("view", "coat"), ("cart", "oolong"), ("purchase", "cream"))])
    look, basket, purchase = (shop.weight(behaviour, product_id) for product_id in ("coat", "oolong", "cream"))
    assert (basket / look, purchase / look) == (pytest.approx(3), pytest.approx(5))


def test_a_bad_review_pushes_away_and_a_good_one_draws_near(shop):
    events = [make_event("ann", "review", p, value=stars) for p, stars in (("coat", 1.0), ("oolong", 5.0), ("cream", 3.0), ("puer", None))]
    behaviour = shop.features(events)
    assert shop.weight(behaviour, "coat") == pytest.approx(-shop.weight(behaviour, "oolong"))
    assert shop.weight(behaviour, "oolong") > 0
    assert (shop.weight(behaviour, "cream"), shop.weight(behaviour, "puer")) == (pytest.approx(0), pytest.approx(0))
    assert behaviour.profiles["interests"].to_pylist() == [["tea"]]


def test_a_search_draws_towards_what_was_searched(shop):
    behaviour = shop.features([make_event("ann", "search", None, text="headphones")], axes=False)
    documents = shop.encoder.encode([shop.catalogue.document(product_id) for product_id in shop.catalogue.product_ids])
    assert shop.catalogue.product_ids[int(np.argmax(documents @ behaviour.vectors[0]))] == "headphones"


def test_vectors_have_unit_length(shop):
    behaviour = shop.features([make_event("ann", "view", "coat"), make_event("ann", "purchase", "oolong", 40)])
    assert np.linalg.norm(behaviour.vectors, axis=1) == pytest.approx([1.0], abs=1e-6)


def test_nothing_of_a_shopper_without_consent_is_kept(shop):
    shoppers = [make_shopper("ann", consent=False), make_shopper("cleo", until=NOW), make_shopper("eve", until=NOW + timedelta(days=1))]
    behaviour = shop.features([make_event(who, "view", "coat") for who in ("ann", "cleo", "eve", "stranger")], shoppers)
    assert behaviour.profiles["shopper_id"].to_pylist() == ["eve"]
    assert len(behaviour.vectors) == 1


def test_consent_without_an_end_lasts_and_an_end_is_exact():
    rows = [make_shopper("always"), make_shopper("until", until=NOW + timedelta(seconds=1)), make_shopper("lapsed", until=NOW)]
    kept = consenting(pa.Table.from_pylist(rows, schema=schemas.SHOPPERS), NOW)
    assert kept["shopper_id"].to_pylist() == ["always", "until"]


def test_what_was_bought_is_kept_with_the_latest_last(shop):
    behaviour = shop.features(
        [make_event("ann", "purchase", p, days) for p, days in (("coat", 9), ("oolong", 5), ("coat", 2), ("cream", 7))]
    )
    (profile,) = behaviour.profiles.to_pylist()
    assert (set(profile["bought"]), profile["recent"]) == ({"coat", "oolong", "cream"}, "coat")


def test_what_was_cancelled_is_not_bought(shop):
    events = [
        make_event("ann", "purchase", "coat", 9),
        make_event("ann", "purchase", "oolong", 5),
        make_event("ann", "cancellation", "oolong", 3),
    ]
    (profile,) = shop.features(events).profiles.to_pylist()
    assert (profile["bought"], profile["recent"]) == (["coat"], "coat")


def test_cancelling_some_units_leaves_the_rest_bought(shop):
    events = [make_event("ann", "purchase", "coat", 9, quantity=3), make_event("ann", "cancellation", "coat", 3, quantity=2)]
    assert shop.features(events).profiles["bought"].to_pylist() == [["coat"]]


def test_a_part_sent_back_leaves_the_taste_for_what_was_kept(shop):
    bought = [make_event("ann", "purchase", "coat", 60, quantity=10), make_event("ann", "purchase", "cream", 60, quantity=10)]
    behaviour = shop.features([*bought, make_event("ann", "cancellation", "coat", 1, quantity=1)])
    assert shop.weight(behaviour, "coat") / shop.weight(behaviour, "cream") == pytest.approx(0.9)
    assert set(behaviour.profiles["interests"].to_pylist()[0]) == {"outerwear", "skincare"}


def test_a_return_without_a_purchase_says_nothing(shop):
    behaviour = shop.features([make_event("ann", "view", "cream"), make_event("ann", "cancellation", "coat", quantity=3)])
    assert shop.weight(behaviour, "coat") == pytest.approx(0)


def test_a_purchase_taken_back_at_once_says_nothing(shop):
    events = [make_event("ann", "purchase", "coat", 9), make_event("ann", "cancellation", "coat", 9)]
    assert len(shop.features(events, axes=False).vectors) == 0


def test_interests_are_the_kinds_touched_most_at_most_three(shop):
    touched = [("longjing", 3), ("oolong", 3), ("coat", 2), ("cream", 1), ("keyboard", 1)]
    events = [make_event("ann", "view", p, days_ago=i + 1) for p, times in touched for i in range(times)]
    (interests,) = shop.features(events).profiles["interests"].to_pylist()
    assert interests[:2] == ["tea", "outerwear"]
    assert len(interests) == 3


def test_popularity_goes_from_nothing_to_one_and_fades(shop):
    events = [make_event("x", "purchase", "coat", 1), make_event("y", "purchase", "coat", 2), make_event("x", "purchase", "oolong", 90)]
    popularity = dict(zip(shop.catalogue.product_ids, shop.features(events).popularity, strict=True))
    assert popularity["coat"] == pytest.approx(1)
    assert 0 < popularity["oolong"] < 0.2
    assert popularity["cream"] == 0


def test_events_of_unknown_products_count_for_nothing(shop):
    behaviour = shop.features([make_event("ann", "view", "yacht"), make_event("ann", "view", "coat")])
    assert np.allclose(behaviour.vectors, shop.features([make_event("ann", "view", "coat")]).vectors)


def test_whoever_touches_every_product_alike_has_no_taste(shop):
    everything = [make_event("ann", "view", product_id) for product_id in shop.catalogue.product_ids]
    assert len(shop.features(everything).vectors) == 0
    more = [*everything, make_event("ann", "purchase", "coat")]
    assert int(np.argmax(shop.features(more).vectors[0])) == shop.catalogue.product_ids.index("coat")


@pytest.mark.parametrize("shoppers", [(), (make_shopper("ann", consent=False),), (make_shopper("ann"),)])
def test_a_shop_without_behaviour_has_popularity_only(shop, shoppers):
    behaviour = shop.features([], shoppers)
    assert (behaviour.vectors.shape, behaviour.profiles.num_rows) == ((0, shop.encoder.dim), 0)
    assert not behaviour.popularity.any()
