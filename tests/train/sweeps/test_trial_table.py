"""The trials of a sweep as a table: in a terminal, as lines, as a page, and the command that makes each again."""

import io
import itertools
import json
import shlex

from rich.console import Console

from train.run.settings import load_config, parse_overrides
from train.sweeps.trial_table import Goal, Trial, TrialTable, command_of, write_tables
from train.texts.classifier import ClassifierConfig


def test_the_best_trial_is_the_best_of_those_that_left_a_model():
    trials = [
        Trial("a", {}, state="done", metric=0.5),
        Trial("b", {}, state="stopped early", metric=0.1),
        Trial("c", {}, state="failed", reason="loss = nan"),
        Trial("d", {}, state="done", metric=0.4),
    ]
    assert [one.name for one in Goal("m", "min").ranked(trials)] == ["d", "a", "b", "c"]
    assert Goal("m", "max").best(trials) is trials[0]
    assert Goal("m", "min").best(trials[1:3]) is None


def test_the_command_of_a_trial_gives_its_settings_back(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(f"name: tiny\nout: {tmp_path / 'other'}\n")
    settings = {"learning_rate": 1.2e-05, "architecture": "gru", "layers": 2, "onnx": False}
    words = shlex.split(command_of(["python", "-m", "train.x", "--config", str(path), "--set", "seed=4"], settings, tmp_path / "my out"))
    assert words[-2:] == ["--out", str(tmp_path / "my out")]
    chosen = [word for before, word in itertools.pairwise(words) if before == "--set"]
    config = load_config(ClassifierConfig, path, parse_overrides(chosen))
    assert {key: getattr(config, key) for key in settings} == settings
    assert config.seed == 4


def test_where_there_is_no_terminal_each_change_is_one_line():
    stream = io.StringIO()
    with TrialTable("s", [Trial("trial_01", {"dropout": 0.25})], Goal("loss", "min"), stream) as table:
        table.change("trial_01", state="running")
        table.change("trial_01", state="running")
        table.change("trial_01", state="done", metric=0.5, seconds=3)
    assert stream.getvalue().splitlines() == [
        "s: trial_01 running · dropout = 0.25",
        "s: trial_01 done · dropout = 0.25 · loss 0.5000",
    ]


def test_the_table_in_a_terminal_has_the_best_on_top():
    trials = [
        Trial("trial_01", {"dropout": 0.2}, state="running"),
        Trial("trial_02", {"dropout": 0.3}, state="done", metric=0.25, seconds=9),
    ]
    console = Console(file=io.StringIO(), width=120)
    console.print(TrialTable("s", trials, Goal("loss", "min"), io.StringIO()).drawn())
    rows = [" ".join(row.strip("│").split()) for row in console.file.getvalue().splitlines() if "trial_" in row]
    assert rows == ["trial_02 │ dropout = 0.3 │ 0.2500 │ 9 │ done", "trial_01 │ dropout = 0.2 │ │ 0 │ running"]


def test_the_page_has_every_trial_best_first_and_the_command_of_the_best(tmp_path):
    trials = [
        Trial("a", {"lr": 1.0}, state="failed", reason="loss = nan | at 3"),
        Trial("b", {"lr": 2.0}, {"lr": 2.0}, state="done", metric=0.5, seconds=7.4),
    ]
    page = write_tables(tmp_path / "s", trials, Goal("loss", "min"), {"a": "run a", "b": "run b"})
    assert page.read_text().splitlines()[4:] == [
        "| trial | settings | loss | seconds | state |",
        "| --- | --- | --- | --- | --- |",
        "| b | lr = 2 | 0.5000 | 7 | done |",
        "| a | lr = 1 |  | 0 | failed: loss = nan \\| at 3 |",
        "",
        "Best: b. The same run again:",
        "",
        "    run b",
    ]
    held = json.loads((tmp_path / "s" / "sweep.json").read_text())
    assert (held["best"], held["trials"][1]["command"], held["trials"][0]["seconds"]) == ("b", "run a", 7.4)
