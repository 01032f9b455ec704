"""The training loop that every run shares: seeds, shards, checkpoints, reports. What is trained is the caller's `Recipe`.

Data-parallel by DDP. Every rank takes the same number of steps; rank 0's clock decides for all when to save and when to stop. A
run that goes on from a checkpoint sees the batches that it would have seen.
"""

import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch import Tensor, nn

from artifacts.card import ArtifactError, verify, write_card
from train import flops, job
from train.exhibits import Exhibits, write_exhibits
from train.optimizers import Optimizer, learning_rate_share, optimizer_of
from train.publish import MODEL
from train.settings import TrainConfig

Batch = Mapping[str, Tensor]
_STATE = "state.pt"
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


@dataclass(slots=True)
class _State:
    """Where a run stands; `model` and `optimizer` aside, this is all that a checkpoint holds."""

    step: int = 0
    seconds: float = 0.0
    before: dict[str, float] = field(default_factory=dict)


def fit(config: TrainConfig, model: nn.Module, recipe: Recipe) -> None:
    """Train until the epochs or the seconds are over, then save a last checkpoint with the exported model. Call on every rank."""
    torch.set_num_threads(config.threads_per_worker)
    device = job.device()
    optimizer = optimizer_of(model.to(device), config)
    _recompute(model, config)
    seed_everything(config.seed + job.rank())  # dropout differs by rank; a restored run goes on with its own random state
    state = _restore(model, optimizer, device)
    wrapped = job.distributed(model)
    if not state.before:
        job.tell({"phase": "measuring before training"})
        state.before = {f"before_{key}": value for key, value in _evaluate(model, recipe).items()}
    steps_per_epoch = len(shard(recipe.count, config.batch_size, seed=0, epoch=0, rank=0, world=job.world_size()))
    job.tell({"phase": f"training on {recipe.count} examples" + (f" from step {state.step}" if state.step else "")})
    cost = flops.cost_of(model)
    peak = flops.peak(device, bf16=in_bf16(config.precision, device)) if cost else None
    clock = _Clock(config, steps_per_epoch, state, peak)
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
            _save(model, optimizer, state, held_out)
        clock.report(optimizer.param_groups[0]["lr"], held_out)  # last, so that measuring and saving slow no interval down
    job.tell({"phase": "measuring and saving"})
    metrics = _evaluate(model, recipe) | state.before
    _save(model, optimizer, state, metrics, recipe)
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


def _recompute(model: Any, config: TrainConfig) -> None:
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


class _Clock:
    """How far the run is, the same on every rank: rank 0 says, the others follow."""

    def __init__(self, config: TrainConfig, steps_per_epoch: int, state: _State, peak: float | None) -> None:
        self._config = config
        self._peak = peak
        self._total = max(1, math.ceil(steps_per_epoch * config.epochs))
        self._state = state
        self._began = time.monotonic() - state.seconds
        self._saved = self._reported = time.monotonic()
        self._counted = self._reported
        self._tokens = 0
        self._flops = 0.0
        self._losses: list[float] = []
        self.loss = math.nan

    def agree(self, device: torch.device) -> tuple[float, bool]:
        """(share of the run that is done, whether to save after this step)."""
        now = time.monotonic()
        self._state.seconds = now - self._began
        flags = torch.tensor(
            [self._share(now), float(now - self._saved >= self._config.checkpoint_every_s)], device=device, dtype=torch.float32
        )
        if torch.distributed.is_initialized() and job.world_size() > 1:
            torch.distributed.broadcast(flags, src=0)
        if flags[1] > 0:
            self._saved = now
        return float(flags[0]), bool(flags[1] > 0)

    def _share(self, now: float) -> float:
        """How much of the run is done, by this worker's clock."""
        by_time = (now - self._began) / self._config.max_seconds if self._config.max_seconds else 0.0
        return max(self._state.step / self._total, by_time)

    def count(self, loss: float, tokens: int, operations: float) -> None:
        """Count a step of this worker. Raises ValueError where the loss is no longer a number."""
        if not math.isfinite(loss):
            raise ValueError(f"loss = {loss} at step {self._state.step}; lower learning_rate = {self._config.learning_rate:g} or clip_norm")
        self._state.step += 1
        self._counted = time.monotonic()
        self._tokens += tokens
        self._flops += operations
        self._losses.append(loss)

    def report(self, rate: float, held_out: Mapping[str, float]) -> None:
        """Tell the driver of the steps since the last report, now and then and whenever there are held-out metrics."""
        elapsed = max(self._counted - self._reported, 1e-6)
        if elapsed < self._config.report_every_s and self._state.step > 1 and not held_out:
            return
        self.loss = sum(self._losses) / len(self._losses)
        speed = {"tokens_per_s": round(self._tokens * job.world_size() / elapsed)}
        used = {"mfu": round(self._flops / elapsed / self._peak, 4)} if self._peak and self._flops else {}
        done = min(1.0, self._share(time.monotonic()))
        place = {"done": round(done, 4), "step": self._state.step, "loss": self.loss}
        job.tell({**place, **speed, **used, "learning_rate": rate, **held_out})
        self._tokens, self._flops, self._losses, self._reported = 0, 0.0, [], time.monotonic()


