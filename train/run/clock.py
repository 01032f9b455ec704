"""How far a training run is: when it saves, when it stops, and what it tells of its pace."""

import math
import time
from collections.abc import Mapping

import torch
import torch.distributed

from train.run import worker
from train.run.checkpoints import State
from train.run.settings import TrainConfig


class Clock:
    """How far the run is, the same on every rank: rank 0 says, the others follow."""

    def __init__(self, config: TrainConfig, steps_per_epoch: int, state: State, peak: float | None) -> None:
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
        if torch.distributed.is_initialized() and worker.world_size() > 1:
            torch.distributed.broadcast(flags, src=0)
        return float(flags[0]), bool(flags[1] > 0)

    def _share(self, now: float) -> float:
        """How much of the run is done, by this worker's clock."""
        by_time = (now - self._began) / self._config.max_seconds if self._config.max_seconds else 0.0
        return max(self._state.step / self._total, by_time)

    def kept(self) -> None:
        """A checkpoint was kept: what measuring and saving took is no time of the next interval."""
        self._saved = time.monotonic()

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
        speed = {"tokens_per_s": round(self._tokens * worker.world_size() / elapsed)}
        used = {"mfu": round(self._flops / elapsed / self._peak, 4)} if self._peak and self._flops else {}
        done = min(1.0, self._share(time.monotonic()))
        place = {"done": round(done, 4), "step": self._state.step, "loss": self.loss}
        worker.tell({**place, **speed, **used, "learning_rate": rate, **held_out})
        self._tokens, self._flops, self._losses, self._reported = 0, 0.0, [], time.monotonic()
