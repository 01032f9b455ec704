"""Figures of an examination, their intervals, and what makes one model better than another."""

import numpy as np
import pytest
from sklearn import metrics

from train.exams.exam import Classified, Paired, by_slice, class_figures, compared, draws, examined
from train.exams.gate import too_unequal


def sat(share_right: float, rows: int = 400, **more) -> Classified:
    """A model of two classes that is right on the first `share_right` of the rows, 0.9 sure of itself."""
    truth = np.arange(rows) % 2
    right = np.arange(rows) < share_right * rows
    said = np.where(right, truth, 1 - truth)
    chances = np.full((rows, 2), 0.1)
    chances[np.arange(rows), said] = 0.9
    return Classified(chances, truth, **{"clusters": np.arange(rows), **more})


def test_figures_are_what_their_definitions_say():
    chances = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])
    figures = class_figures(chances, np.array([0, 0, 1, 1]))
    assert figures["accuracy"] == 0.75
    assert figures["precision"] == pytest.approx((2 / 3 + 1) / 2)
    assert figures["recall"] == pytest.approx((1 + 0.5) / 2)
    assert figures["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert figures["roc_auc"] == pytest.approx(0.5)
    assert figures["log_loss"] == pytest.approx(-np.log([0.8, 0.6, 0.7, 0.1]).mean())


def test_figures_are_those_of_scikit_learn():
    random = np.random.default_rng(1)
    chances, truth = random.dirichlet((1, 1, 1), 200).round(2), random.integers(0, 3, 200)
    figures, best = class_figures(chances, truth), chances.argmax(axis=1)
    assert figures["precision"] == pytest.approx(metrics.precision_score(truth, best, average="macro"))
    assert figures["recall"] == pytest.approx(metrics.recall_score(truth, best, average="macro"))
    assert figures["macro_f1"] == pytest.approx(metrics.f1_score(truth, best, average="macro"))
    ours = [metrics.roc_auc_score(truth == each, chances[:, each]) for each in range(3)]
    assert figures["roc_auc"] == pytest.approx(np.mean(ours))


def test_one_class_alone_has_no_roc():
    assert "roc_auc" not in class_figures(np.array([[0.8, 0.2], [0.6, 0.4]]), np.array([0, 0]))


def test_an_interval_holds_its_figure_and_narrows_with_rows():
    few, many = examined(sat(0.8, 60))["accuracy"], examined(sat(0.8, 600))["accuracy"]
    assert few.low < few.value < few.high
    assert many.high - many.low < (few.high - few.low) / 2


def test_rows_that_hang_together_count_once():
    alone, in_tens = examined(sat(0.8))["accuracy"], examined(sat(0.8, clusters=np.arange(400) // 40))["accuracy"]
    assert in_tens.high - in_tens.low > 2 * (alone.high - alone.low)


def test_a_cluster_is_drawn_whole():
    clusters = np.array([0, 0, 0, 1, 2, 2])
    for rows in draws(clusters, 50, seed=3):
        taken = np.bincount(rows, minlength=6)
        assert taken[0] == taken[1] == taken[2]
        assert taken[4] == taken[5]


def test_equal_models_do_not_differ_and_a_better_one_does():
    assert compared(sat(0.8), sat(0.8))["accuracy"].p == 1
    better = compared(sat(0.9), sat(0.8))["accuracy"]
    assert better.value == pytest.approx(0.1)
    assert better.low > 0
    assert better.p < 0.01


def test_models_that_sat_different_exams_are_not_compared():
    other = sat(0.8)
    with pytest.raises(ValueError, match="same examples"):
        compared(sat(0.8), Classified(other.chances, 1 - other.truth, other.clusters))


def test_slices_tell_where_a_model_is_weak():
    shelves = np.where(np.arange(400) < 300, "books", "fruit")
    found = by_slice(sat(0.75, slices={"category": shelves}))["category"]
    assert found["books"]["accuracy"].value == 1
    assert found["fruit"]["accuracy"].value == 0


def test_a_slice_of_a_few_rows_tells_nothing():
    shelves = np.where(np.arange(400) < 395, "books", "fruit")
    assert set(by_slice(sat(0.75, slices={"category": shelves}))["category"]) == {"books"}


def test_opposite_faults_of_two_groups_do_not_cancel():
    truth, groups = np.arange(800) % 2, np.where(np.arange(800) < 400, "a", "b")
    right = np.arange(800) % 20 < np.where((groups == "a") == (truth == 0), 18, 10)
    chances = np.eye(2)[np.where(right, truth, 1 - truth)]
    found = by_slice(Classified(chances, truth, np.arange(800), {"group": groups}, ("bad", "good")))
    assert found["group"]["a"]["recall"].value == found["group"]["b"]["recall"].value
    said = too_unequal(found, {"recall": 0.05})
    assert [each.split(" ")[0] for each in said] == ["recall_bad", "recall_good"]
    assert too_unequal(found, {"accuracy": 0.05}) == []


def test_draws_are_of_all_rows_and_take_no_more_memory_than_one():
    drawn = draws(np.array([3, 1, 1, 2]), 40, seed=0)
    assert next(drawn).max() < 4
    rows = np.concatenate(list(drawn))
    assert set(rows.tolist()) == {0, 1, 2, 3}
    assert (np.bincount(rows)[1] == np.bincount(rows)[2]).all()


def test_a_tie_is_half_a_win():
    pairs = Paired(np.array([1.0, 0.0, -1.0, 2.0]), np.arange(4))
    assert examined(pairs)["pairwise_accuracy"].value == pytest.approx(2.5 / 4)


@pytest.mark.parametrize("rows", [0, 3])
def test_an_exam_needs_as_many_rows_of_everything(rows):
    with pytest.raises(ValueError, match="as many rows"):
        Classified(np.zeros((4, 2)), np.zeros(rows, np.int64), np.arange(4))


def test_no_pair_has_no_accuracy():
    with pytest.raises(ValueError, match="at least one"):
        Paired(np.array([]), np.array([]))


def test_of_two_that_choose_between_pairs_the_better_one_is_told():
    tests = np.arange(200) // 4
    good, poor = (Paired(np.where(np.arange(200) % 10 < right, 1.0, -1.0), tests) for right in (9, 6))
    better = compared(good, poor)["pairwise_accuracy"]
    assert better.value == pytest.approx(0.3)
    assert better.p < 0.01
