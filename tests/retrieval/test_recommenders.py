"""What every recommender promises, on a shop in which tea drinkers and runners never meet."""

import json

import numpy as np
import pytest
import torch

from artifacts.card import ArtifactError, write_card
from retrieval.interactions import Interactions
from retrieval.recommenders import registry
from retrieval.recommenders.als import Als, AlsSettings
from retrieval.recommenders.content import Content, ContentMap
from retrieval.recommenders.contract import NOBODY, ContentRequired, History
from retrieval.recommenders.factorisation_machine import FactorisationNetwork
from retrieval.recommenders.popularity import Popularity
from retrieval.recommenders.sequence import SequenceModel, SequenceNetwork, SequenceSettings, padded
from tests.retrieval.recommenderkit import history, models, tea_and_running


@pytest.fixture(scope="module")
def shop() -> Interactions:
    return tea_and_running()


@pytest.fixture(scope="module")
def fitted(shop):
    return models(shop)


@pytest.mark.parametrize("name", registry.MODELS)
def test_a_model_comes_back_from_its_directory_with_the_same_scores(shop, fitted, tmp_path, name):
    registry.save(fitted[name], shop.product_ids, shop.attribute_names, tmp_path / "model")
    write_card(tmp_path / "model", kind=registry.KIND, name=name, command="", seed=0)
    loaded = registry.load(tmp_path / "model")
    assert loaded.product_ids == shop.product_ids
    asked = [*shop.histories[:5], NOBODY]
    np.testing.assert_allclose(loaded.model.scores(asked), fitted[name].scores(asked), atol=1e-5)


@pytest.mark.parametrize("name", registry.MODELS)
def test_nobody_and_a_shopper_of_one_dislike_are_no_error(fitted, name):
    disliked = History(np.array([3]), np.array([-2], np.float32), np.zeros(1, np.float32))
    assert np.isfinite(fitted[name].scores([NOBODY, disliked])).all()


@pytest.mark.parametrize("name", registry.MODELS)
def test_a_shopper_has_the_same_vector_alone_and_among_others(fitted, name):
    twice = History(np.array([0, 4, 0]), np.array([1, -3, 2], np.float32), np.array([9, 5, 2], np.float32), ("club:tea", "club:unknown"))
    cancelled = History(np.array([2, 2]), np.array([5, -5], np.float32), np.array([3, 1], np.float32))
    asked = [twice, NOBODY, cancelled, history([6, 7, 8, 9, 10, 11]), history([1], days=[0.001])]
    together = fitted[name].shopper_vectors(asked)
    for one, vector in zip(asked, together, strict=True):
        np.testing.assert_allclose(fitted[name].shopper_vectors([one])[0], vector, atol=1e-5)


def test_weighted_factors_are_the_same_alone_and_among_others(shop):
    model = Als.fit(shop, AlsSettings(dim=4, iterations=4, weighted=True))
    asked = [History(np.array([0, 0, 1]), np.array([1, 5, 2], np.float32), np.zeros(3, np.float32)), history([6])]
    alone = np.concatenate([model.shopper_vectors([one]) for one in asked])
    np.testing.assert_allclose(model.shopper_vectors(asked), alone, atol=1e-6)
    assert not np.allclose(alone[0], model.shopper_vectors([history([0, 1])])[0], atol=1e-3), "how much was taken counts"


@pytest.mark.parametrize("name", ["als", "content", "hybrid"])
def test_a_tea_drinker_is_shown_tea_and_a_runner_shoes(fitted, name):
    scores = fitted[name].scores([history([0, 1]), history([6, 7])])
    assert scores[0, :6].mean() > scores[0, 6:].mean()
    assert scores[1, 6:].mean() > scores[1, :6].mean()


@pytest.mark.parametrize("name", ["popularity", "hybrid"])
def test_context_alone_tells_newcomers_apart(fitted, name):
    scores = fitted[name].scores([history([], ("club:tea",)), history([], ("club:run",))])
    assert scores[0, :6].mean() - scores[0, 6:].mean() > scores[1, :6].mean() - scores[1, 6:].mean()


