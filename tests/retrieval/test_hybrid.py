"""What the hybrid promises: one blend for each situation of a shopper, learned from those who were in it."""

from types import SimpleNamespace

import numpy as np
import pytest

from artifacts.card import write_card
from retrieval.interactions import Interactions
from retrieval.recommenders import registry
from retrieval.recommenders.als import Als, AlsSettings
from retrieval.recommenders.contract import NOBODY, History, PreferenceModel
from retrieval.recommenders.hybrid import Hybrid, Judged, fit_weights
from tests.retrieval.recommenderkit import RUN, TEA, history, models, tea_and_running


class LatestKind(PreferenceModel):
    """The latest product decides: the shopper's vector says which of two kinds it is of."""

    name = "latest_kind"

    def __init__(self, product_vectors) -> None:
        self.product_vectors = product_vectors

    def shopper_vectors(self, histories):
        return np.array([[len(one) > 0 and one.rows[-1] < 6, len(one) > 0 and one.rows[-1] >= 6] for one in histories], np.float32)

    def save(self, directory) -> None:
        np.save(directory / "products.npy", self.product_vectors)

    @classmethod
    def load(cls, directory):
        return cls(np.load(directory / "products.npy"))


def two_minds():
    """Two parts, shoppers who are away and shoppers in a visit: the first take more of the kind that they know, as only the first part
    foresees, the others some of the other kind, as only the second does."""
    same, other = np.zeros((12, 2), np.float32), np.zeros((12, 2), np.float32)
    same[:6, 0] = same[6:, 1] = 1
    other[6:, 0] = other[:6, 1] = 1
    parts = {name: LatestKind(vectors) for name, vectors in (("same", same), ("other", other))}
    rows, kinds = [*range(12)] * 3, (set(TEA), set(RUN))
    away = SimpleNamespace(histories=[history([row], days=[3]) for row in rows], targets=[kinds[row // 6] - {row} for row in rows])
    visiting = SimpleNamespace(histories=[history([row], days=[0.001]) for row in rows], targets=[kinds[1 - row // 6] for row in rows])
    return parts, away, visiting


def in_both(weights) -> np.ndarray:
    """A hybrid's weights by length of history, the same away and in a visit."""
    return np.array([weights, weights], np.float32)


@pytest.fixture(scope="module")
def shop() -> Interactions:
    return tea_and_running()


@pytest.fixture(scope="module")
def fitted(shop):
    return models(shop)


def test_weights_prefer_the_part_that_ranks_and_blend_where_that_is_better():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(40, 30)).astype(np.float32)
    targets = [[int(row.argmax())] for row in truth]
    noise = rng.normal(size=truth.shape).astype(np.float32)
    assert fit_weights(Judged(np.stack([noise, truth]), targets)).tolist() == [0, 1]
    half, other = truth + noise, truth - noise
    weights = fit_weights(Judged(np.stack([half, other]), targets))
    assert (weights > 0.5).all(), "their faults cancel out"


def test_a_part_without_which_hardly_anything_is_lost_is_left_out():
    """The third part ranks well but says the same as the first, a little worse."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(60, 30)).astype(np.float32)
    targets = [[int(row.argmax())] for row in truth]
    noise = rng.normal(size=truth.shape).astype(np.float32)
    copied = truth + noise + 0.01 * rng.normal(size=truth.shape).astype(np.float32)
    weights = fit_weights(Judged(np.stack([truth + noise, truth - noise, copied]), targets))
    assert weights[1] > 0.5 and np.count_nonzero(weights) == 2


def test_where_no_part_foresees_anything_none_is_left_out():
    assert fit_weights(Judged(np.zeros((3, 5, 30), np.float32), [[0]] * 5)).tolist() == [1, 1, 1]


def test_a_cancellation_a_minute_ago_is_no_visit():
    assert history([0, 1], days=[5, 0.001]).in_visit
    assert not History(np.array([0, 0]), np.array([5, -5], np.float32), np.array([5, 0.001], np.float32)).in_visit
    assert not NOBODY.in_visit


def test_the_hybrid_weighs_by_length_of_history(fitted):
    hybrid = fitted["hybrid"]
    hybrid = Hybrid(
        {"popularity": fitted["popularity"], "als": fitted["als"]},
        np.ones(2, np.float32),
        in_both([[1, 0], [0, 1], [0, 1], [0, 1]]),
        {},
    )
    newcomer, regular = hybrid.scores([history([], ("club:tea",)), history([0, 1])])
    np.testing.assert_allclose(newcomer, fitted["popularity"].scores([history([], ("club:tea",))])[0], atol=1e-6)
    np.testing.assert_allclose(regular, fitted["als"].scores([history([0, 1])])[0], atol=1e-5)


def test_the_hybrid_learns_one_blend_for_shoppers_who_are_away_and_one_for_those_in_a_visit(shop):
    parts, away, visiting = two_minds()
    model = Hybrid.fit(parts, away, visiting, shop, seed=0)
    of_one, of_other = model.scores([away.histories[0], visiting.histories[0]])
    assert of_one[1:6].min() > of_one[6:].max()
    assert of_other[6:].min() > of_other[1:6].max()
    alone = Hybrid.fit(parts, away, None, shop, seed=0)
    np.testing.assert_array_equal(*alone.weights, "nothing is known of visits: the same blend for both")


@pytest.mark.parametrize("few", [29, 30])
def test_of_too_few_shoppers_in_a_visit_no_blend_is_learned(shop, few):
    parts, away, visiting = two_minds()
    visiting = SimpleNamespace(histories=visiting.histories[:few], targets=visiting.targets[:few])
    model = Hybrid.fit(parts, away, visiting, shop, seed=0)
    assert np.array_equal(model.weights[0, 1], model.weights[1, 1]) == (few < 30)


def test_a_hybrid_may_have_two_parts_of_one_kind(shop, fitted, tmp_path):
    factors = {name: Als.fit(shop, AlsSettings(dim=4, iterations=6), seed) for seed, name in enumerate(("first", "second"))}
    model = Hybrid(factors, np.ones(2, np.float32), in_both(np.ones((4, 2))), {})
    registry.save(model, shop.product_ids, shop.attribute_names, tmp_path / "model")
    write_card(tmp_path / "model", kind=registry.KIND, name="hybrid", command="", seed=0)
    loaded = registry.load(tmp_path / "model").model
    assert list(loaded.parts) == ["first", "second"]
    np.testing.assert_allclose(loaded.scores(shop.histories[:3]), model.scores(shop.histories[:3]), atol=1e-5)


def test_a_part_whose_weight_is_zero_is_not_asked(shop, fitted, monkeypatch):
    parts = {"popularity": fitted["popularity"], "als": fitted["als"]}
    model = Hybrid(parts, np.ones(2, np.float32), in_both([[1, 0], [1, 0.5], [1, 0], [1, 0]]), {})
    asked = []
    monkeypatch.setattr(
        fitted["als"], "shopper_vectors", lambda given: asked.append(len(given)) or Als.shopper_vectors(fitted["als"], given)
    )
    scores = model.scores([NOBODY, history([0]), history([6, 7, 8])])
    assert asked == [1], "only the shopper of one event"
    np.testing.assert_allclose(scores[[0, 2]], fitted["popularity"].scores([NOBODY, history([6, 7, 8])]), atol=1e-6)
