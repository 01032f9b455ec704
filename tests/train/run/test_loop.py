"""One step of the loop that every run shares: in parts it is the step that it is at once, with less memory."""

import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from pyarrow.fs import LocalFileSystem
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from train.run import checkpoints, worker
from train.run.checkpoints import State
from train.run.loop import Recipe, in_parts, recompute_activations, shard, step
from train.run.optimizers import optimizer_of
from train.run.settings import TrainConfig

POINTS = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))


def config(**settings):
    return TrainConfig(name="line", out=Path("out"), precision="fp32", **settings)


def recipe():
    def batch(numbers, _epoch):
        chosen = POINTS[list(numbers)]
        return {"points": chosen, "sums": chosen.sum(1, keepdim=True)}

    return Recipe(
        count=12,
        batch=batch,
        loss=lambda model, batch: ((model(batch["points"]) - batch["sums"]) ** 2).mean(),
        evaluate=lambda _: {},
        export=lambda *_: None,
    )


def after_a_step(accumulate):
    torch.manual_seed(0)
    model, settings = nn.Linear(4, 1), config(accumulate=accumulate, learning_rate=0.1)
    parts = [recipe().batch(part, 0) for part in in_parts(range(12), accumulate)]
    loss, seen = step(model, optimizer_of(model, settings), parts, recipe(), settings)
    return model.weight.detach().clone(), loss, seen


@pytest.mark.parametrize("accumulate", [2, 5, 12, 40])
def test_a_step_in_parts_is_the_same_step(accumulate):
    weight, loss, seen = after_a_step(1)
    again, loss_in_parts, seen_in_parts = after_a_step(accumulate)
    torch.testing.assert_close(again, weight, rtol=1e-4, atol=1e-6)
    assert loss_in_parts == pytest.approx(loss, rel=1e-5) and seen_in_parts == seen == 12


def test_parts_are_of_nearly_the_same_length_and_none_is_empty():
    assert [len(part) for part in in_parts(range(10), 4)] == [2, 3, 2, 3]
    assert [list(part) for part in in_parts([5, 6], 8)] == [[5], [6]]


def llama():
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 64}
    return LlamaForCausalLM(LlamaConfig(**sizes)).train()


def kept_bytes(model):
    """Bytes that the forward pass keeps for the backward pass."""
    ids, kept = torch.arange(64).reshape(2, 32) % 64, []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor.numel() * tensor.element_size()) or tensor, lambda t: t
    ):
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
    loss.backward()
    return sum(kept), model.get_input_embeddings().weight.grad


def test_recomputing_activations_keeps_fewer_and_gives_the_same_gradients():
    plain, recomputing = llama(), llama()
    recompute_activations(recomputing, config(recompute_activations=True))
    (much, gradient), (little, same) = kept_bytes(plain), kept_bytes(recomputing)
    torch.testing.assert_close(same, gradient)
    assert little < 0.6 * much


def test_a_model_that_can_t_recompute_is_named_with_the_remedy():
    with pytest.raises(ValueError, match=r"recompute_activations = True: Linear can't; pass --set recompute_activations=false"):
        recompute_activations(nn.Linear(4, 1), config(recompute_activations=True))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_activations_that_wait_in_the_machine_s_memory_leave_the_gpu_room_and_change_nothing():
    def peak(offload):
        model, settings = llama().cuda(), config(offload_activations=offload, recompute_activations=True)
        recompute_activations(model, settings)
        given = Recipe(
            12, lambda *_: {}, lambda model, batch: model(**batch, labels=batch["input_ids"]).loss, lambda _: {}, lambda *_: None
        )
        rows = [{"input_ids": torch.arange(64 * 512).reshape(64, 512) % 64}]
        torch.cuda.reset_peak_memory_stats()
        step(model, optimizer_of(model, settings), rows, given, settings)
        return torch.cuda.max_memory_allocated(), model.get_input_embeddings().weight.detach().cpu()

    (much, plain), (little, offloaded) = peak(False), peak(True)
    torch.testing.assert_close(offloaded, plain)
    assert little < much


def test_a_figure_that_is_no_number_replaces_no_best_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoints.worker, "rank", lambda: 0)
    monkeypatch.setattr(checkpoints.worker, "world_size", lambda: 1)
    monkeypatch.setattr(checkpoints.worker, "put", lambda directory, name: shutil.copytree(directory, tmp_path / name, dirs_exist_ok=True))
    monkeypatch.setattr(checkpoints.worker, "got", lambda name: nullcontext(tmp_path / name))
    monkeypatch.setattr(checkpoints.worker, "drop", lambda prefix, last, keep: None)
    said = list[dict[str, str]]()
    monkeypatch.setattr(checkpoints.worker, "tell", said.append)
    model, state = nn.Linear(1, 1, bias=False), State()
    for weight, accuracy in ((1.0, 0.8), (2.0, float("nan")), (3.0, 0.7)):
        state.step += 1
        nn.init.constant_(model.weight, weight)
        checkpoints.keep_if_best(model, state, "accuracy", {"accuracy": accuracy})
    checkpoints.back_to_the_best(model, state, torch.device("cpu"))
    assert (state.best, state.best_at, model.weight.item()) == (0.8, 1, 1.0)
    assert said == [{"phase": "accuracy is nan at step 2: no number, so these weights are not the best"}]


def test_of_what_is_kept_under_a_name_the_last_ones_stay(monkeypatch, tmp_path):
    monkeypatch.setattr(worker, "_storage", lambda: (LocalFileSystem(), str(tmp_path)))
    for number in (3, 20, 100, 1000):
        (tmp_path / f"best-{number:09d}").mkdir()
    (tmp_path / "checkpoint_1").mkdir()
    worker.drop("best-", last="best-000000100", keep=2)
    assert {path.name for path in tmp_path.iterdir()} == {"best-000000020", "best-000000100", "checkpoint_1"}


def test_nothing_to_learn_from_is_an_error_and_no_endless_loop():
    with pytest.raises(ValueError, match="no example is left to learn from"):
        shard(0, 8, seed=0, epoch=0, rank=0, world=1)