def test_popularity_forgets(shop):
    old, new = history([2] * 8, days=[400] * 8), history([9], days=[0])
    model = Popularity.fit(shop.with_histories([old, new]))
    assert model.scores([NOBODY])[0].argmax() == 9


def test_a_new_product_is_placed_with_its_like(shop, fitted):
    tea = shop.content[:1]
    vector = fitted["content"].new_product_vectors([(0,)], tea)
    drinker, runner = fitted["content"].shopper_vectors([history([0, 1]), history([6, 7])])
    assert vector[0] @ drinker > vector[0] @ runner
    assert fitted["hybrid"].new_product_vectors([(0,)], tea).shape == (1, fitted["hybrid"].product_vectors.shape[1])
    assert np.isfinite(fitted["hybrid"].new_product_vectors([()], None)).all(), "nothing known of it, no error"


def test_attributes_place_a_new_product_in_the_sequence_models_space(fitted):
    model = fitted["sequence"]
    assert np.linalg.norm(model.new_product_vectors([(0,)], None)[0]) == pytest.approx(1, abs=1e-5)
    alone, beside = model.new_product_vectors([(0,)], None)[0], model.new_product_vectors([(0,), ()], None)
    np.testing.assert_allclose(beside[0], alone, atol=1e-6, err_msg="one without attributes costs the others nothing")
    np.testing.assert_allclose(beside[1], model.product_vectors.mean(0), atol=1e-6)


def test_without_attributes_the_sequence_model_leaves_new_products_to_the_content_map():
    none = ((),) * 12
    model = SequenceModel(SequenceNetwork(SequenceSettings(12, 0, dim=8, heads=2, longest=5), none), none)
    assert model.new_product_vectors([()], None) is None


def test_the_latest_product_changes_the_shopper_vector_and_padding_does_not(fitted):
    model = fitted["sequence"]
    short, longer, among = history([1, 2]), history([1, 2, 7]), history([1, 2])
    alone = model.shopper_vectors([short])
    beside = model.shopper_vectors([among, longer])
    np.testing.assert_allclose(alone[0], beside[0], atol=1e-5)
    assert np.abs(beside[0] - beside[1]).max() > 1e-3


def test_sequences_are_filled_up_on_the_left_and_cut_to_the_latest():
    assert padded([np.array([4]), np.array([0, 1, 2])], 2).tolist() == [[0, 5], [2, 3]]
    assert padded([np.array([], np.int64)], 3).tolist() == [[0]]


def test_content_without_text_vectors_is_refused_with_a_remedy(shop):
    bare = Interactions(shop.product_ids, shop.shopper_ids, shop.histories)
    with pytest.raises(ContentRequired, match="train on a shop"):
        Content.fit(bare, np.zeros((12, 4), np.float32))


def test_the_content_map_finds_a_linear_map_again():
    rng = np.random.default_rng(0)
    content, weights = rng.normal(size=(50, 6)).astype(np.float32), rng.normal(size=(6, 3)).astype(np.float32)
    mapped = ContentMap.fit(content, content @ weights + 2, ridge=1e-6)
    np.testing.assert_allclose(mapped(content[:4]), content[:4] @ weights + 2, atol=1e-3)


def test_als_reaches_a_minimum_that_no_single_shopper_can_better(shop):
    settings = AlsSettings(dim=4, iterations=30, unobserved=0.3, regularisation=0.01)
    model = Als.fit(shop, settings)
    one = shop.histories[0]
    vector = model.shopper_vectors([one])[0]
    rng = np.random.default_rng(0)
    least = _objective(model, one, vector)
    assert all(_objective(model, one, vector + rng.normal(0, 0.05, 4)) > least for _ in range(20))


