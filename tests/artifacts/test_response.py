"""The response model as it is served: read from its directory, asked about impressions that are not all alike those it was trained on."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from artifacts.card import ArtifactError, write_card
from artifacts.response import KIND, TREE_CODES, Calibration, Machine, ResponseModel, Trees, tree_values
from artifacts.response_features import Category, Encoded, Encoding, Names, Number, ResponseError, word

ENCODING = Encoding((Category("channel", ("push", "sms")),), (Names("principles", ("value", "liking")),), (Number("price", 10.0, 2.0),))
ROW = {"channel": "push", "principles": ["value"], "price": 12.0}
# missing, rare, push, sms, value, liking, price
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])


def machine(factors: np.ndarray | None = None) -> Machine:
    return Machine(np.array([-1.0]), WEIGHTS, np.zeros((7, 0)) if factors is None else factors)


def stump(*, feature: int, threshold: float = np.inf, group: int = -1, ways: np.ndarray | None = None, missing_left: bool = False) -> Trees:
    """One split: 1 to the left, -1 to the right."""
    return Trees(
        bias=np.zeros(1),
        roots=np.array([0]),
        feature=np.array([feature, 0, 0]),
        threshold=np.array([threshold, np.inf, np.inf]),
        left=np.array([1, 1, 2]),
        right=np.array([2, 1, 2]),
        missing_left=np.array([missing_left, False, False]),
        value=np.array([0.0, 1.0, -1.0]),
        group=np.array([group, -1, -1]),
        goes_left=np.zeros((1, TREE_CODES + 1), bool) if ways is None else ways,
        depth=np.array([1]),
    )


def model(scorer: Machine | Trees, calibration: Calibration | None = None) -> ResponseModel:
    return ResponseModel("click", ENCODING, scorer, calibration or Calibration(), 0.1)


def log_odds(chances: np.ndarray) -> np.ndarray:
    return np.log(chances / (1 - chances))


def saved(model: ResponseModel, directory: Path) -> Path:
    directory.mkdir()
    model.save(directory)
    write_card(directory, kind=KIND, name="response", command="pytest", seed=0)
    return directory


def test_log_odds_are_the_sum_of_the_weights_of_what_a_row_says():
    assert log_odds(model(machine()).probability([ROW])) == pytest.approx([-1 + 0.3 + 0.5 + 0.7])


def test_a_pair_counts_by_the_product_of_its_factors():
    factors = np.zeros((7, 2))
    factors[2], factors[4], factors[6] = (1, 2), (3, 4), (5, 6)
    pairs = (1 * 3 + 2 * 4) + (1 * 5 + 2 * 6) + (3 * 5 + 4 * 6)
    assert log_odds(model(machine(factors / 4)).probability([ROW])) == pytest.approx([0.5 + pairs / 16])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"channel": None}, -1 + 0.1 + 0.5 + 0.7),
        ({"channel": float("nan")}, -1 + 0.1 + 0.5 + 0.7),
        ({"channel": "carrier pigeon"}, -1 + 0.2 + 0.5 + 0.7),
        ({"principles": None}, -1 + 0.3 + 0.7),
        ({"principles": ["unheard of", "liking"]}, -1 + 0.3 + 0.6 + 0.7),
        ({"price": None}, -1 + 0.3 + 0.5),
        ({"price": 1e9}, -1 + 0.3 + 0.5 + 5 * 0.7),
        ({"colour": "red"}, -1 + 0.3 + 0.5 + 0.7),
    ],
)
def test_missing_unseen_and_absurd_values_are_read_and_unknown_columns_ignored(changed, expected):
    assert log_odds(model(machine()).probability([ROW | changed])) == pytest.approx([expected])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"channel": "push", "price": 12.0}, r"row 2 lacks column 'principles'; give \['channel', 'principles', 'price'\]"),
        (ROW | {"price": "twelve"}, "column 'price', row 2: 'twelve' is no finite number"),
        (ROW | {"price": float("inf")}, "column 'price', row 2: inf is no finite number"),
        (ROW | {"principles": "value"}, "column 'principles', row 2: 'value' is no list"),
    ],
)
def test_what_can_not_be_read_is_named_by_column_and_row(row, message):
    with pytest.raises(ResponseError, match=message):
        model(machine()).probability([ROW, row])


def test_no_impression_has_no_probability():
    assert model(machine()).probability([]).shape == (0,)
    assert model(stump(feature=3)).probability([]).shape == (0,)


def test_numbers_and_booleans_name_the_same_category_however_they_are_held():
    assert word(3) == word(3.0) == word("3") == word(np.int32(3)) == word(np.float64(3)) == "3"
    assert word(True) == word(np.bool_(True)) == "true"
    assert word(None) == word(float("nan")) == word("") == ""


@pytest.mark.parametrize(("price", "left"), [(10.0, True), (11.0, True), (11.1, False), (None, False)])
def test_a_tree_splits_a_number_at_its_threshold_and_sends_a_missing_one_its_own_way(price, left):
    found = log_odds(model(stump(feature=3, threshold=11.0)).probability([ROW | {"price": price}]))
    assert found == pytest.approx([1.0 if left else -1.0])
    other = log_odds(model(stump(feature=3, threshold=11.0, missing_left=True)).probability([ROW | {"price": None}]))
    assert other == pytest.approx([1.0])


def test_a_tree_splits_a_category_by_its_codes():
    ways = np.zeros((1, TREE_CODES + 1), bool)
    ways[0, [1, 3]] = True  # rare and sms
    found = model(stump(feature=0, group=0, ways=ways)).probability([ROW | {"channel": name} for name in ("push", "sms", "pigeon", None)])
    assert log_odds(found) == pytest.approx([-1, 1, 1, -1])


def test_trees_read_levels_beyond_those_they_tell_apart_as_rare():
    codes = np.array([[TREE_CODES], [TREE_CODES + 1]])
    rows = Encoded(codes, np.zeros((2, 0)), np.zeros((2, 0)), np.zeros((2, 0)))
    assert tree_values(rows)[:, 0].tolist() == [TREE_CODES, 1]


def test_calibration_changes_probabilities_and_not_their_order():
    plain = model(machine()).probability([ROW, ROW | {"channel": "sms"}, ROW | {"price": 4.0}])
    for calibration in (Calibration(0.5, -2.0), Calibration(logits=(-3.0, 0.0, 3.0), chances=(0.01, 0.02, 0.2))):
        found = model(machine(), calibration).probability([ROW, ROW | {"channel": "sms"}, ROW | {"price": 4.0}])
        assert (np.argsort(found) == np.argsort(plain)).all()
        assert found.max() < plain.max()


@pytest.mark.parametrize("scorer", [machine(), machine(np.arange(14.0).reshape(7, 2) / 20), stump(feature=3, threshold=11.0)])
@pytest.mark.parametrize("calibration", [Calibration(0.9, 0.1), Calibration(logits=(-1.0, 1.0), chances=(0.1, 0.2))])
def test_a_directory_gives_back_the_model_that_was_saved(tmp_path, scorer, calibration):
    rows = [ROW, ROW | {"channel": "sms", "price": None}]
    before = model(scorer, calibration)
    after = ResponseModel.read(saved(before, tmp_path / "response"))
    assert after.probability(rows).tolist() == before.probability(rows).tolist()
    assert (after.outcome, len(after.version)) == ("click", 12)


def test_a_directory_holds_json_and_arrays_alone(tmp_path):
    directory = saved(model(machine()), tmp_path / "response")
    assert {path.name for path in directory.iterdir()} == {"card.json", "response.json", "response.safetensors"}
    assert json.loads((directory / "response.json").read_text(encoding="utf-8"))["scorer"] == "machine"


def test_a_changed_directory_is_refused(tmp_path):
    directory = saved(model(machine()), tmp_path / "response")
    (directory / "response.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"response\.json.*SHA-256"):
        ResponseModel.read(directory)


def test_serving_it_loads_neither_training_nor_scikit_learn_nor_torch():
    script = "import sys, artifacts.response; print(sorted({'train', 'sklearn', 'torch', 'scipy', 'pyarrow'} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
