"""Adversarial training of text classifiers: a step learns from the texts, and from the same texts with their embeddings moved a little in
the direction that hurts most (Miyato, Dai and Goodfellow 2017).

A step takes three forward and two backward passes instead of one of each. What moves is what the embedding layer gives, so that it works
for any encoder; the n-gram path beside a GRU or TextCNN reads token numbers and is not moved.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from train.run.loop import Batch

Loss = Callable[[nn.Module, Batch], Tensor]
_LEAST = 1e-12


def hardened(loss: Loss, size: float) -> Loss:
    """The loss that also asks for the answer at the worst place nearby. `size` is the length of the move as a share of the length of a
    text's embeddings; 0 leaves the loss as it is."""
    return (lambda model, batch: (loss(model, batch) + attacked(loss, model, batch, size)) / 2) if size else loss


def attacked(loss: Loss, model: nn.Module, batch: Batch, size: float) -> Tensor:
    """The loss where each text's embeddings are moved by `size` along the gradient of the loss."""
    bare: Any = getattr(model, "module", model)  # looking for the direction is no step that workers have to agree on
    layer = bare.get_input_embeddings()
    with _seen(layer) as seen, torch.enable_grad():
        value = loss(bare, batch)
    (gradient,) = torch.autograd.grad(value, seen[0])
    lengths = seen[0].detach().flatten(1).norm(dim=1)
    directions = gradient / gradient.flatten(1).norm(dim=1).clamp(min=_LEAST)[:, None, None]
    with _moved(layer, (size * lengths)[:, None, None] * directions):
        return loss(model, batch)


@contextmanager
def _seen(layer: nn.Module) -> Iterator[list[Tensor]]:
    """What the layer gives while the block runs, with its gradient."""
    given: list[Tensor] = []

    def keep(_layer: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        given.append(output if output.requires_grad else output.detach().requires_grad_())
        return given[-1]

    handle = layer.register_forward_hook(keep)
    try:
        yield given
    finally:
        handle.remove()


@contextmanager
def _moved(layer: nn.Module, by: Tensor) -> Iterator[None]:
    handle = layer.register_forward_hook(lambda _layer, _inputs, output: output + by)
    try:
        yield
    finally:
        handle.remove()
