"""Settings of a run, the schedule, shards, what the terminal shows, and the metrics: everything that needs no Ray."""

import io
import json
import re
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from artifacts.card import CARD, ArtifactError, verify
from tests import commands
from train import tokenizer
from train.generator import GeneratorConfig, start
from train.job import launch, run_command
from train.reports.metrics import calibration_error, class_temperature, f1, label_temperature, sigmoid, softmax
from train.run.loop import in_bf16, shard
from train.run.optimizers import learning_rate_share
from train.run.progress import ProgressDisplay
from train.run.publish import MODEL, publish
from train.run.settings import ConfigError, TrainConfig, data_hash, load_config, parse_overrides, read_command_line
from train.texts.classifier import ClassifierConfig

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def config_file(tmp_path, copybook_directory, tokenizer_directory):
    path = tmp_path / "run.yaml"
    path.write_text(f"name: tiny\nout: {tmp_path / 'out'}\ncopybook: {copybook_directory}\ntokenizer: {tokenizer_directory}\nepochs: 2\n")
    return path


def test_overrides_win_over_the_file(config_file):
    config = load_config(GeneratorConfig, config_file, parse_overrides(["epochs=0.5", "verticals=[food]"]))
    assert (config.epochs, config.verticals, config.name) == (0.5, ("food",), "tiny")
    assert config.copybook.is_absolute()


def test_an_unknown_key_is_refused_with_its_value_and_the_nearest_name(config_file):
    with pytest.raises(ConfigError, match=r"learning_rte = 0.1.*unknown key.*'learning_rate'"):
        load_config(GeneratorConfig, config_file, {"learning_rte": "0.1"})


def test_a_bad_value_names_key_value_and_remedy(config_file):
    with pytest.raises(ConfigError, match=r"workers = '-1'.*greater than or equal to 0.*--set workers="):
        load_config(GeneratorConfig, config_file, {"workers": "-1"})


def test_missing_data_is_refused_before_anything_starts(config_file):
    with pytest.raises(ConfigError, match=r"copybook = 'no/such/place'.*no such file.*--set copybook="):
        load_config(GeneratorConfig, config_file, {"copybook": "no/such/place"})


def test_a_missing_key_is_named(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("name: tiny\n")
    with pytest.raises(ConfigError, match=r"out: is required.*--set out="):
        load_config(TrainConfig, path)


@pytest.mark.parametrize("kind", [GeneratorConfig, ClassifierConfig])
def test_a_base_that_is_no_model_directory_is_refused(config_file, tmp_path, kind):
    config_file.write_text(f"name: tiny\nout: out\n{'copybook: ' + str(tmp_path) if kind is GeneratorConfig else ''}\n")
    with pytest.raises(ConfigError, match=r"base = .*no config.json.*save_pretrained"):
        load_config(kind, config_file, {"base": str(tmp_path)})


def test_a_generator_without_a_start_is_refused(config_file, tmp_path):
    config_file.write_text(f"name: tiny\nout: out\ncopybook: {tmp_path}\n")
    with pytest.raises(ConfigError, match="neither base nor tokenizer"):
        load_config(GeneratorConfig, config_file)


def test_a_changed_tokenizer_is_refused(config_file, tokenizer_directory, tmp_path):
    config = load_config(GeneratorConfig, config_file, {"tokenizer": str(tokenizer_directory.parent)})
    with pytest.raises(ArtifactError, match="not complete"):
        start(config)


def test_command_line_options_become_overrides(config_file, tmp_path):
    argv = ["--config", str(config_file), "--set", "seed=9", "--out", str(tmp_path / "other"), "--resume", "tiny-1"]
    config, resume = read_command_line(GeneratorConfig, config_file, argv)
    assert (config.seed, config.out.name, resume) == (9, "other", "tiny-1")


def test_a_pair_without_an_equals_sign_and_a_missing_config_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"--set 'epochs'.*key=value"):
        parse_overrides(["epochs"])
    with pytest.raises(ConfigError, match=r"no such file; pass --config"):
        load_config(TrainConfig, tmp_path / "none.yaml")


