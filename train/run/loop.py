"""The training loop that every run shares: seeds, batches, steps. What is trained is the caller's `Recipe`.

Data-parallel: the whole model on every worker (DDP) or shares of it (train/run/sharding.py). Every rank takes the same number of steps;
rank 0's clock decides for all when to save and when to stop. A run that goes on from a checkpoint sees the batches that it would have seen,
with as many workers or with fewer.
"""

import math
import random
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from train.reports.exhibits import Exhibits, write_exhibits
from train.run import flops, sharding, worker
from train.run.checkpoints import back_to_the_best, keep_if_best, restore, save
from train.run.clock import Clock
from train.run.optimizers import Optimizer, learning_rate_share, optimizer_of
from train.run.private_settings import Privacy
from train.run.publish import MODEL
from train.run.settings import TrainConfig

if TYPE_CHECKING:
    from train.run.private import PrivateSteps

Batch = Mapping[str, Tensor]
Lengths = Sequence[int] | NDArray[np.int32]
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
    """Metrics on held-out data, of the bare model in eval mode and without gradients; on rank 0, or where the model is sharded on all."""
    export: Callable[[nn.Module, Path], None]
    """Write the model directory (no card)."""
    lengths: Lengths = ()
    """Length of each example, where batches should hold examples of similar length."""
    exhibits: Callable[[nn.Module], Exhibits] | None = None
    """What the report at the end shows of held-out data, on rank 0 with the bare model in eval mode and without gradients."""
    after_step: Callable[[float], None] | None = None
    """Called on every rank after each update, with the share of the run that is done; gradients are still there."""
    private: Privacy | None = None
    """Differentially private steps (train/run/private.py) instead of plain ones: batches are drawn by chance, `clip_norm` is not asked."""


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch. Call it before the model is made."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def shard(count: int, block: int, *, seed: int, epoch: int, rank: int, world: int, lengths: Lengths = ()) -> list[NDArray[np.int64]]:
    """This rank's part of every update of one epoch as example numbers: `block` examples make an update, whatever the number of workers.
    Every rank gets equally many updates, with an example more or less. Data smaller than one update is repeated to fill it. Raises
    ValueError where there is nothing to learn from."""
    if not count:
        raise ValueError("no example is left to learn from; is everything held out? Give more data, or hold less of it out")
    order = np.random.default_rng((seed, epoch)).permutation(count)
    while len(order) < block:
        order = np.concatenate([order, order])
    if len(lengths):
        sizes = np.asarray(lengths)
        buckets = np.split(order, range(block * _BUCKET, len(order), block * _BUCKET))
        order = np.concatenate([bucket[np.argsort(sizes[bucket], kind="stable")] for bucket in buckets])
    starts = list(range(0, len(order) - block + 1, block))
    random.Random(f"{seed}/{epoch}").shuffle(starts)
    return [order[start : start + block][rank::world] for start in starts]


def fit(config: TrainConfig, model: nn.Module, recipe: Recipe) -> None:
    """Train until the epochs or the seconds are over, then save a last checkpoint with the exported model. Call on every rank."""
    torch.set_num_threads(config.threads_per_worker)
    device = worker.device()
    steps_per_epoch = len(shard(recipe.count, config.block, seed=0, epoch=0, rank=0, world=1))
    cost = flops.cost_of(model.to(device))
    recompute_activations(model, config)
    outline = sharding.shard(model, device, bf16=in_bf16(config.precision, device)) if config.parallel == "fsdp" else None
    guard = _guard(config, model, recipe, steps_per_epoch) if recipe.private else None
    optimizer: Optimizer = guard.optimizer if guard else optimizer_of(model, config)
    # dropout differs by rank, and of a private run by the system's entropy; a restored run goes on with its own random state
    seed_everything(secrets.randbits(32) if guard else config.seed + worker.rank())
    state = restore(model, optimizer, device)
    wrapped = model if outline else worker.distributed(model)
    if not state.before:
        worker.tell({"phase": "measuring before training"})
        state.before = {f"before_{key}": value for key, value in _evaluate(model, recipe).items()}
    begun = f" from step {state.step}" if state.step else ""
    worker.tell({"phase": f"training on {recipe.count} examples{begun}, workers: {worker.world_size()}"})
    peak = flops.peak(device, bf16=in_bf16(config.precision, device)) if cost else None
    share = len(range(worker.rank(), config.block, worker.world_size())) * worker.world_size() / config.block
    clock = Clock(config, steps_per_epoch, state, peak)
    batches = guard.batches(recipe, steps_per_epoch, state.step) if guard else _batches(config, recipe, steps_per_epoch, state.step)
    state.rewind()
    for parts in batches:
        done, save_now = clock.agree(device)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * learning_rate_share(done, config.warmup)
        loss, tokens = guard.step(parts) if guard else step(wrapped, optimizer, parts, recipe, config, share)
        if recipe.after_step:
            recipe.after_step(done)
        clock.count(loss, tokens, sum(cost.of(batch) for batch in parts if "input_ids" in batch) if cost else 0.0)
        held_out = _evaluate(model, recipe) if save_now else {}
        if save_now:
            if config.keep_best:
                keep_if_best(model, state, config.keep_best, held_out)
            save(model, optimizer, state, held_out)
            clock.kept()
        clock.report(optimizer.param_groups[0]["lr"], held_out)  # last, so that measuring and saving slow no interval down
    worker.tell({"phase": "measuring and saving"})
    metrics = _evaluate(model, recipe)
    if config.keep_best:
        keep_if_best(model, state, config.keep_best, metrics)
        if state.best is not None:  # else it was never a number
            back_to_the_best(model, state, device)
            metrics = _evaluate(model, recipe)
    metrics |= state.before | (guard.spent() if guard else {})
    whole = outline.whole(model) if outline else model
    save(model, optimizer, state, metrics, partial(_finish, whole, recipe))
    worker.tell({"done": 1.0, "step": state.step, "loss": clock.loss, **metrics})


