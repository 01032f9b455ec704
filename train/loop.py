"""The training loop that every run shares: seeds, shards, steps. What is trained is the caller's `Recipe`.

Data-parallel by DDP. Every rank takes the same number of steps; rank 0's clock decides for all when to save and when to stop. A
run that goes on from a checkpoint sees the batches that it would have seen.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from train import flops, job
from train.checkpoints import restore, save
from train.clock import Clock
from train.exhibits import Exhibits, write_exhibits
from train.optimizers import Optimizer, learning_rate_share, optimizer_of
from train.publish import MODEL
from train.settings import TrainConfig

Batch = Mapping[str, Tensor]
_BUCKET = 16  # batches that are sorted by length together: little padding, still well mixed


@dataclass(frozen=True, slots=True)
class Recipe:
    """What `fit` needs to know of a model: its data, its loss, how it is judged and how it is written."""

    count: int
    """Number of training examples."""
    batch: Callable[[Sequence[int], int], Batch]
    """(example numbers, epoch) → tensors, first dimension the batch. Must depend on nothing else, so that a run can be resumed."""
    loss: Callable[[nn.Module, Batch], Tensor]
    """(model, batch) → scalar. The model may be wrapped by DDP: call it, don't reach into it."""
    evaluate: Callable[[nn.Module], dict[str, float]]
    """Metrics on held-out data, on rank 0 with the bare model in eval mode and without gradients."""
    export: Callable[[nn.Module, Path], None]
    """Write the model directory (no card)."""
    lengths: Sequence[int] = ()
    """Length of each example, where batches should hold examples of similar length."""
    exhibits: Callable[[nn.Module], Exhibits] | None = None
    """What the report at the end shows of held-out data, on rank 0 with the bare model in eval mode and without gradients."""


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch. Call it before the model is made."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def shard(count: int, batch_size: int, *, seed: int, epoch: int, rank: int, world: int, lengths: Sequence[int] = ()) -> list[list[int]]:
    """This rank's batches of one epoch as example numbers; every rank gets equally many. Data smaller than one round of batches is
    repeated to fill it."""
    order = np.random.default_rng((seed, epoch)).permutation(count).tolist()
    block = batch_size * world
    while len(order) < block:
        order += order
    if lengths:
        order = [
            i
            for start in range(0, len(order), block * _BUCKET)
            for i in sorted(order[start : start + block * _BUCKET], key=lengths.__getitem__)
        ]
    rounds = [order[start : start + block] for start in range(0, len(order) - block + 1, block)]
    random.Random(f"{seed}/{epoch}").shuffle(rounds)
    return [batch[rank::world] for batch in rounds]


def fit(config: TrainConfig, model: nn.Module, recipe: Recipe) -> None:
    """Train until the epochs or the seconds are over, then save a last checkpoint with the exported model. Call on every rank."""
    torch.set_num_threads(config.threads_per_worker)
    device = job.device()
    optimizer = optimizer_of(model.to(device), config)
    recompute_activations(model, config)
    seed_everything(config.seed + job.rank())  # dropout differs by rank; a restored run goes on with its own random state
    state = restore(model, optimizer, device)
    wrapped = job.distributed(model)
    if not state.before:
        job.tell({"phase": "measuring before training"})
        state.before = {f"before_{key}": value for key, value in _evaluate(model, recipe).items()}
    steps_per_epoch = len(shard(recipe.count, config.batch_size, seed=0, epoch=0, rank=0, world=job.world_size()))
    job.tell({"phase": f"training on {recipe.count} examples" + (f" from step {state.step}" if state.step else "")})
    cost = flops.cost_of(model)
    peak = flops.peak(device, bf16=in_bf16(config.precision, device)) if cost else None
    clock = Clock(config, steps_per_epoch, state, peak)
    for parts in _batches(config, recipe, steps_per_epoch, state.step):
        done, save_now = clock.agree(device)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * learning_rate_share(done, config.warmup)
        loss, tokens = step(wrapped, optimizer, parts, recipe, config)
        clock.count(loss, tokens, sum(cost.of(batch) for batch in parts if "input_ids" in batch) if cost else 0.0)
        held_out = _evaluate(model, recipe) if save_now else {}
        if save_now:
            save(model, optimizer, state, held_out)
        clock.report(optimizer.param_groups[0]["lr"], held_out)  # last, so that measuring and saving slow no interval down
    job.tell({"phase": "measuring and saving"})
    metrics = _evaluate(model, recipe) | state.before
    save(model, optimizer, state, metrics, partial(_finish, model, recipe))
    job.tell({"done": 1.0, "step": state.step, "loss": clock.loss, **metrics})


