"""Training the response model: three models, their export, calibration and figures."""

import numpy as np
import pyarrow as pa
import pytest
from responsekit import QUICK, ROOT, config_for, examples, table, written
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from artifacts.card import ArtifactError
from artifacts.impression import COLUMNS
from artifacts.response import Calibration, ResponseModel, tree_values
from artifacts.response_features import Encoded
from train.response import ResponseConfig, make
from train.run.settings import load_config
from train.shoppers import response_models
from train.shoppers.impressions import Examples
from train.shoppers.response_exam import Responded, calibrated, isotonic, log_loss, platt, response_figures
from train.shoppers.response_models import ModelsConfig, design, exported_logistic, exported_trees, fitted_logistic, fitted_trees

# The models


def test_the_exported_logistic_regression_says_what_scikit_learn_says(tmp_path):
    encoding, training, _, test = examples(config_for(tmp_path, table()))
    model = fitted_logistic(design(encoding, training.rows), training, 1.0)
    ours = Calibration().probability(exported_logistic(model).logits(encoding, test.rows))
    assert ours == pytest.approx(model.predict_proba(design(encoding, test.rows))[:, 1], rel=1e-9)


def test_the_exported_trees_say_what_scikit_learn_says_of_missing_and_unseen_values_too(tmp_path):
    given = table().append_column("kind", pa.array([f"k{i * i % 131 % 40}" for i in range(3000)]))
    config = config_for(tmp_path, given, smallest_leaf=5, leaves=16, fewest=1)
    encoding, training, validation, test = examples(config)
    model = fitted_trees(training, validation, config)
    ours = exported_trees(model, len(encoding.categories))
    assert (ours.group >= 0).sum() > 10
    strange = {"channel": ["pigeon", None], "hour": [99, 3], "member": [None, True], "kind": ["k99", "k1"]}
    odd = encoding.encode({**strange, "principles": [["unheard of"], None], "price": [None, 1e6]})
    for rows in (test.rows, odd):
        said = Calibration().probability(ours.logits(encoding, rows))
        assert said == pytest.approx(model.predict_proba(tree_values(rows))[:, 1], rel=1e-9)


def test_exported_trees_say_what_scikit_learn_says_of_more_levels_than_it_tells_apart(tmp_path):
    given = table(4000).append_column("place", pa.array([f"p{i % 400}" for i in range(4000)]))
    config = config_for(tmp_path, given, fewest=1, smallest_leaf=5)
    encoding, training, validation, test = examples(config)
    model = fitted_trees(training, validation, config)
    said = Calibration().probability(exported_trees(model, len(encoding.categories)).logits(encoding, test.rows))
    assert said == pytest.approx(model.predict_proba(tree_values(test.rows))[:, 1], rel=1e-9)


def exclusive_or(rows: int = 4000) -> pa.Table:
    """Clicked nine times in ten where two columns differ, once in ten where they agree: neither tells anything by itself."""
    rng = np.random.default_rng(5)
    first, second = rng.integers(2, size=rows), rng.integers(2, size=rows)
    clicked = rng.random(rows) < np.where(first != second, 0.95, 0.05)
    names = np.array(["no", "yes"])
    return pa.table({"first": names[first], "second": names[second], "click": clicked.astype(int)})


def test_a_factorisation_machine_learns_a_pair_that_logistic_regression_can_not(tmp_path):
    config = config_for(tmp_path, exclusive_or(), time=None, cluster=None, epochs=30)
    encoding, training, validation, test = examples(config)
    auc = {}
    for name in ("logistic", "factorisation_machine"):
        logits = response_models.FITTERS[name](encoding, training, validation, config).logits(encoding, test.rows)
        auc[name] = metrics.roc_auc_score(test.happened, logits)
    assert auc["factorisation_machine"] > 0.9
    assert auc["logistic"] < 0.6


def test_a_factor_of_a_feature_that_training_never_saw_is_zero(tmp_path):
    encoding, training, validation, _ = examples(config_for(tmp_path, exclusive_or(), time=None, cluster=None))
    machine = response_models.factorisation_machine(encoding, training, validation, ModelsConfig(data=tmp_path, **QUICK))
    assert not machine.factors[[0, 1]].any()  # missing and rare: the column has neither
    assert machine.factors[[2, 3]].all()