def _guard(config: TrainConfig, model: nn.Module, recipe: Recipe, steps_per_epoch: int) -> "PrivateSteps":
    """The private steps of a run, planned for all its epochs."""
    from train.run.private import PrivateSteps  # Opacus takes seconds to import

    assert recipe.private is not None
    return PrivateSteps(
        model, optimizer_of(model, config), recipe.loss, recipe.private, units=recipe.count, batch_size=config.batch_size,
        steps=math.ceil(steps_per_epoch * config.epochs), accumulate=config.accumulate,
    )  # fmt: skip


def _batches(config: TrainConfig, recipe: Recipe, steps_per_epoch: int, start: int) -> Iterator[list[Batch]]:
    """This rank's batches from step `start` on, each in its parts, without end; the clock stops the run."""
    number, rank, world = start, worker.rank(), worker.world_size()
    most = math.ceil(config.batch_size / config.accumulate)
    parts = math.ceil(config.block // world / most)
    while True:
        epoch = number // steps_per_epoch
        own = shard(recipe.count, config.block, seed=config.seed, epoch=epoch, rank=rank, world=world, lengths=recipe.lengths)
        for indices in own[number % steps_per_epoch :]:
            yield [recipe.batch(part, epoch) for part in in_parts(indices.tolist(), parts)]
            number += 1


def in_parts(indices: Sequence[int], count: int) -> list[Sequence[int]]:
    """As many parts as asked for, of nearly the same length; fewer where there are fewer examples."""
    count = min(count, len(indices))
    ends = [len(indices) * number // count for number in range(count + 1)]
    return [indices[begin:end] for begin, end in pairwise(ends)]


def step(
    model: nn.Module, optimizer: Optimizer, parts: Sequence[Batch], recipe: Recipe, config: TrainConfig, share: float = 1.0
) -> tuple[float, int]:
    """One update from this worker's parts of it, whose gradients are averaged by their examples; workers exchange them once, with the last
    part. `share` is this worker's number of examples by the mean of all workers'. Returns (loss, tokens or examples seen)."""
    model.train()
    optimizer.zero_grad(set_to_none=True)
    device = next(model.parameters()).device
    sizes = [len(next(iter(batch.values()))) for batch in parts]
    total, tokens = 0.0, 0
    for number, (batch, size) in enumerate(zip(parts, sizes, strict=True), 1):
        last = number == len(parts)
        with nullcontext() if last else _unshared(model):
            half = torch.autocast(device.type, dtype=torch.bfloat16, enabled=in_bf16(config.precision, device))
            with half, _offloaded(config, device):
                loss = recipe.loss(model, {key: value.to(device) for key, value in batch.items()})
            (loss * (share * size / sum(sizes))).backward()  # type: ignore[no-untyped-call]
        total += loss.item() * size / sum(sizes)
        tokens += batch["input_ids"].numel() if "input_ids" in batch else size
    nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
    optimizer.step()
    return total, tokens


def _unshared(model: nn.Module) -> AbstractContextManager[None]:
    """Where workers share the model's gradients, they stay with this worker for now."""
    if sharding.is_sharded(model):
        return sharding.unshared(model)
    return model.no_sync() if isinstance(model, nn.parallel.DistributedDataParallel) else nullcontext()


def _offloaded(config: TrainConfig, device: torch.device) -> AbstractContextManager[None]:
    """Where the settings want it, what the backward pass needs is moved to the machine's memory until then, unless it is there already."""
    if not config.offload_activations or device.type == "cpu":
        return nullcontext()
    return cast(AbstractContextManager[None], torch.autograd.graph.save_on_cpu(pin_memory=True))


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
    """On rank 0, which alone reports; the other ranks wait for it when they next save, or where the model is sharded take part."""
    if worker.rank() != 0 and not sharding.is_sharded(model):
        return {}
    model.eval()
    with torch.no_grad():
        found = recipe.evaluate(model)
    return found if worker.rank() == 0 else {}


def _finish(model: nn.Module | None, recipe: Recipe, directory: Path) -> None:
    """What the last checkpoint holds besides, on rank 0: the model directory, and what the report shows."""
    assert model is not None
    recipe.export(model.eval(), directory / MODEL)
    if recipe.exhibits:
        with torch.no_grad():
            write_exhibits(recipe.exhibits(model), directory)
