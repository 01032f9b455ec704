"""Real runs in miniature, on a real Ray cluster and in this process."""

import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

sys.path.insert(0, str(Path(__file__).parent))  # train_fakes: a module that workers import by name

from train_fakes import LineConfig, greedy, line, write_reviews

from artifacts.card import verify
from serve.scorers.persuasion import PersuasionScorer
from serve.voices import Voices
from train import generator, persuasion, sentiment, voice
from train.generator import GeneratorConfig
from train.job import TrainingError, launch
from train.persuasion import PersuasionConfig
from train.run.settings import ConfigError
from train.sentiment import SentimentConfig
from train.texts.judged_copy import LABELS

TINY = {"workers": 2, "threads_per_worker": 1, "batch_size": 4, "report_every_s": 1e-6, "checkpoint_every_s": 1e-6, "max_failures": 0}


def reports(storage: Path, run: object) -> list[dict[str, float]]:
    """The lines of a run's metrics file."""
    return [json.loads(text) for text in (storage / str(run) / "metrics.jsonl").read_text().splitlines()]


def line_config(directory: Path, **settings: object) -> LineConfig:
    return LineConfig(name="line", out=directory / "out", storage=str(directory), **{**TINY, "learning_rate": 0.05, **settings})


@pytest.fixture(scope="module")
def generator_config(tmp_path_factory, copybook_directory, tokenizer_directory) -> GeneratorConfig:
    directory = tmp_path_factory.mktemp("runs")
    sizes = {"hidden_size": 32, "layers": 1, "heads": 2, "kv_heads": 1, "intermediate_size": 32, "max_position": 128}
    paths = {"out": directory / "model", "storage": str(directory), "copybook": copybook_directory, "tokenizer": tokenizer_directory}
    return GeneratorConfig(name="tiny", epochs=3, held_out=0.1, optimizer="muon", **TINY, **sizes, **paths)


@pytest.fixture(scope="module")
def generator_card(ray_cluster, generator_config):
    return launch(generator.loop, generator_config, kind="generator", data=[generator_config.copybook])


@pytest.mark.ray
def test_a_run_leaves_a_verified_model_and_its_metrics(generator_card, generator_config):
    assert verify(generator_config.out, "generator") == generator_card
    assert {"validation_loss", "new_brief_loss", "before_validation_loss"} <= generator_card.metrics.keys()
    assert len(generator_card.data_hash) == 64
    found = reports(Path(generator_config.storage), generator_card.config["run"])
    assert found[-1]["done"] == 1.0
    assert found[-1]["step"] == generator_card.metrics["step"] == 3
    assert AutoModelForCausalLM.from_pretrained(generator_config.out).config.vocab_size == len(
        AutoTokenizer.from_pretrained(generator_config.out)
    )


@pytest.mark.ray
def test_a_voice_changes_its_base_and_serves_once_it_is_published(
    generator_card, generator_config, copybook_directory, tmp_path, monkeypatch
):
    source, voices, out = tmp_path / "quiet", tmp_path / "voices", tmp_path / "out"
    shutil.copytree(copybook_directory, source / "copybook")
    (source / "guide.yaml").write_text("name: quiet\nsays: {en: quietly}\n")
    settings = {
        **TINY,
        "workers": 0,
        "source": source,
        "base": generator_config.out,
        "voices": voices,
        "storage": tmp_path,
        "epochs": 2,
        "rank": 2,
    }
    chosen = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    monkeypatch.setattr(sys, "argv", ["voice", "--config", "train/configs/voice.yaml", "--out", str(out), *chosen])
    voice.main()
    held = Voices(voices).get("quiet")
    assert (held.fault, held.adapter.misfit(generator_card.version), held.guide.says) == ("", "", {"en": "quietly"})
    card = verify(Path(held.adapter.path), "voice")
    assert card.files.keys() == {"adapter_config.json", "adapter_model.safetensors", "guide.yaml"}
    assert (
        card.metrics["new_brief_loss"]
        != card.metrics["before_new_brief_loss"]
        == pytest.approx(generator_card.metrics["new_brief_loss"], abs=0.02)
    )
    checkpoint = max(path for path in (tmp_path / card.config["run"]).glob("checkpoint_*") if path.is_dir())
    weights = torch.load(checkpoint / "state.pt", weights_only=True)["model"]
    assert weights and all("lora_" in name for name in weights), "frozen weights are where they came from"
    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(generator_config.out), held.adapter.path)


