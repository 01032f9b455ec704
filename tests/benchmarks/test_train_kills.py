"""What is counted of runs that were killed, on runs that the test makes up."""

import json

import pytest

from artifacts.card import Card
from benchmarks import train_kills
from benchmarks.train_kills import Blow, Run, told
from copywriting.slots import slots_in


def card(files, **metrics):
    return Card("k", "n", "v", "now", "commit", "command", 0, metrics={"step": 90.0} | metrics, files=files)


@pytest.fixture
def run(tmp_path):
    """A run with checkpoints at 20, 50 and 90 that was begun at 0, and again at 20 and at 50."""
    found = Run("generator", tmp_path, name="r", begins=[(0.0, 0), (40.0, 20), (90.0, 50)])
    (tmp_path / "runs" / "r").mkdir(parents=True)
    reports = [{"step": 1, "loss": 1.0}, *({"step": step, "loss": 1.0, "validation_loss": 1.0} for step in (20, 50, 90))]
    lines = [json.dumps(report) for report in reports]
    (tmp_path / "runs" / "r" / "metrics.jsonl").write_text("\n".join([*lines[:2], '{"step": 2', *lines[2:]]))  # a line that a kill cut
    return found


def test_steps_and_time_that_kills_cost_are_counted(run):
    blows = [Blow(10.0, True, step=24, saved=20), Blow(60.0, False, step=50, saved=50)]
    figures = told("generator", card({"w": "1"}), card({"w": "1"}), run, blows)
    assert figures == {
        "generator_kills": 2,
        "generator_same_model": "yes",
        "generator_older": 0,
        "generator_steps": 90,
        "generator_steps_lost": 2.0,
        "generator_steps_lost_most": 4,
        "generator_interval": 40,
        "generator_seconds_to_go_on": 30.0,
    }


def test_a_run_that_goes_on_from_an_older_checkpoint_is_counted(run):
    blows = [Blow(10.0, True, step=60, saved=50)]
    figures = told("generator", card({"w": "1"}), card({"w": "1"}), run, blows)
    assert (figures["generator_older"], figures["generator_steps_lost_most"]) == (1, 40)


def test_models_that_differ_are_told_by_their_figures(run):
    figures = told("generator", card({"w": "1"}, loss=0.5, before_loss=1.0), card({"w": "2"}, loss=0.25, before_loss=1.0), run, [])
    assert figures["generator_same_model"] == "step 90.0000 → 90.0000; loss 0.5000 → 0.2500"


def test_pairs_of_the_copybook_prefer_a_piece_to_a_flat_statement(tmp_path, monkeypatch):
    monkeypatch.setattr(train_kills, "_PAIRS", tmp_path / "pairs.jsonl")
    train_kills.write_pairs()
    rows = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 800 and len({row["prompt"] for row in rows}) > 700
    assert all(row["chosen"] != row["rejected"] and slots_in(row["rejected"]) for row in rows)
