"""Differentially private steps (DP-SGD, Abadi et al. 2016): Poisson batches, each example's gradient clipped, Gaussian noise.

What is spent is counted with Opacus' PRV accountant (Gopi, Lee and Wutschitz 2021), whose history travels in the optimizer's state, so
that a resumed run counts on. Clipping and noise are Opacus' `DPOptimizer`. Gradients of single examples come from `torch.func`, all at once
where the model is the same function of a stack of examples, which is tried and compared first; else one example after the other, which
works for any model without batch statistics and on a CPU is not much slower.

Noise, batches, dropout and hidden words are drawn from the system's entropy: with the seed on the card anybody could subtract the noise,
and a text that is drawn or not would move what is hidden of the others. So a private run can't be repeated, and the generators of noise
and batches are in no checkpoint. Several workers are not here; `train/run/private_settings.py` refuses them.
"""

import math
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from opacus.accountants import PRVAccountant
from opacus.accountants.utils import get_noise_multiplier
from opacus.optimizers import DPOptimizer
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from train.run.private_settings import Privacy
from train.run.settings import ConfigError

if TYPE_CHECKING:
    from train.run.loop import Recipe

Batch = Mapping[str, Tensor]
Loss = Callable[[Any, Batch], Tensor]
_BATCH_STATISTICS = (nn.modules.batchnorm._BatchNorm, nn.SyncBatchNorm)