def test_a_voice_without_a_guide_is_refused_before_anything_runs(copybook_directory, tmp_path, monkeypatch):
    shutil.copytree(copybook_directory, tmp_path / "mute" / "copybook")
    chosen = ["--set", f"source={tmp_path / 'mute'}", "--base", "models/generator"]
    monkeypatch.setattr(sys, "argv", ["voice", "--config", "train/configs/voice.yaml", *chosen])
    with pytest.raises(ConfigError, match=r"guide\.yaml: can't be read"):
        voice.main()


@pytest.mark.ray
def test_a_run_of_a_cluster_goes_on_without_it_from_before_a_damaged_checkpoint_and_back(generator_card, generator_config):
    run = Path(generator_config.storage) / generator_card.config["run"]
    checkpoints = sorted(path for path in run.glob("checkpoint_*") if path.is_dir())
    assert len(checkpoints) == 2
    (checkpoints[-1] / "state.pt").write_bytes(b"cut short")
    longer = generator_config.model_copy(update={"epochs": 5.0, "workers": 0, "batch_size": 8})
    card = launch(generator.loop, longer, kind="generator", data=[longer.copybook], resume=run.name)
    steps = [report["step"] for report in reports(run.parent, run.name)]
    assert steps == [1, 2, 3, 3, 4, 5, 5]  # the first run's steps and end, then on from the checkpoint after step 3, and the end
    assert card.metrics["before_validation_loss"] == generator_card.metrics["before_validation_loss"]
    assert card.version != generator_card.version
    assert all(path.is_dir() for path in run.glob("checkpoint_*")), "Ray Train's list of checkpoints names some that are gone"
    back = launch(
        generator.loop, generator_config.model_copy(update={"epochs": 6.0}), kind="generator", data=[longer.copybook], resume=run.name
    )
    assert [report["step"] for report in reports(run.parent, run.name)][len(steps) :] == [6, 6]
    assert back.metrics["before_validation_loss"] == card.metrics["before_validation_loss"]


@pytest.mark.ray
def test_workers_that_can_t_be_placed_are_an_error_not_a_wait(ray_cluster, tmp_path):
    with pytest.raises(TrainingError, match=r"workers = 40.*ask for less"):
        launch(line, line_config(tmp_path, workers=40, start_timeout_s=3), kind="line", data=[])


def test_a_failing_loop_names_the_run_and_how_to_go_on(generator_config):
    config = generator_config.model_copy(update={"verticals": ("toys",), "workers": 0})
    with pytest.raises(TrainingError, match=r"(?s)verticals = \['toys'\].*--resume"):
        launch(generator.loop, config, kind="generator", data=[])


@pytest.mark.ray
def test_a_worker_that_runs_out_of_memory_is_told_what_to_lower(ray_cluster, tmp_path):
    with pytest.raises(TrainingError, match=r"(?s)can't allocate memory.*too little memory.*accumulate=4.*fsdp.*batch_size.*--resume"):
        launch(greedy, line_config(tmp_path, workers=1), kind="line", data=[])


def test_the_best_weights_are_exported_where_a_metric_is_named(tmp_path):
    config = line_config(tmp_path, workers=0, batch_size=16, epochs=1, learning_rate=3.0, keep_best="error")
    card = launch(line, config, kind="line", data=[])
    errors = [report["error"] for report in reports(tmp_path, card.config["run"])][:-1]
    assert min(errors) < errors[-1], "a learning rate so high that the last step is not the best"
    assert card.metrics["error"] == pytest.approx(min(errors), rel=1e-5)
    with pytest.raises(TrainingError, match=r"keep_best = 'accuracy': the run doesn't report it; name one of error"):
        launch(line, config.model_copy(update={"keep_best": "accuracy", "max_failures": 0}), kind="line", data=[])