def test_an_override_that_is_no_yaml_is_named_with_its_value_and_the_remedy(config_file):
    with pytest.raises(ConfigError, match=r"epochs = '\[': not a YAML value .*write --set epochs=VALUE"):
        load_config(GeneratorConfig, config_file, {"epochs": "["})


def test_a_config_that_is_no_text_is_named(tmp_path):
    (tmp_path / "run.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"run\.yaml: not YAML .*mend the file"):
        load_config(TrainConfig, tmp_path / "run.yaml")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--config", "nope"], "config 'nope': no such file; pass --config"),
        (["--set", "vocabulary=5"], "vocabulary = '5': Input should be greater than or equal to 1024"),
        (["--set", "size=5"], "size = 5: unknown key; use one of"),
        (["--out", "train"], "train': holds files but no card.json and would be deleted; name a directory"),
    ],
)
def test_the_tokenizer_s_command_says_what_is_wrong_without_a_traceback(monkeypatch, arguments, complaint):
    monkeypatch.chdir(Path(__file__).parents[3])
    monkeypatch.setattr(sys, "argv", ["train.tokenizer", *arguments])
    with pytest.raises(SystemExit, match=f"error: .*{re.escape(complaint)}"):
        run_command(tokenizer.main)


def test_resuming_a_run_that_does_not_exist_is_refused(config_file, tmp_path):
    config = load_config(GeneratorConfig, config_file, {"storage": str(tmp_path)})
    with pytest.raises(ConfigError, match=r"--resume 'gone': no such run"):
        launch(start, config, kind="generator", data=[], resume="gone")


def test_an_output_that_is_no_older_model_of_the_kind_is_refused_before_ray_starts(config_file, tmp_path, tokenizer_directory):
    config = load_config(GeneratorConfig, config_file, {"storage": str(tmp_path / "runs"), "out": str(tokenizer_directory)})
    for out, reason in (
        (tokenizer_directory, "is a 'tokenizer' directory"),
        (tokenizer_directory.parent, r"holds files but no card\.json"),
    ):
        with pytest.raises(ArtifactError, match=rf"out = '{out}': {reason}.*older generator"):
            launch(start, config.model_copy(update={"out": out}), kind="generator", data=[])
    assert not (tmp_path / "runs").exists() and (tokenizer_directory / "tokenizer.json").is_file()