def _batches(config: TrainConfig, recipe: Recipe, steps_per_epoch: int, start: int) -> Iterator[list[Batch]]:
    """This rank's batches from step `start` on, each in its parts, without end; the clock stops the run."""
    number = start
    while True:
        epoch = number // steps_per_epoch
        own = shard(
            recipe.count, config.batch_size, seed=config.seed, epoch=epoch, rank=job.rank(), world=job.world_size(), lengths=recipe.lengths
        )
        for indices in own[number % steps_per_epoch :]:
            yield [recipe.batch(part, epoch) for part in in_parts(indices, config.accumulate)]
            number += 1


def in_parts(indices: Sequence[int], count: int) -> list[Sequence[int]]:
    """As many parts as asked for, of nearly the same length; fewer where there are fewer examples."""
    size = math.ceil(len(indices) / count)
    return [indices[begin : begin + size] for begin in range(0, len(indices), size)]


def step(model: nn.Module, optimizer: Optimizer, parts: Sequence[Batch], recipe: Recipe, config: TrainConfig) -> tuple[float, int]:
    """One update from the parts of a batch, whose gradients are averaged by their examples; workers exchange them once, with the last
    part. Returns (loss, tokens or examples seen)."""
    model.train()
    optimizer.zero_grad(set_to_none=True)
    device = next(model.parameters()).device
    sizes = [len(next(iter(batch.values()))) for batch in parts]
    total, tokens = 0.0, 0
    for number, (batch, size) in enumerate(zip(parts, sizes, strict=True), 1):
        last = number == len(parts)
        with nullcontext() if last else _unshared(model):
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=in_bf16(config.precision, device)):
                loss = recipe.loss(model, {key: value.to(device) for key, value in batch.items()}) * (size / sum(sizes))
            loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
        tokens += batch["input_ids"].numel() if "input_ids" in batch else size
    nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
    optimizer.step()
    return total, tokens


def _unshared(model: nn.Module) -> AbstractContextManager[None]:
    """Where DDP wraps the model, its gradients stay with this worker for now."""
    return model.no_sync() if isinstance(model, nn.parallel.DistributedDataParallel) else nullcontext()


def recompute_activations(model: Any, config: TrainConfig) -> None:
    """Let the model compute activations again in the backward pass where the settings want it. Raises ValueError for one that can't."""
    if config.recompute_activations:
        if not hasattr(model, "gradient_checkpointing_enable") or not getattr(model, "supports_gradient_checkpointing", False):
            raise ValueError(f"recompute_activations = True: {type(model).__name__} can't; pass --set recompute_activations=false")
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def in_bf16(precision: str, device: torch.device) -> bool:
    """Whether the forward pass runs in bf16: as told, or, for `auto`, where the processor has instructions for it."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def _evaluate(model: nn.Module, recipe: Recipe) -> dict[str, float]:
    """On rank 0, which alone reports; the other ranks wait for it when they next save."""
    if job.rank() != 0:
        return {}
    model.eval()
    with torch.no_grad():
        return recipe.evaluate(model)


def _finish(model: nn.Module, recipe: Recipe, directory: Path) -> None:
    """What the last checkpoint holds besides: the model directory, and what the report shows."""
    recipe.export(model.eval(), directory / MODEL)
    if recipe.exhibits:
        with torch.no_grad():
            write_exhibits(recipe.exhibits(model), directory)