@pytest.mark.ray
def test_batches_in_parts_train_two_workers_to_the_line_of_whole_ones(ray_cluster, tmp_path):
    found = []
    for name, settings in (("whole", {"workers": 0, "batch_size": 8}), ("parts", {"accumulate": 2})):
        config = line_config(tmp_path / name, epochs=3, precision="fp32", checkpoint_every_s=60, **settings)
        found.append(launch(line, config, kind="line", data=[]).metrics["error"])
    assert found[1] == pytest.approx(found[0], rel=1e-3)


def test_the_sentiment_scorer_says_how_many_reviews_it_left_out_and_when_consent_was_asked_for(tmp_path, tokenizer_directory, capsys):
    consent_at = datetime(2026, 1, 15, 12, tzinfo=UTC)
    sizes = {"hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 16, "held_out": 0.3}
    paths = {"out": tmp_path / "out", "storage": str(tmp_path), "data": write_reviews(tmp_path), "tokenizer": tokenizer_directory}
    config = SentimentConfig(name="tiny", consent_at=consent_at, **{**TINY, "workers": 0}, **sizes, **paths)
    card = launch(sentiment.loop, config, kind="sentiment", data=[config.data])
    shown = " ".join(capsys.readouterr().err.split())
    assert "left out beside 40 texts: 41 of shoppers who do not consent" in shown and "training on 28 examples" in shown
    assert datetime.fromisoformat(card.config["consent_at"]) == consent_at


def test_the_persuasion_scorer_has_its_labels_and_a_temperature(tmp_path, copybook_directory, tokenizer_directory):
    sizes = {"hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 16, "held_out": 0.3}
    paths = {"out": tmp_path / "out", "storage": str(tmp_path), "copybook": copybook_directory, "tokenizer": tokenizer_directory}
    config = PersuasionConfig(name="tiny", epochs=2, **{**TINY, "workers": 0}, **sizes, **paths)
    card = launch(persuasion.loop, config, kind="persuasion", data=[copybook_directory])
    model = AutoModelForSequenceClassification.from_pretrained(config.out)
    assert tuple(model.config.id2label[number] for number in range(len(LABELS))) == LABELS
    assert model.config.calibration_temperature > 0
    assert model.dtype.itemsize == 4
    assert {"f1_scarcity", "accuracy_persuasive", "calibration_error"} <= card.metrics.keys()
    assert AutoTokenizer.from_pretrained(config.out)("hello")["input_ids"][0] == 1  # <|bos|> first


@pytest.mark.ray
def test_persuasion_is_learned_from_the_copybook_and_from_outcomes_against_moved_embeddings(ray_cluster, tmp_path, copybook_directory):
    """Two workers, a tokenizer of the run's own, a GRU: every rank must take the same steps whatever its batches hold."""
    rows = [
        {"test": f"t{number}", "text": f"{mood} tea {number}", "impressions": 500, "clicks": clicks}
        for number in range(12)
        for mood, clicks in (("warm", 40), ("cold", 20))
    ]
    tests = tmp_path / "tests.jsonl"
    tests.write_text("\n".join(map(json.dumps, rows)))
    sizes = {"architecture": "gru", "vocabulary": 400, "hidden_size": 16, "layers": 1, "heads": 2, "held_out": 0.25}
    paths = {"out": tmp_path / "out", "storage": str(tmp_path), "copybook": copybook_directory, "pairs": tests}
    config = PersuasionConfig(name="tiny", epochs=2, adversarial=0.1, **TINY, **sizes, **paths)
    card = launch(persuasion.loop, config, kind="persuasion", data=[tests])
    assert {"pairwise_accuracy", "pairwise_accuracy_significant", "f1_scarcity", "temperature"} <= card.metrics.keys()
    described = (tmp_path / str(card.config["run"]) / "report" / "data_card.md").read_text(encoding="utf-8")
    assert "tests.jsonl" in described and "| longest |" in described
    assert set(PersuasionScorer(str(config.out)).score(["warm tea"])[0].principles) == set(LABELS[:-1])