class CountingOptimizer(DPOptimizer):  # type: ignore[misc]
    """Opacus' optimizer, which clips and adds noise, with the accountant in its state."""

    def __init__(self, optimizer: torch.optim.Optimizer, *, sample_rate: float, **settings: Any) -> None:
        super().__init__(optimizer, **settings)
        self.sample_rate, self.accountant = sample_rate, PRVAccountant()
        self.attach_step_hook(self.accountant.get_optimizer_hook_fn(sample_rate))

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's own, and (noise multiplier, sample rate, steps) of what was done."""
        return {"optimizer": self.original_optimizer.state_dict(), "history": [list(entry) for entry in self.accountant.history]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on. Raises ConfigError where the steps before were of another kind: what is left of the budget would not be what was
        asked for."""
        history = [tuple(entry) for entry in state_dict["history"]]
        if any(entry[:2] != (self.noise_multiplier, self.sample_rate) for entry in history):
            raise ConfigError(
                f"private: the run so far had {history} as (noise multiplier, sample rate, steps), these settings give "
                f"({self.noise_multiplier}, {self.sample_rate}); resume with the epochs, batch_size, data and private settings of its start"
            )
        self.original_optimizer.load_state_dict(state_dict["optimizer"])
        self.accountant.history = history


class PerExample:
    """Gradients of every example by itself, left in `parameter.grad_sample` as Opacus wants them: (examples, *shape)."""

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        if mixing := [name for name, module in model.named_modules() if isinstance(module, _BATCH_STATISTICS)]:
            raise ValueError(
                f"private: {mixing[0]!r} computes statistics over a batch, so no example stands alone; use another architecture"
            )
        self._model, self._loss = model, loss
        self._parameters = {name: each for name, each in model.named_parameters() if each.requires_grad}
        self.stacks: bool | None = None
        """Whether all examples are computed at once; None before the first batch."""

    def __call__(self, batch: Batch) -> Tensor:
        """(examples,) losses."""
        if self.stacks is None:
            self.stacks = self._agrees({key: value[:2] for key, value in batch.items()})
        losses, gradients = self._at_once(batch) if self.stacks else self._one_by_one(batch)
        for name, parameter in self._parameters.items():
            parameter.grad_sample = gradients[name]  # type: ignore[attr-defined]
        return losses

    def _agrees(self, batch: Batch) -> bool:
        """Whether both ways give the same gradients, dropout aside. A model that branches on its data can't be stacked."""
        was_training = self._model.training
        self._model.eval()
        try:
            _, fast = self._at_once(batch)
        except RuntimeError:
            return False
        finally:
            self._model.train(was_training)
        self._model.eval()
        _, slow = self._one_by_one(batch)
        self._model.train(was_training)
        return all(torch.allclose(fast[name], slow[name], rtol=1e-3, atol=1e-6) for name in slow)

    def _at_once(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        fixed = {name: each.detach() for name, each in self._model.named_parameters() if not each.requires_grad}
        fixed |= dict(self._model.named_buffers())

        def loss_of(weights: dict[str, Tensor], example: Batch) -> Tensor:
            return self._loss(_Bound(self._model, weights | fixed), {key: value[None] for key, value in example.items()})

        weights = {name: each.detach() for name, each in self._parameters.items()}
        gradients, losses = vmap(grad_and_value(loss_of), in_dims=(None, 0), randomness="different")(weights, dict(batch))
        return losses, gradients

    def _one_by_one(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        count = len(next(iter(batch.values())))
        rows, losses = [], []
        for number in range(count):
            loss = self._loss(self._model, {key: value[number : number + 1] for key, value in batch.items()})
            rows.append(torch.autograd.grad(loss, list(self._parameters.values()), allow_unused=True, materialize_grads=True))
            losses.append(loss.detach())
        return torch.stack(losses), {name: torch.stack([row[place] for row in rows]) for place, name in enumerate(self._parameters)}


class _Bound:
    """A model that computes with other weights: call it as one calls the model."""

    def __init__(self, model: nn.Module, weights: dict[str, Tensor]) -> None:
        self._model, self._weights = model, weights

    def __call__(self, *values: Any, **named: Any) -> Any:
        return functional_call(self._model, self._weights, values, named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class PrivateSteps:
    """The private part of a run: what is drawn, one step from it, and what was spent. `units` is the number of examples whose privacy is
    kept; `batch_size` how many a step draws on average; `steps` how many steps the budget is planned for; `accumulate` in how many parts
    a batch of that size is computed."""

    def __init__(
        self, model: nn.Module, optimizer: Any, loss: Loss, settings: Privacy, *, units: int, batch_size: int, steps: int,
        accumulate: int = 1,
    ) -> None:  # fmt: skip
        if batch_size >= units:
            raise ConfigError(
                f"batch_size = {batch_size}: is no less than the {units} units ({settings.unit}) that it is drawn from; lower it"
            )
        self.delta, self._units = settings.delta_for(units), units
        sample_rate = batch_size / units
        noise = noise_for(settings.target_epsilon, self.delta, sample_rate, steps)
        self.optimizer = CountingOptimizer(
            optimizer, sample_rate=sample_rate, noise_multiplier=noise, max_grad_norm=settings.max_grad_norm,
            expected_batch_size=batch_size, generator=_secret(next(model.parameters()).device),
        )  # fmt: skip
        self._model, self._gradients, self._draw = model, PerExample(model, loss), _secret(torch.device("cpu"))
        self._at_once = math.ceil(batch_size / accumulate)

    def drawn(self) -> Iterator[list[int]]:
        """Poisson batches without end: each unit is in each with the same chance, so that a batch may be of any size, or empty."""
        while True:
            chosen = torch.rand(self._units, generator=self._draw) < self.optimizer.sample_rate
            yield chosen.nonzero().flatten().tolist()

    def batches(self, recipe: "Recipe", steps_per_epoch: int, start: int) -> Iterator[list[Batch]]:
        """What is drawn, from step `start` on, as the recipe's tensors: each batch in parts of examples of similar length."""
        for number, chosen in enumerate(self.drawn(), start):
            if len(recipe.lengths):  # may be an array
                chosen.sort(key=recipe.lengths.__getitem__)
            parts = [chosen[begin : begin + self._at_once] for begin in range(0, len(chosen), self._at_once)]
            yield [recipe.batch(part, number // steps_per_epoch) for part in parts]

    def step(self, parts: Sequence[Batch]) -> tuple[float, int]:
        """One update from the parts of a batch. An empty batch adds noise all the same. Returns (mean loss, tokens or examples seen)."""
        self._model.train()
        self.optimizer.zero_grad(set_to_none=True)
        device = next(self._model.parameters()).device
        total, count = 0.0, 0
        for number, batch in enumerate(parts, 1):
            losses = self._gradients({key: value.to(device) for key, value in batch.items()})
            total, count = total + float(losses.sum()), count + len(losses)
            self.optimizer.signal_skip_step(do_skip=number < len(parts))
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        if not parts:
            for parameter in self.optimizer.params:
                parameter.grad_sample = parameter.new_zeros((0, *parameter.shape))
            self.optimizer.step()
        tokens = sum(batch["input_ids"].numel() if "input_ids" in batch else len(next(iter(batch.values()))) for batch in parts)
        return total / max(count, 1), tokens

    def spent(self) -> dict[str, float]:
        """ε and δ of the steps that were taken, and what they follow from."""
        optimizer = self.optimizer
        return {
            "epsilon": epsilon_of(optimizer.accountant.history, self.delta),
            "delta": self.delta,
            "noise_multiplier": optimizer.noise_multiplier,
            "sample_rate": optimizer.sample_rate,
        }


def noise_for(target_epsilon: float, delta: float, sample_rate: float, steps: int) -> float:
    """The noise multiplier (standard deviation over `max_grad_norm`) with which so many steps spend the budget."""
    try:
        return float(
            get_noise_multiplier(target_epsilon=target_epsilon, target_delta=delta, sample_rate=sample_rate, steps=steps, accountant="prv")
        )
    except ValueError as error:
        raise ConfigError(f"private.target_epsilon = {target_epsilon:g}: {error} Raise it, or give more texts or fewer epochs") from error


def epsilon_of(history: Sequence[tuple[float, float, int]], delta: float) -> float:
    """The upper bound of ε at δ for steps of (noise multiplier, sample rate, number); 0 where there were none."""
    accountant = PRVAccountant()
    accountant.history = list(history)
    return float(accountant.get_epsilon(delta)) if history else 0.0


def _secret(device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(secrets.randbits(63))
