"""What a recommender inside an index promises: the latest event counts, new products have a place, nobody is an error."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from artifacts.card import ArtifactError, write_card
from copywriting.shopper import Event, Shopper, anonymous
from retrieval.build import build_index
from retrieval.catalogue import Catalogue
from retrieval.content_vectors import ContentReader
from retrieval.encoder import LsaEncoder
from retrieval.interactions import from_shop
from retrieval.preferences import history_of, product_vectors
from retrieval.recommend import Recommender
from retrieval.recommenders import registry
from retrieval.recommenders.als import Als, AlsSettings
from retrieval.recommenders.content import Content
from retrieval.recommenders.hybrid import Hybrid
from retrieval.recommenders.popularity import Popularity
from tests.fakes import NOW, make_shop

TEA, KEYS = "longjing", "keyboard"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A shop, and a hybrid fitted on all of its products but the last."""
    root = tmp_path_factory.mktemp("preferences")
    shop = make_shop(root / "shop")
    catalogue = Catalogue.read(shop)
    documents = [catalogue.document(product_id) for product_id in catalogue.product_ids]
    encoder = LsaEncoder.fit(documents, 16, 0)
    data = from_shop(shop, NOW, encoder.encode(documents))
    factors = Als.fit(data, AlsSettings(dim=4, iterations=4))
    parts = {"popularity": Popularity.fit(data), "content": Content.fit(data, factors.product_vectors)}
    weights = np.array([[[1, 0.2], [0.1, 1], [0.1, 1], [0.1, 1]]] * 2, np.float32)  # away, and in a visit
    model = Hybrid(parts, np.ones(2, np.float32), weights, {})
    registry.save(model, data.product_ids, data.attribute_names, root / "model", ContentReader(encoder))
    write_card(root / "model", kind=registry.KIND, name="hybrid", command="", seed=0)
    build_index(shop, root / "index", recommender=root / "model", now=NOW, quiet=True)
    return shop, root / "model", root / "index"


@pytest.fixture(scope="module")
def recommender(trained) -> Recommender:
    return Recommender(trained[0], trained[2])


def viewed(product_id: str, minutes: int = 1) -> Event:
    return Event("view", product_id, NOW - timedelta(minutes=minutes))


def first_ids(recommender: Recommender, shopper: Shopper) -> list[str]:
    return [one.product.product_id for one in recommender.for_shopper(shopper, "en-US", 3, now=NOW)]


def test_one_view_changes_the_very_next_recommendation(recommender):
    shopper = Shopper("zoe", "en-US", True, events=(viewed(TEA, 30), viewed("oolong", 20)))
    after = replace(shopper, events=(*shopper.events, viewed(KEYS), viewed(KEYS)))
    assert first_ids(recommender, shopper) != first_ids(recommender, after)
    assert recommender.for_shopper(after, "en-US", now=NOW)[0].reason == "your latest choices"


def test_of_events_that_say_nothing_to_the_recommender_other_means_are_asked(recommender, monkeypatch):
    """A vector of zeros ranks all products alike: the first rows of the index would be called a choice."""
    shopper = Shopper("zoe", "en-US", True, events=(viewed(TEA), viewed("oolong")))
    nothing = np.zeros(recommender._preferences.products.dim, np.float32)
    monkeypatch.setattr(recommender._preferences, "vector", lambda shopper, now: nothing)
    found = recommender.for_shopper(shopper, "en-US", 3, now=NOW)
    monkeypatch.setattr(recommender, "_preferences", None)
    assert found == recommender.for_shopper(shopper, "en-US", 3, now=NOW)
    assert all(one.score > 0 for one in found[:1])


def test_without_consent_events_change_nothing(recommender):
    silent = anonymous("en-US")
    assert first_ids(recommender, silent) == first_ids(recommender, replace(silent, events=(viewed(KEYS),) * 5))


def test_what_was_bought_is_never_recommended_again(recommender):
    shopper = Shopper("zoe", "en-US", True, events=(viewed(TEA), viewed("oolong")), bought=frozenset({"oolong"}))
    assert "oolong" not in [one.product.product_id for one in recommender.for_shopper(shopper, "en-US", 50, now=NOW)]


def test_a_newcomer_with_nothing_but_a_context_is_answered(recommender):
    assert first_ids(recommender, Shopper("new", "en-US", True, {"age_band": "25-34"}))


def test_a_shopper_who_only_searched_is_shown_what_they_searched_for(recommender):
    shopper = Shopper("zoe", "en-US", True, events=(Event("search", None, NOW, text="keyboard"),))
    assert first_ids(recommender, shopper)[0] == "keyboard"


def test_a_newcomer_who_declares_an_interest_is_shown_it_and_told_so(recommender):
    tea, keys = (Shopper("new", "en-US", True, {"age_band": "25-34"}, interests=(interest,)) for interest in ("tea", "keyboards"))
    assert set(first_ids(recommender, tea)) == {"longjing", "oolong", "puer"}
    assert first_ids(recommender, keys)[0] == "keyboard"
    assert recommender.for_shopper(tea, "en-US", now=NOW)[0].reason == "declared interests"


def test_every_product_has_a_vector_even_one_that_the_recommender_never_saw(trained):
    shop, model, _ = trained
    fitted = registry.load(model)
    reader = ContentReader.load(model / "encoder")
    catalogue = Catalogue.read(shop)
    whole = product_vectors(shop, catalogue, fitted, reader)
    younger = replace(fitted, product_ids=tuple("unknown" if name == TEA else name for name in fitted.product_ids))
    placed = product_vectors(shop, catalogue, younger, reader)
    row = catalogue.rows_of([TEA])[0]
    assert placed.shape == whole.shape
    assert np.isfinite(placed).all()
    row_of = {product_id: number for number, product_id in enumerate(fitted.product_ids)}
    histories = [history_of([viewed(name)], row_of, (), NOW) for name in (TEA, KEYS)]
    drinker, typist = fitted.model.shopper_vectors(histories) @ placed[row]
    assert drinker > typist, "it lies where it was learned: nearer to who looked at it than to who looked at a keyboard"


def test_a_recommender_whose_files_were_changed_is_refused(trained, tmp_path):
    import shutil

    shop, model, _ = trained
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / "recommender.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"recommender\.json"):
        build_index(shop, tmp_path / "index", recommender=tmp_path / "model", now=NOW, quiet=True)


def test_an_index_without_a_recommender_follows_the_latest_events_by_text(trained, tmp_path):
    build_index(trained[0], tmp_path / "index", now=NOW, quiet=True)
    recommender = Recommender(trained[0], tmp_path / "index")
    tea = first_ids(recommender, Shopper("zoe", "en-US", True, events=(viewed(TEA),)))
    keys = first_ids(recommender, Shopper("zoe", "en-US", True, events=(viewed(KEYS),)))
    assert TEA in tea
    assert KEYS in keys
    searched = first_ids(recommender, Shopper("zoe", "en-US", True, events=(Event("search", None, NOW, text="keyboard"),)))
    assert KEYS in searched


def test_events_of_products_that_the_recommender_does_not_know_are_left_out():
    history = history_of([viewed("gone"), viewed("here")], {"here": 4}, ("locale:en-US",), NOW)
    assert history.rows.tolist() == [4]
    assert history.days == pytest.approx([1 / 1440])
