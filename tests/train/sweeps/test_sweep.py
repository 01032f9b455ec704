"""A sweep: which trials it makes and refuses, and small sweeps on a real Ray cluster."""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray

sys.path.insert(0, str(Path(__file__).parents[1]))  # train_fakes: a module that workers import by name

from train_fakes import LineConfig, line

from artifacts.card import verify
from retrieval.recommenders import registry
from train.job import TrainingError
from train.run import cluster
from train.run.settings import ConfigError
from train.sweep import RUNS, Plan, Run, best_of, checked_often, goal_of, main, make_plan, read_plan, sweep
from train.sweeps.trial_table import Goal, Trial
from train.texts.classifier import ClassifierConfig
from train.writing import language_model
from train.writing.generator_config import GeneratorConfig

LINE = Run(LineConfig, line, lambda config: "line", lambda config: [])


def config_in(directory: Path, **settings: object) -> ClassifierConfig:
    return ClassifierConfig(name="tiny", out=directory / "out", storage=str(directory), **settings)


def test_an_invalid_trial_says_which_key_and_the_others_run(tmp_path):
    plan = make_plan(
        "s", config_in(tmp_path, heads=4), [{"hidden_size": 64}, {"hidden_size": 66}, {"dropout": 2}], Goal("m", "min"), ["run"]
    )
    first, second, third = plan.trials
    assert (first.state, first.config["hidden_size"], first.config["storage"]) == ("waiting", 64, str(tmp_path / "s"))
    assert (second.state, third.state) == ("refused", "refused")
    assert "hidden_size = 66 is no multiple of heads = 4" in second.reason
    assert third.reason == "dropout = 2: Input should be less than 1"
    with pytest.raises(ConfigError, match=r"none of the 1 trials has a valid config: dropout = 2"):
        make_plan("s", config_in(tmp_path), [{"dropout": 2}], Goal("m", "min"), [])


def test_trials_of_a_private_run_are_refused(tmp_path, tokenizer_directory):
    data = tmp_path / "data.jsonl"
    data.write_text('{"text": "a", "label": "positive"}')
    run = RUNS["train.sentiment"]
    config = run.config(
        name="p", out=tmp_path / "out", storage=str(tmp_path), data=data, tokenizer=tokenizer_directory, private={"target_epsilon": 3}
    )
    plan = make_plan("s", config, [{"learning_rate": 1e-3}], Goal("validation_loss", "min"), [])
    with pytest.raises(ConfigError, match="private: choosing among trials on the same texts tells more"):
        sweep(run, config, plan)


@pytest.mark.parametrize("module", sorted(RUNS))
def test_every_entry_names_a_command_and_its_own_config_and_loop(module):
    run = RUNS[module]
    command = sys.modules[module]
    kind = run.kind_of(run.config.model_construct(**{name: field.default for name, field in run.config.model_fields.items()}))
    assert command.loop is run.loop
    assert kind == getattr(command, "KIND", registry.KIND if module == "train.recommender" else language_model.KIND)
    assert vars(command)[run.config.__name__] is run.config
    assert callable(command.main)


@pytest.mark.parametrize("module", ["train.generator", "train.alignment"])
def test_a_trial_that_makes_an_adapter_is_published_as_one(module):
    config = RUNS[module].config.model_construct(method="lora", deliver="adapter")
    assert RUNS[module].kind_of(config) == "adapter"
    assert RUNS[module].kind_of(config.model_copy(update={"deliver": None})) == "generator"


@pytest.mark.parametrize("module", ["train.persuasion", "train.clip", "train.recommender"])
def test_the_files_of_a_run_are_keys_of_its_config(module):
    run = RUNS[module]
    assert run.data(run.config.model_construct(**dict.fromkeys(run.config.model_fields))) == []


def test_the_files_of_a_trial_are_those_of_the_plain_run(copybook_directory, tokenizer_directory, tmp_path):
    paths = {"copybook": copybook_directory, "tokenizer": tokenizer_directory, "out": tmp_path / "out"}
    for module in ("train.persuasion", "train.generator"):
        run = RUNS[module]
        assert run.data(run.config(name="tiny", **paths)) == [copybook_directory, tokenizer_directory]


def test_a_hybrid_of_several_runs_is_refused(tmp_path):
    run = RUNS["train.recommender"]
    config = run.config.model_construct(model="hybrid")
    with pytest.raises(ConfigError, match=r"model = 'hybrid'.*sweep its parts"):
        run.data(config)


def test_the_better_end_of_a_metric_is_known_unless_told():
    assert [goal_of(name, None).mode for name in ("validation_loss", "calibration_error", "macro_f1")] == ["min", "min", "max"]
    assert goal_of("perplexity", "min").mode == "min"


