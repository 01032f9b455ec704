"""What `retrieval/ranking_metrics.py` counts, on rankings small enough to count by hand."""

import math

import numpy as np
import pytest

from retrieval.ranking_metrics import hit_metrics, ranks_of_targets, set_metrics, top_rows
from retrieval.recommenders.contract import History


class Fixed:
    """Scores products by number, the last best, for everybody."""

    def __init__(self, products: int) -> None:
        self.everybody = np.arange(products, dtype=np.float32)

    def scores(self, histories):
        return np.tile(self.everybody, (len(histories), 1))


def history(*rows: int) -> History:
    return History(np.array(rows, np.int64), np.ones(len(rows), np.float32), np.zeros(len(rows), np.float32))


def test_the_place_of_a_target_does_not_count_what_was_seen():
    model = Fixed(10)
    assert ranks_of_targets(model, [history(9), history()], [7, 7]).tolist() == [1, 2]


def test_a_target_that_was_seen_already_is_never_found():
    assert ranks_of_targets(Fixed(10), [history(9)], [9]).tolist() == [10]


def test_equal_scores_count_against_the_target():
    model = Fixed(4)
    model.everybody = np.zeros(4, np.float32)
    assert ranks_of_targets(model, [history()], [0]).tolist() == [3]


def test_hits_and_ndcg_of_one_target():
    found = hit_metrics(np.array([0, 2, 50]), ks=(3,))
    assert found["hr_3"] == pytest.approx(2 / 3)
    assert found["ndcg_3"] == pytest.approx((1 + 1 / math.log2(4)) / 3)


def test_recall_and_ndcg_of_several_targets_leave_out_shoppers_without_any():
    found = set_metrics(Fixed(6), [history(5), history()], [{4, 1}, set()], k=2)
    assert found["recall_2"] == pytest.approx(0.5)
    assert found["ndcg_2"] == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert found["hr_2"] == 1


def test_the_best_rows_come_best_first_without_what_was_seen():
    assert top_rows(Fixed(5), [history(4)], 3).tolist() == [[3, 2, 1]]
    assert top_rows(Fixed(2), [history()], 5).tolist() == [[1, 0]], "no more than there are"