def test_an_older_model_is_replaced_and_what_came_to_lie_there_meanwhile_is_not(config_file, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    (checkpoint / MODEL).mkdir(parents=True)
    (checkpoint / MODEL / "weights.bin").write_bytes(b"weights")
    config = load_config(GeneratorConfig, config_file)
    finish = partial(publish, checkpoint, config, kind="generator", run="tiny-1", hashed="", metrics={})
    finish()
    (config.out / "of the older one").write_text("x")
    assert finish() == verify(config.out, "generator")
    (config.out / CARD).unlink()
    with pytest.raises(ArtifactError, match="would be deleted"):
        finish()
    assert (config.out / "weights.bin").is_file()


def test_more_workers_than_this_machine_has_are_refused(config_file, tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("ray.is_initialized", lambda: False)  # this process may have joined a cluster
    done = commands.run("train.generator", "--config", config_file, "--set", "workers=4000", "--set", f"storage={tmp_path}")
    assert done.status == 1
    assert re.search(r"^error: workers = 4000.*lower", done.err, re.MULTILINE), done.err


def test_data_hash_follows_the_contents(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.txt").write_text("one")
    before = data_hash([data])
    assert data_hash([data]) == before
    (data / "a.txt").write_text("two")
    assert data_hash([data]) != before


def test_the_learning_rate_rises_then_falls_to_five_percent():
    shares = [learning_rate_share(done, 0.1) for done in np.linspace(0, 1, 101)]
    assert shares[0] == 0
    assert shares[10] == pytest.approx(1)
    assert shares[100] == pytest.approx(0.05)
    assert shares[10:] == sorted(shares[10:], reverse=True)


def test_ranks_share_an_epoch_equally_and_nothing_twice():
    batches = [shard(103, 24, seed=1, epoch=2, rank=rank, world=3, lengths=list(range(103))) for rank in range(3)]
    assert [len(own) for own in batches] == [4, 4, 4]
    seen = [number for own in batches for batch in own for number in batch]
    assert len(seen) == len(set(seen)) == 96
    again, other = (shard(103, 24, seed=1, epoch=epoch, rank=0, world=3, lengths=list(range(103))) for epoch in (2, 3))
    assert np.array_equal(batches[0], again)
    assert not np.array_equal(batches[0], other)


def test_the_order_of_an_epoch_stays_what_it_was():
    """Checkpoints of older runs go on in it, and shipped models were made in it."""
    lengths = [number * 7 % 11 for number in range(20)]
    assert [batch.tolist() for batch in shard(20, 6, seed=3, epoch=1, rank=0, world=1, lengths=lengths)] == [
        [0, 11, 8, 19, 16, 5],
        [2, 13, 10, 7, 18, 4],
        [15, 12, 1, 9, 17, 6],
    ]


def test_data_smaller_than_a_batch_is_repeated_to_fill_it():
    assert [len(batch) for batch in shard(3, 16, seed=0, epoch=0, rank=1, world=2)] == [8]


def test_progress_prints_phases_and_keeps_reports(tmp_path):
    stream = io.StringIO()
    with ProgressDisplay("run-1", tmp_path / "run-1" / "metrics.jsonl", stream) as display:
        display.show({"phase": "starting Ray"})
        display.show({"done": 1.0, "step": 7, "loss": 1.25, "tokens_per_s": 1234.0})
    assert "starting Ray" in stream.getvalue()
    assert "step 7 · loss 1.250 · tokens_per_s 1,234" in stream.getvalue()
    assert json.loads((tmp_path / "run-1" / "metrics.jsonl").read_text()) == {"done": 1.0, "step": 7, "loss": 1.25, "tokens_per_s": 1234.0}


def test_calibration_error_is_zero_when_confidence_is_right_and_large_when_not():
    confidence = np.full(100, 0.75)
    right = np.arange(100) < 75
    assert calibration_error(confidence, right) == pytest.approx(0, abs=1e-9)
    assert calibration_error(np.full(100, 0.99), right) == pytest.approx(0.24, abs=1e-9)


def test_temperature_tames_an_overconfident_model():
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 3))
    labels = np.array([random.choice(3, p=row) for row in softmax(logits)])
    assert class_temperature(logits * 4, labels) == pytest.approx(4, rel=0.15)
    binary = (random.random((4000, 2)) < sigmoid(logits[:, :2])).astype(float)
    binary[:100] = -1
    assert label_temperature(logits[:, :2] * 3, binary) == pytest.approx(3, rel=0.2)


def test_f1_of_half_right():
    assert f1(np.array([True, True, False]), np.array([True, False, True])) == 0.5
    assert f1(np.array([False]), np.array([False])) == 0.0


@pytest.mark.parametrize(("instruction", "reduced"), [("avx512_bf16", True), ("amx_bf16", True), ("avx512_f", False)])
def test_auto_precision_is_bf16_only_where_the_processor_has_instructions_for_it(monkeypatch, instruction, reduced):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {instruction: True})
    assert in_bf16("auto", torch.device("cpu")) is reduced
    assert in_bf16("bf16", torch.device("cpu"))
    assert not in_bf16("fp32", torch.device("cpu"))


def test_a_base_may_be_a_registry_whose_serving_version_is_meant(tmp_path, tokenizer_directory):
    version = tmp_path / "registry" / "v-0123456789ab"
    version.mkdir(parents=True)
    (version / "config.json").write_text("{}")
    (tmp_path / "registry" / "current").write_text(f"{version.name}\n")
    config = GeneratorConfig(name="tiny", out=tmp_path / "out", copybook=tmp_path, base=tmp_path / "registry")
    assert config.base == version
    (tmp_path / "registry" / "current").write_text("../elsewhere\n")
    with pytest.raises(ValueError, match="is no name of a version"):
        GeneratorConfig(name="tiny", out=tmp_path / "out", copybook=tmp_path, base=tmp_path / "registry")