def test_a_row_that_weighs_more_is_learned_more_from(tmp_path):
    rng = np.random.default_rng(3)
    group = np.where(rng.random(4000) < 0.5, "a", "b")
    clicked = rng.random(4000) < 0.5
    propensity = np.where(clicked, 0.2, 0.8)  # what was clicked had been shown rarely
    given = pa.table({"group": group, "click": clicked.astype(int), "p": propensity})
    weighed = config_for(tmp_path, given, time=None, cluster=None, propensity="p", model="logistic")
    make(weighed)
    assert ResponseModel.read(weighed.out).probability([{"group": "a"}])[0] == pytest.approx(0.8, abs=0.04)


# Calibration and figures


def drawn(rows: int = 6000, seed: int = 0):
    """(log-odds three times too sure of themselves, what happened by the true ones)."""
    rng = np.random.default_rng(seed)
    true = rng.normal(-2.5, 0.8, rows)
    return 3 * true + 2, (rng.random(rows) < 1 / (1 + np.exp(-true))).astype(float)


@pytest.mark.parametrize("method", [platt, isotonic])
def test_calibration_lessens_log_loss_and_calibration_error_on_rows_it_has_not_seen(method):
    (seen, happened), (unseen, truth) = drawn(seed=1), drawn(seed=2)
    ones = np.ones(len(seen))
    before = response_figures(Calibration().probability(unseen), truth, ones)
    after = response_figures(method(seen, happened, ones).probability(unseen), truth, ones)
    assert after["log_loss"] < 0.9 * before["log_loss"]
    assert after["calibration_error"] < 0.5 * before["calibration_error"]
    assert after["normalised_entropy"] < 1 < before["normalised_entropy"]


def test_steps_are_chosen_where_a_curve_needs_them_and_never_with_few_positives():
    rng = np.random.default_rng(4)
    logits = rng.uniform(-4, 0, 8000)
    stair = (rng.random(8000) < np.where(logits > -2, 0.3, 0.02)).astype(float)
    assert calibrated(logits, stair, np.ones(8000), 0)[0].method == "isotonic"
    assert calibrated(logits[:800], stair[:800], np.ones(800), 0)[0].method == "platt"


def test_no_step_is_certain():
    logits, happened = drawn(2000)
    found = isotonic(logits, happened, np.ones(2000)).probability(np.array([-100.0, 100.0]))
    assert 0 < found[0] < found[1] < 1


def test_a_handful_of_positives_does_not_turn_a_model_over():
    logits = np.linspace(-6, -3, 300)
    happened = np.zeros(300)
    happened[:6] = 1  # the least likely ones happened
    found = platt(logits, happened, np.ones(300))
    assert found.slope == 0
    assert found.probability(logits) == pytest.approx(0.02)


def test_platt_finds_the_sigmoid_that_scikit_learn_finds():
    logits, happened = drawn(20000)
    found = platt(logits, happened, np.ones(20000))
    theirs = LogisticRegression(C=1e6).fit(logits[:, None], happened)
    assert (found.slope, found.intercept) == pytest.approx((theirs.coef_[0, 0], theirs.intercept_[0]), abs=1e-3)


def test_figures_are_those_of_scikit_learn_with_ties_and_weights():
    rng = np.random.default_rng(6)
    chances, weights = rng.beta(1, 8, 500).round(2), rng.uniform(0.5, 3, 500)
    happened = (rng.random(500) < chances).astype(float)
    found = response_figures(chances, happened, weights)
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(happened, chances, sample_weight=weights))
    assert found["pr_auc"] == pytest.approx(metrics.average_precision_score(happened, chances, sample_weight=weights))
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(happened, chances, sample_weight=weights))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(happened, np.clip(chances, 1e-12, 1), sample_weight=weights))


def test_normalised_entropy_of_the_base_rate_is_one_and_its_calibration_error_none():
    happened = np.array([1.0, 0, 0, 0] * 50)
    found = response_figures(np.full(200, 0.25), happened, np.ones(200))
    assert found["normalised_entropy"] == pytest.approx(1)
    assert found["calibration_error"] == pytest.approx(0)
    assert (found["roc_auc"], found["pr_auc"]) == (0.5, 0.25)


