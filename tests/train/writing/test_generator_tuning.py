"""What of a base learns, by every method, and what the run leaves: a whole model that loads as any other, or an adapter."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from tiny_generator import save_generator
from transformers import AutoModelForCausalLM, AutoTokenizer

from artifacts.card import ArtifactError, write_card
from train.evaluate import Asked, evaluate
from train.run.settings import ConfigError
from train.run.tables import read_table
from train.writing.generator_exam import Writer
from train.writing.language_model import CopyLoss, LanguageModelConfig, export, start, written
from train.writing.padding import collate
from train.writing.tuning import ADAPTER, TuningConfig, adapted, budget, merged

SIZES = {"hidden_size": 32, "layers": 2, "heads": 2, "kv_heads": 1, "intermediate_size": 48, "max_position": 64}
BATCH = [([5, 6, 7, 8, 9, 10], [-100, -100, 7, 8, 9, 10]), ([7, 8, 9], [-100, 8, 9]), ([11, 12, 13, 14], [-100, -100, -100, 14])]
METHODS = ("lora", "adalora", "prefix")


@pytest.fixture(scope="module")
def base(tmp_path_factory, tokenizer_directory) -> Path:
    return save_generator(tmp_path_factory.mktemp("base") / "base", tokenizer_directory, SIZES)


def config_of(base, tmp_path, **settings) -> LanguageModelConfig:
    return LanguageModelConfig(name="tiny", out=tmp_path / "out", base=base, rank=2, first_rank=4, prefix_length=4, **settings)


def tuned(config, steps=12):
    """(tokenizer, the model after a few steps on one batch, the loss before, after)."""
    torch.manual_seed(1)
    tokenizer, model = start(config)
    model = CopyLoss(adapted(model, config))
    allocate = budget(model.language_model)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02)
    batch = collate(BATCH, 0)
    before = float(model.eval()(**batch).detach())
    for step in range(steps):
        model.train()
        optimizer.zero_grad()
        model(**batch).backward()
        optimizer.step()
        if allocate:
            allocate(step / steps)
    return tokenizer, model, before, float(model.eval()(**batch).detach())


@pytest.mark.parametrize("method", ("full", *METHODS))
def test_every_method_learns_and_leaves_the_base_alone_but_for_full(method, base, tmp_path):
    config = config_of(base, tmp_path, method=method)
    _, model, before, after = tuned(config)
    assert after < before - 0.03
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert (learning == sum(p.numel() for p in model.parameters())) == (method == "full")


@pytest.mark.parametrize("method", ("lora", "adalora"))
def test_a_merged_adapter_is_an_ordinary_model_that_says_the_same(method, base, tmp_path):
    config = config_of(base, tmp_path, method=method)
    tokenizer, model, _, _ = tuned(config)
    export(model, tmp_path / "merged", tokenizer=tokenizer, config=config)
    assert not list((tmp_path / "merged").glob("adapter*"))
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32).eval()
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").eos_token_id == tokenizer.eos_token_id
    batch = collate(BATCH, 0)
    with torch.no_grad():
        expected = model(**batch)
        assert float(CopyLoss(merged(model.language_model))(**batch)) == pytest.approx(float(expected), abs=1e-4)
        assert float(CopyLoss(loaded)(**batch)) == pytest.approx(float(expected), abs=0.02)  # bf16
        assert isinstance(model.language_model, PeftModel), "the run's own model stays as it was"


@pytest.mark.parametrize("method", METHODS)
def test_an_adapter_is_read_again_on_its_base_and_can_be_examined(method, base, tmp_path):
    config = config_of(base, tmp_path, method=method, deliver="adapter")
    tokenizer, model, _, after = tuned(config)
    export(model, config.out, tokenizer=tokenizer, config=config)
    assert str(tmp_path) not in (config.out / "adapter_config.json").read_text()
    card = {"kind": ADAPTER, "name": "tiny", "command": "pytest", "seed": 0}
    write_card(config.out, **card, config={"base": str(base)})
    writer = Writer(config.out)
    with torch.no_grad():
        assert float(CopyLoss(writer.model).eval()(**collate(BATCH, 0))) == pytest.approx(after, abs=1e-4)
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "<|zh|>", "reference": "泡一壶茶", "locale": "zh-CN"}) + "\n")
    found = evaluate(config.out, Asked(rows, read_table(rows)), against=base)
    assert found.figures["perplexity"] != found.figures["perplexity_of_the_other"]
    write_card(config.out, **card, config={"base": "gone"})
    with pytest.raises(ConfigError, match="base 'gone' isn't there; name it with --base DIR"):
        Writer(config.out)
    assert Writer(config.out, base).style == "compact"


def test_adalora_gives_its_budget_to_the_matrices_that_need_it_and_keeps_to_it(base, tmp_path):
    _, model, _, _ = tuned(config_of(base, tmp_path, method="adalora"), steps=30)
    ranks = [int((p != 0).sum()) for name, p in model.named_parameters() if "lora_E" in name]
    assert sum(ranks) <= 2 * len(ranks) < 4 * len(ranks)
    assert len(set(ranks)) > 1, "not all the same"


def test_adalora_that_goes_on_after_the_cut_keeps_what_was_cut(base, tmp_path):
    _, model, _, _ = tuned(config_of(base, tmp_path, method="adalora"), steps=30)
    held = {name: p.clone() for name, p in model.named_parameters() if "lora_E" in name}
    again = CopyLoss(adapted(start(config_of(base, tmp_path))[1], config_of(base, tmp_path, method="adalora")))
    again.load_state_dict(model.state_dict())
    allocate = budget(again.language_model)
    allocate(0.9)
    with torch.no_grad():
        for name, p in again.named_parameters():
            if name in held:
                p.add_(1)
    allocate(0.95)
    assert all(((p != 0) == (held[name] != 0)).all() for name, p in again.named_parameters() if name in held)


def test_a_prefix_also_writes(base, tmp_path):
    tokenizer, model, _, _ = tuned(config_of(base, tmp_path, method="prefix"))
    texts = written(model.language_model, tokenizer, [[5, 6], [7, 8, 9]], 0, max_new_tokens=4)
    assert texts == written(model.language_model, tokenizer, [[5, 6], [7, 8, 9]], 0, max_new_tokens=4) and len(texts) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "adalora", "rank": 12}, "first_rank = 12 is not above rank = 12"),
        ({"method": "adalora", "parallel": "fsdp"}, "parallel = 'fsdp' with method = 'adalora': it ranks whole matrices"),
        ({"method": "prefix", "deliver": "merged"}, "a prefix is no change of weights"),
        ({"method": "prefix", "recompute_activations": True}, "a prefix would be lost"),
        ({"method": "full", "deliver": "adapter"}, "method = 'full' has none"),
    ],
)
def test_settings_that_can_t_work_say_why(settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        TuningConfig(name="tiny", out=tmp_path, **settings)


def test_an_adapter_from_scratch_is_refused(tokenizer_directory, tmp_path):
    with pytest.raises(ValueError, match="adapts a base, and none is given"):
        LanguageModelConfig(name="tiny", out=tmp_path, tokenizer=tokenizer_directory, method="lora")


def test_a_tokenizer_that_does_not_belong_to_its_base_is_refused(base, tmp_path):
    foreign = tmp_path / "foreign"
    model = AutoModelForCausalLM.from_pretrained(base)
    model.resize_token_embeddings(100)
    model.save_pretrained(foreign)
    AutoTokenizer.from_pretrained(base).save_pretrained(foreign)
    with pytest.raises(ValueError, match="its embedding 100; they don't belong together: put the base's own tokenizer"):
        start(config_of(foreign, tmp_path))


def test_a_base_that_was_tampered_with_is_refused(base, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in base.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "generation_config.json").write_text("{}")
    with pytest.raises(ArtifactError):
        start(config_of(copy, tmp_path))


def test_activations_can_be_recomputed(base, tmp_path):
    model = CopyLoss(start(config_of(base, tmp_path))[1]).train()
    batch = collate(BATCH, 0)
    model(**batch).backward()
    plain = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model(**batch).backward()
    assert all(torch.allclose(p.grad, plain[name], atol=1e-6) for name, p in model.named_parameters())
