"""How strategies are examined: whole dialogues on one side, every unit of a fold once, and the mean of the folds with its error."""

import json
from collections import Counter

import numpy as np
import pytest

from benchmarks.train_strategies import by_counting, dialogue_folds, judged, mean, write
from train.texts.labelled import Labelled

ROWS = [
    Labelled(f"{('please give', 'hello there')[number % 2]} {number // 40}", ("appeal", "greeting")[number % 2], together=f"d{number % 20}")
    for number in range(200)
]


def test_folds_of_dialogues_hold_every_unit_out_once_and_keep_dialogues_whole():
    folds = list(dialogue_folds(ROWS))
    assert Counter(row for _, test in folds for row in test) == Counter(ROWS)
    assert all(not {row.together for row in training} & {row.together for row in test} for training, test in folds)


def test_the_baseline_learns_words():
    assert by_counting(ROWS, ROWS[:10], "")["accuracy"] == 1.0


def test_chances_are_judged_by_the_model_s_own_order_of_labels():
    chances = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert judged(chances, ROWS[:2], ["appeal", "greeting"])["accuracy"] == 1.0
    assert judged(chances, ROWS[:2], ["greeting", "appeal"])["accuracy"] == 0.0


def test_folds_are_told_by_their_mean_and_its_standard_error():
    each = [{"accuracy": value, "macro_f1": 0.5, "calibration_error": 0.1} for value in (0.7, 0.8)]
    figures = mean("model", each)
    assert (figures["model_accuracy"], figures["model_accuracy_error"]) == (pytest.approx(0.75), pytest.approx(0.05))
    assert "model_accuracy_error" not in mean("model", each[:1])


def test_a_tenth_of_the_training_rows_is_marked_for_the_temperature(tmp_path):
    lines = [json.loads(line) for line in write(ROWS, tmp_path / "fold").read_text().splitlines()]
    assert len(lines) == 200 and sum(line["held_out"] for line in lines) == 20