def test_calibration_error_is_taken_over_bins_of_equal_mass():
    chances = np.repeat(np.linspace(0.001, 0.01, 10), 100)  # all in the first of ten bins of equal width
    happened = np.concatenate([np.r_[1.0, np.zeros(99)]] * 10)  # one in a hundred everywhere
    found = response_figures(chances, happened, np.ones(1000))
    assert found["calibration_error"] == pytest.approx(np.abs(np.linspace(0.001, 0.01, 10) - 0.01).mean())


def test_one_outcome_alone_has_no_ranking():
    assert response_figures(np.array([0.1, 0.2]), np.zeros(2), np.ones(2)).keys() == {"log_loss", "brier", "calibration_error"}
    sat = Responded(np.array([0.1, 0.2]), np.array([0.0, 1.0]), np.ones(2), np.arange(2))
    assert "roc_auc" in sat.figures(np.arange(2)) and "roc_auc" not in sat.figures(np.array([0, 0]))


# The whole run


def test_all_three_are_fitted_and_the_one_with_the_least_validation_loss_is_kept(tmp_path):
    config = config_for(tmp_path, table())
    card = make(config)
    losses = {name: card.metrics[f"{name}_validation_log_loss"] for name in response_models.FITTERS}
    assert card.config["kept"] == min(losses, key=lambda name: losses[name])
    assert card.metrics["test_log_loss"] == card.metrics[f"{card.config['kept']}_test_log_loss"]
    assert card.metrics["test_roc_auc_low"] <= card.metrics["test_roc_auc"] <= card.metrics["test_roc_auc_high"]
    assert card.metrics["test_log_loss"] < card.metrics["base_rate_test_log_loss"]


@pytest.mark.parametrize("name", response_models.FITTERS)
def test_what_is_read_back_says_to_rows_what_the_card_was_judged_by(tmp_path, name):
    config = config_for(tmp_path, table(), model=name)
    card = make(config)
    model = ResponseModel.read(config.out)
    rows = table().slice(2700).to_pylist()
    chances = model.probability(rows)
    happened = np.array([row["click"] for row in rows], float)
    assert card.metrics["test_log_loss"] == pytest.approx(log_loss(chances, happened, np.ones(300)), abs=1e-6)
    assert model.probability([rows[0] | {"channel": "pigeon", "price": None, "principles": None}]).shape == (1,)


@pytest.mark.parametrize("name", response_models.FITTERS)
def test_the_same_seed_makes_the_same_model(tmp_path, name):
    versions = [make(config_for(tmp_path, table(), model=name, out=tmp_path / each)).version for each in ("one", "two")]
    assert versions[0] == versions[1]


def test_an_older_model_is_replaced_and_anything_else_refused(tmp_path):
    config = config_for(tmp_path, table(), model="logistic")
    make(config)
    assert make(config.model_copy(update={"strengths": (0.001,)})).version == ResponseModel.read(config.out).version
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(ArtifactError, match="holds files but no card"):
        make(config.model_copy(update={"out": tmp_path / "mine"}))


def test_a_card_names_no_place_of_this_machine(tmp_path):
    config = config_for(tmp_path, table(), model="logistic")
    assert str(tmp_path) not in str(make(config).config)


def test_the_shipped_settings_are_those_of_the_sample_shop(tmp_path):
    data = written(tmp_path, table())
    config = load_config(ResponseConfig, ROOT / "train" / "configs" / "response.yaml", {"data": str(data)})
    assert (config.model, config.time, config.cluster) == ("all", "at", "shopper_id")
    assert config.features == "served" and not {"true_probability", "true_conversion"} & COLUMNS.keys()


def test_weights_are_taken_with_their_rows():
    rows = Encoded(np.zeros((3, 1), np.int64), np.zeros((3, 0)), np.zeros((3, 0)), np.zeros((3, 0)))
    taken = Examples(rows, np.array([0.0, 1.0, 1.0]), np.array([1.0, 2.0, 3.0])).take(np.array([2, 0]))
    assert (len(taken.rows), taken.rate) == (2, 0.75)
