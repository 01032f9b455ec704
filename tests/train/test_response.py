"""Training the response model: tables that can and can't be learned from, three models, their export, calibration and figures."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from artifacts.card import ArtifactError
from artifacts.response import Calibration, ResponseModel, tree_values
from artifacts.response_features import Encoded
from train import response_models
from train.impressions import Examples, ImpressionsConfig, parts, read_impressions
from train.response import ResponseConfig, make
from train.response_exam import Responded, calibrated, isotonic, log_loss, platt, response_figures
from train.response_models import ModelsConfig, design, exported_logistic, exported_trees, fitted_logistic, fitted_trees
from train.settings import ConfigError, load_config

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"strengths": (0.1, 1.0), "penalties": (1e-3,), "epochs": 12, "trees": 40, "learning_rate": 0.02, "batch_size": 256}


def table(rows: int = 3000, seed: int = 0) -> pa.Table:
    """Impressions whose click depends on the channel, the principles and the price; some values are missing."""
    rng = np.random.default_rng(seed)
    channel, price = rng.choice(["push", "sms", "email", "banner"], rows), rng.gamma(4, 5, rows)
    value = rng.random(rows) < 0.4
    logits = -1.5 + 1.2 * (channel == "push") - 0.8 * (channel == "banner") + value * (1.0 - 0.04 * price) - 0.02 * price
    clicked = rng.random(rows) < 1 / (1 + np.exp(-logits))
    return pa.table(
        {
            "event_id": [f"e{i}" for i in range(rows)],
            "at": pa.array(np.arange(rows) * 60, pa.timestamp("s")),
            "shopper": [f"s{i}" for i in rng.integers(rows // 10, size=rows)],
            "channel": pa.array([None if rng.random() < 0.05 else each for each in channel.tolist()]),
            "hour": pa.array(rng.integers(24, size=rows), pa.int8()),
            "member": rng.random(rows) < 0.5,
            "principles": [["value", "liking"] if each else ["liking"] if i % 3 else [] for i, each in enumerate(value)],
            "price": pa.array([None if rng.random() < 0.1 else each for each in price.tolist()]),
            "version": [1] * rows,
            "click": clicked.astype(int),
            "conversion": (clicked & (rng.random(rows) < 0.5)).astype(int),
        }
    )


def written(directory: Path, given: pa.Table) -> Path:
    path = directory / "impressions.parquet"
    pq.write_table(given, path)
    return path


def config_for(directory: Path, given: pa.Table, **more) -> ResponseConfig:
    settings = {"data": written(directory, given), "out": directory / "response", "time": "at", "cluster": "shopper", **QUICK, **more}
    return ResponseConfig.model_validate(settings)


def examples(config: ImpressionsConfig):
    """(encoding, training, validation, test)."""
    impressions = read_impressions(config)
    rows = parts(impressions, config)
    encoding = impressions.encoding(rows["training"], config)
    everything = impressions.examples(encoding)
    return encoding, *(everything.take(rows[name]) for name in ("training", "validation", "test"))


# What is read


def test_columns_are_chosen_by_type_and_what_tells_nothing_is_left_out(tmp_path):
    kinds = read_impressions(config_for(tmp_path, table())).kinds
    assert kinds == {"channel": "category", "hour": "category", "member": "category", "principles": "names", "price": "number"}


def test_a_column_that_is_named_is_read_whatever_auto_thinks_of_it(tmp_path):
    assert read_impressions(config_for(tmp_path, table(), features=["shopper", "price"])).kinds == {
        "shopper": "category",
        "price": "number",
    }


def test_a_csv_is_read_like_a_parquet_table(tmp_path):
    given = table().drop_columns(["principles"])
    plain = read_impressions(config_for(tmp_path, given))
    path = tmp_path / "impressions.csv"
    given.to_pandas().to_csv(path, index=False)
    other = read_impressions(config_for(tmp_path, given, data=path))
    assert other.kinds == plain.kinds
    assert (other.happened == plain.happened).all()


def test_the_past_is_trained_on_and_the_future_judged_whatever_the_order_of_the_file(tmp_path):
    given = table(1000)
    shuffled = given.take(pa.array(np.random.default_rng(1).permutation(1000)))
    config = config_for(tmp_path, shuffled, features=["event_id"])
    impressions = read_impressions(config)
    rows = parts(impressions, config)
    said = [impressions.columns["event_id"][i] for i in rows["test"]]
    assert said == [f"e{i}" for i in range(900, 1000)]
    assert (len(rows["training"]), len(rows["validation"])) == (800, 100)


def test_without_time_a_shopper_is_on_one_side_alone(tmp_path):
    config = config_for(tmp_path, table(), time=None)
    impressions = read_impressions(config)
    shoppers = [set(impressions.clusters[rows]) for rows in parts(impressions, config).values()]
    assert len(set.union(*shoppers)) >= sum(map(len, shoppers)) - 2  # the two that a border runs through


def test_conversion_is_foretold_among_clicks(tmp_path):
    given = table()
    impressions = read_impressions(config_for(tmp_path, given, outcome="conversion", among="click"))
    assert len(impressions) == sum(given["click"].to_pylist())
    assert impressions.happened.sum() == sum(given["conversion"].to_pylist())


def test_a_row_weighs_the_inverse_of_its_propensity_up_to_a_cap(tmp_path):
    given = table(1000).append_column("p", pa.array([0.001 if i == 0 else 0.5 if i % 2 else 0.25 for i in range(1000)]))
    weights = read_impressions(config_for(tmp_path, given, propensity="p", weight_cap=50)).weights
    assert weights.mean() == pytest.approx(1)
    assert weights[2] == pytest.approx(2 * weights[1])
    assert weights[0] / weights[1] == pytest.approx(50 * 3.996 / 2)  # 3.996 is the mean inverse propensity


def test_equal_rows_give_equal_levels_and_rare_ones_share_a_place(tmp_path):
    given = table(1000).append_column("brand", pa.array(["common", "other"] * 495 + [f"rare {i}" for i in range(10)]))
    encoding, *_ = examples(config_for(tmp_path, given))
    assert next(each for each in encoding.categories if each.name == "brand").levels == ("common", "other")
    assert encoding.categories[0].codes(["nobody"]).tolist() == [1]


# Tables that can't be learned from


def constant(given: pa.Table, name: str, value: object) -> pa.Table:
    return given.drop_columns([name]).append_column(name, pa.array([value] * given.num_rows))


def replaced(given: pa.Table, name: str, row: int, value: object) -> pa.Table:
    values = given[name].to_pylist()
    values[row - 1] = value
    return given.drop_columns([name]).append_column(name, pa.array(values))


PROPENSITY = pa.array([0.5] * 3000)


@pytest.mark.parametrize(
    ("given", "more", "message"),
    [
        (table().slice(0, 0), {}, "data = '.*': has no row; give a table"),
        (constant(table(), "click", 0), {}, "outcome = 'click': is 0 in all 3000 rows; give a table in which both"),
        (constant(table(), "click", 1), {}, "outcome = 'click': is 1 in all 3000 rows; give a table in which both"),
        (table(), {"outcome": "clicked"}, r"outcome = 'clicked': the table has no such column; name one of \['event_id'"),
        (table(), {"features": ["colour"]}, "features = 'colour': the table has no such column; name some of"),
        (table(), {"features": ["at"]}, r"features = 'at': holds timestamp.*; give text"),
        (table(), {"features": ["price", "click"]}, "features = 'click': is what is foretold.*leave it out"),
        (table(), {"features": []}, r"features = \[\]: nothing to read; name the columns"),
        (table().select(["event_id", "at", "shopper", "click"]), {}, "features = 'auto': no column of .* tells anything; name the columns"),
        (replaced(table(), "click", 7, 2), {}, "outcome = 'click': row 7 holds 2; write 1 where it happened"),
        (replaced(table(), "click", 7, None), {}, "outcome = 'click': row 7 holds None; write 1 where it happened"),
        (replaced(table(), "at", 7, None), {}, "time = 'at': row 7 has none; fill it"),
        (table(), {"time": "shopper"}, "time = 'shopper': holds string, which has no order in time; give instants"),
        (constant(table(), "conversion", 0), {"outcome": "click", "among": "conversion"}, "among = 'conversion': no row has 1 there"),
        (
            replaced(table().append_column("p", PROPENSITY), "p", 9, 0.0),
            {"propensity": "p"},
            "propensity = 'p': row 9 holds 0.0; write the",
        ),
        (replaced(table().append_column("p", PROPENSITY), "p", 9, -0.2), {"propensity": "p"}, "propensity = 'p': row 9 holds -0.2"),
        (replaced(table().append_column("p", PROPENSITY), "p", 9, 1.5), {"propensity": "p"}, "propensity = 'p': row 9 holds 1.5"),
        (replaced(table(), "price", 5, float("inf")), {}, "features = 'price': row 5 is infinite; write a number"),
        (table(60), {}, r"the training part of 48 rows has \d with click = 1 and \d+ with 0, 10 of each are needed; give more rows"),
        (
            table(600),
            {"test_share": 0.01},
            r"the test part of 6 rows has \d .* 5 of each are needed; .*change validation_share and test_share",
        ),
    ],
)
def test_a_table_that_can_not_be_learned_from_is_refused_with_key_value_and_remedy(tmp_path, given, more, message):
    with pytest.raises(ConfigError, match=message):
        make(config_for(tmp_path, given, **more))
    assert not (tmp_path / "response").exists()


def test_errors_count_rows_as_the_file_does(tmp_path):
    backwards = replaced(table(1000), "click", 1000, 3).take(pa.array(np.arange(999, -1, -1)))
    with pytest.raises(ConfigError, match="row 1 holds 3"):
        read_impressions(config_for(tmp_path, backwards))


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
    assert {"true_probability", "true_conversion"} <= set(config.leave_out)


def test_weights_are_taken_with_their_rows():
    rows = Encoded(np.zeros((3, 1), np.int64), np.zeros((3, 0)), np.zeros((3, 0)), np.zeros((3, 0)))
    taken = Examples(rows, np.array([0.0, 1.0, 1.0]), np.array([1.0, 2.0, 3.0])).take(np.array([2, 0]))
    assert (len(taken.rows), taken.rate) == (2, 0.75)