def test_trials_are_saved_often_enough_to_be_stopped(tmp_path):
    assert checked_often(config_in(tmp_path)).checkpoint_every_s == 20
    assert checked_often(config_in(tmp_path, max_seconds=40)).checkpoint_every_s == 5
    assert checked_often(config_in(tmp_path, checkpoint_every_s=1)).checkpoint_every_s == 1


def test_a_sweep_that_was_never_begun_can_t_be_resumed(tmp_path):
    with pytest.raises(ConfigError, match=r"--resume 'gone': no plan\.json.*leave --resume out"):
        read_plan(tmp_path / "gone")


def test_a_sweep_without_a_space_is_refused_before_ray_starts(copybook_directory, tokenizer_directory, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(f"name: tiny\nout: {tmp_path / 'out'}\ncopybook: {copybook_directory}\ntokenizer: {tokenizer_directory}\n")
    with pytest.raises(ConfigError, match=r"--space: is required"):
        main(["train.generator", "--config", str(path)])


def test_a_sweep_of_which_no_trial_left_a_model_is_an_error_with_the_reasons():
    trials = (
        Trial("a", {"lr": 1.0}, state="failed", reason="loss = nan at step 3"),
        Trial("b", {"lr": 9}, state="refused", reason="lr = 9"),
    )
    with pytest.raises(TrainingError, match=r"(?s)sweep s: no trial left a model.*a \(lr = 1\): failed loss = nan at step 3\nb \(lr = 9\)"):
        best_of(Plan("s", Goal("loss", "min"), (), trials))


def test_a_sweep_without_workers_is_refused(tmp_path):
    config = LineConfig(name="line", out=tmp_path / "out", storage=str(tmp_path))
    plan = make_plan("sweep", config, [{"workers": 1}, {"workers": 0}], goal_of("error", None), ["python", "-m", "line"])
    with pytest.raises(ConfigError, match=r"workers = 0: the trials of a sweep run side by side.*--set workers=1"):
        sweep(LINE, config, plan)


@pytest.mark.ray
def test_a_sweep_goes_on_after_a_trial_that_failed_stops_the_worse_one_and_publishes_the_best(ray_cluster, tmp_path):
    one_at_a_time, before = int(ray.cluster_resources()["CPU"]), cluster.places()
    sizes = {"threads_per_worker": one_at_a_time, "batch_size": 16, "checkpoint_every_s": 1e-6, "clip_norm": 1e30, "max_failures": 0}
    config = LineConfig(name="line", out=tmp_path / "out", storage=str(tmp_path), **sizes)
    settings = [{"learning_rate": rate} for rate in (1e38, 0.1, 1e-6)]
    card = sweep(LINE, config, make_plan("sweep", config, settings, goal_of("error", None), ["python", "-m", "line"]))
    assert verify(config.out, "line") == card
    assert (card.config["learning_rate"], card.config["run"]) == (0.1, "trial_02")
    held = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    best, worse, failed = held["trials"]
    assert (held["best"], best["settings"], best["state"]) == ("trial_02", {"learning_rate": 0.1}, "done")
    assert best["metric"] == pytest.approx(card.metrics["error"], abs=1e-5)
    assert best["metric"] < worse["metric"] and best["seconds"] > 0
    assert best["command"] == f"python -m line --set learning_rate=0.1 --out {config.out}"
    assert (worse["name"], worse["state"]) == ("trial_03", "stopped early")
    assert failed["state"] == "failed" and failed["reason"].startswith("worker 0 failed: loss = ")
    assert cluster.places() <= before, "the trial that was stopped holds no place"
    again = sweep(LINE, config, read_plan(tmp_path / "sweep"), resume=True)  # all trials have ended: only the tables and the model are made
    assert again.version == card.version


def test_a_trial_whose_data_can_t_be_used_with_its_settings_is_refused_and_where_all_are_the_sweep_says_why(tmp_path, tokenizer_directory):
    folder = tmp_path / "rows"
    folder.mkdir()
    pq.write_table(pa.table({"prompt": ["a"], "text": ["b"]}), folder / "a.parquet")
    config = GeneratorConfig(name="tiny", out=tmp_path / "out", tokenizer=tokenizer_directory, data=folder, storage=str(tmp_path / "runs"))
    plan = make_plan("sweep-1", config, [{"seed": 1}, {"seed": 2}], goal_of("validation_loss", None), ["python"])
    with pytest.raises(TrainingError, match=r"(?s)no trial left a model.*trial_01.*refused.*no column is called completion"):
        sweep(RUNS["train.generator"], config, plan)
    assert [one.state for one in plan.trials] == ["refused", "refused"]