def _evaluate(model: nn.Module, recipe: Recipe) -> dict[str, float]:
    """On rank 0, which alone reports; the other ranks wait for it when they next save."""
    if job.rank() != 0:
        return {}
    model.eval()
    with torch.no_grad():
        return recipe.evaluate(model)


def _save(
    model: nn.Module,
    optimizer: Optimizer,
    state: _State,
    metrics: Mapping[str, float],
    finished: Recipe | None = None,
) -> None:
    """One checkpoint: weights, optimizer, position, every rank's random state; at the end the model directory and its exhibits as well."""
    generators = _gather(torch.get_rng_state())
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        if job.rank() == 0:
            held = {"model": _trained(model), "optimizer": optimizer.state_dict(), "random": generators}
            position = {"step": state.step, "seconds": state.seconds, "before": state.before}
            torch.save(held | position, directory / _STATE)
            if finished:
                finished.export(model.eval(), directory / MODEL)
                _exhibit(model, finished, directory)
            write_card(directory, kind="checkpoint", name="checkpoint", command="", seed=None, metrics=dict(metrics))
        job.save({"step": float(state.step), **metrics}, directory)


def _exhibit(model: nn.Module, recipe: Recipe, directory: Path) -> None:
    if recipe.exhibits:
        with torch.no_grad():
            write_exhibits(recipe.exhibits(model.eval()), directory)


def _trained(model: nn.Module) -> dict[str, Any]:
    """The model's state without frozen weights, which are where they came from."""
    frozen = {parameter.data_ptr() for parameter in model.parameters() if not parameter.requires_grad}  # tied weights have two names
    return {name: value for name, value in model.state_dict().items() if value.data_ptr() not in frozen}


def _restore(model: nn.Module, optimizer: Optimizer, device: torch.device) -> _State:
    """Go on from the newest checkpoint whose hashes are right; one that a crash cut short is passed over, and said so."""
    for directory in job.saved():
        try:
            verify(directory, "checkpoint")
        except ArtifactError as error:
            job.tell({"phase": f"passing over a damaged checkpoint: {error}"})
            continue
        held = torch.load(directory / _STATE, map_location=device, weights_only=True)
        model.load_state_dict(held["model"], strict=all(p.requires_grad for p in model.parameters()))
        optimizer.load_state_dict(held["optimizer"])
        if job.rank() < len(held["random"]):
            torch.set_rng_state(held["random"][job.rank()].cpu())
        return _State(held["step"], held["seconds"], held["before"])
    return _State()


def _gather(value: Any) -> list[Any]:
    """Every rank's value, on every rank."""
    if job.world_size() == 1:
        return [value]
    gathered: list[Any] = [None] * job.world_size()
    torch.distributed.all_gather_object(gathered, value)
    return gathered
