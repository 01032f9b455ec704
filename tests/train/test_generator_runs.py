"""Whole runs of `python -m train.generator` on a table, in this process and on a real Ray cluster."""

import json
import sys
from pathlib import Path

import pytest
import torch
from tiny_generator import save_generator
from transformers import AutoModelForCausalLM

from artifacts.card import verify
from train import generator
from train.evaluate import Asked, evaluate
from train.run.settings import ConfigError
from train.run.tables import read_table

SIZES = {"hidden_size": 32, "layers": 1, "heads": 2, "kv_heads": 1, "intermediate_size": 32, "max_position": 64}


@pytest.fixture(scope="module")
def base(tmp_path_factory, tokenizer_directory) -> Path:
    return save_generator(tmp_path_factory.mktemp("base") / "base", tokenizer_directory, SIZES)


@pytest.fixture
def run(base, tmp_path, monkeypatch):
    """Runs the command on sixty rows, and returns the directory that it left."""
    rows = [{"prompt": f"tea {number}: ", "completion": f"green and warm {number} " * (1 + number % 3)} for number in range(60)]
    rows += [rows[0], {"prompt": "long", "completion": "slowly " * 60}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def main(**settings) -> Path:
        given = {"data": tmp_path / "rows.jsonl", "storage": tmp_path, "threads_per_worker": 1, "learning_rate": 0.01, "max_failures": 0}
        flags = [word for key, value in (given | settings).items() for word in ("--set", f"{key}={value}")]
        where = ["--base", str(base), "--out", str(tmp_path / "out")]
        monkeypatch.setattr(sys, "argv", ["generator", "--config", "train/configs/generator_table.yaml", *where, *flags])
        generator.main()
        return tmp_path / "out"

    return main


def test_adalora_in_packed_rows_leaves_a_whole_model_that_learned(run, base, capsys):
    out = run(method="adalora", rank=2, first_rank=4, packing="true", epochs=12, learning_rate=0.03, workers=0)
    card = verify(out, "generator")
    assert card.metrics["validation_loss"] < card.metrics["before_validation_loss"] - 0.05
    assert "1 repeated" in (shown := " ".join(capsys.readouterr().err.split())) and "1 of more than 64 tokens" in shown
    shapes = [AutoModelForCausalLM.from_pretrained(directory).state_dict() for directory in (base, out)]
    assert shapes[0].keys() == shapes[1].keys()
    checkpoint = max(path for path in out.parent.joinpath(card.config["run"]).glob("checkpoint_*") if path.is_dir())
    weights = torch.load(checkpoint / "state.pt", weights_only=True)["model"]
    assert weights and all("lora_" in name for name in weights), "frozen weights are where they came from"


@pytest.mark.ray
def test_an_adapter_that_was_trained_in_shards_is_merged_into_the_whole_base(ray_cluster, run, base):
    out = run(method="lora", rank=2, parallel="fsdp", workers=2, batch_size=8, epochs=6, learning_rate=0.03, optimizer="adamw")
    card = verify(out, "generator")
    assert card.metrics["validation_loss"] < card.metrics["before_validation_loss"] - 0.05
    before, after = (AutoModelForCausalLM.from_pretrained(directory) for directory in (base, out))
    assert after.lm_head.weight is after.model.embed_tokens.weight
    changed = {name for name, value in after.state_dict().items() if not torch.equal(value, before.state_dict()[name])}
    assert changed and all("_proj" in name for name in changed)


def test_a_prefix_is_left_as_an_adapter_that_can_be_examined(run, tmp_path):
    out = run(method="prefix", prefix_length=4, packing="false", epochs=2, weight_decay=0, workers=0)
    assert verify(out, "adapter").files.keys() == {"adapter_config.json", "adapter_model.safetensors"}
    (tmp_path / "asked.jsonl").write_text(json.dumps({"prompt": "tea 1: ", "reference": "green and warm", "locale": "en"}) + "\n")
    assert evaluate(out, Asked(tmp_path / "asked.jsonl", read_table(tmp_path / "asked.jsonl"))).figures["perplexity"] > 1


def test_a_table_that_can_t_be_used_is_refused_before_anything_runs(run):
    with pytest.raises(ConfigError, match=r"columns\.completion = 'copy'"):
        run(columns="{completion: copy}")
    with pytest.raises(ConfigError, match="no chat template"):
        run(prompt_style="chat")