def _objective(model: Als, one: History, vector) -> float:
    scores, own = model.product_vectors @ vector, model.settings
    strength = own.regularisation * (len(set(one.rows.tolist())) + own.unobserved * len(scores)) ** own.scaling
    return float(((1 - scores[one.rows]) ** 2).sum() + own.unobserved * (scores**2).sum() + strength * vector @ vector)


def test_the_factorisation_machines_product_vector_holds_its_linear_and_pair_terms():
    torch.manual_seed(1)
    network = FactorisationNetwork(1, 1, 2, ((0, 1),), 3)
    torch.nn.init.normal_(network.product_linear.weight)
    embedded = [one.detach() for one in (network.product.weight[1], network.attribute.weight[1], network.attribute.weight[2])]
    pairs = sum(float(embedded[i] @ embedded[j]) for i in range(3) for j in range(i))
    linear = float((network.product_linear.weight[1] + network.attribute_linear.weight[[1, 2]].sum()).detach())
    vector = network.products()[1]
    assert float(vector[-1].detach()) == pytest.approx(linear + pairs, abs=1e-5)
    np.testing.assert_allclose(vector[:-1].detach(), sum(embedded), atol=1e-6)


@pytest.mark.parametrize("name", ["sequence", "factorisation_machine"])
def test_a_request_does_not_cost_what_the_whole_catalogue_costs(fitted, monkeypatch, name):
    network = SequenceNetwork if name == "sequence" else FactorisationNetwork
    monkeypatch.setattr(network, "products", lambda self: pytest.fail("all products were made for one shopper"))
    assert fitted[name].shopper_vectors([history([0, 1])]).any()


def test_a_directory_of_an_unknown_model_is_refused(tmp_path):
    (tmp_path / "recommender.json").write_text(
        json.dumps({"format": registry.FORMAT, "model": "oracle", "product_ids": [], "attribute_names": []})
    )
    with pytest.raises(ArtifactError, match="'oracle' is not known"):
        registry.load_verified(tmp_path)


def test_popularity_knows_the_segment_of_a_newcomer_from_the_first_event(shop):
    nameless = shop.with_histories([history(one.rows) for one in shop.histories])
    model = Popularity.fit(nameless)
    drinker, runner, nobody = model.scores([history([0]), history([6]), NOBODY])
    assert drinker[:6].mean() - drinker[6:].mean() > nobody[:6].mean() - nobody[6:].mean() > runner[:6].mean() - runner[6:].mean()


def test_without_attributes_popularity_has_no_segments(shop):
    bare = Interactions(shop.product_ids, shop.shopper_ids, shop.histories)
    model = Popularity.fit(bare)
    np.testing.assert_array_equal(model.scores([history([0], ("club:tea",))]), model.scores([history([6], ("club:tea",))]))


def test_a_kind_of_word_that_says_nothing_counts_for_nothing_in_popularity(shop):
    rng = np.random.default_rng(5)
    tossed = [History(one.rows, one.weights, one.days, (*one.context, f"coin:{rng.integers(2)}")) for one in shop.histories]
    model = Popularity.fit(Interactions(shop.product_ids, shop.shopper_ids, tuple(tossed)))
    newcomer = dict(zip(model.words, model.weights[0].tolist(), strict=True))
    assert newcomer["coin:0"] == newcomer["coin:1"] < 0.2 < newcomer["club:tea"]


def test_a_directory_of_an_older_format_is_refused_with_what_to_do(shop, fitted, tmp_path):
    registry.save(fitted["als"], shop.product_ids, shop.attribute_names, tmp_path / "model")
    described = json.loads((tmp_path / "model" / "recommender.json").read_text())
    del described["format"]
    (tmp_path / "model" / "recommender.json").write_text(json.dumps(described))
    write_card(tmp_path / "model", kind=registry.KIND, name="als", command="", seed=0)
    with pytest.raises(ArtifactError, match=r"format 1 of recommenders, 3 is read here; train it again"):
        registry.load(tmp_path / "model")
