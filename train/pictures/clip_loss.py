"""The losses that contrast pictures with texts: CLIP's softmax (Radford et al. 2021) and SigLIP's sigmoid (Zhai et al. 2023).

    contrast = Contrast("siglip")
    contrast.of(images, texts, model)      # normalised (n, d) each; row i of one belongs to row i of the other

CLIP asks which text of the batch goes with a picture and the other way round; SigLIP asks of each pair by itself whether the two go
together, so that a batch needs no common denominator. Over several workers both see all workers' texts as negatives.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from open_clip.loss import ClipLoss, SigLipLoss
from torch import Tensor, nn

from train.pictures.clip_config import LossName
from train.run.loop import Batch

SIGLIP_SCALE, SIGLIP_BIAS = math.log(10), -10.0
"""Where Zhai et al. start: nearly all pairs of a batch don't go together, and with this bias the model starts by saying so."""


def _softmax(rank: int, world: int) -> nn.Module:
    several = world > 1  # by default open_clip's loss would ignore the gradients of the others' embeddings
    return cast(nn.Module, ClipLoss(local_loss=several, gather_with_grad=several, rank=rank, world_size=world))


def _sigmoid(rank: int, world: int) -> nn.Module:
    return cast(nn.Module, SigLipLoss(rank=rank, world_size=world, dist_impl="gather"))


LOSSES: Mapping[LossName, Callable[[int, int], nn.Module]] = {"clip": _softmax, "siglip": _sigmoid}
MAX_SCALE: Mapping[LossName, float] = {"clip": 100.0, "siglip": math.inf}
"""Radford et al. clip the logit scale, against instability; Zhai et al. don't, and their models lie above."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """The loss of a batch, as this worker sees it."""

    loss: LossName = "clip"
    rank: int = 0
    world: int = 1
    _module: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_module", LOSSES[self.loss](self.rank, self.world))

    def of_batch(self, model: nn.Module, batch: Batch) -> Tensor:
        """The loss of one batch of pictures and texts."""
        images, texts, scale, *bias = model(batch["image"], batch["text"])
        return self._between(images, texts, scale, *bias)

    def of(self, images: Tensor, texts: Tensor, model: nn.Module) -> Tensor:
        """The loss of embeddings that `model` made, wherever they are."""
        bias = cast(Tensor | None, getattr(model, "logit_bias", None))
        scale = cast(Tensor, model.logit_scale).exp()
        return self._between(images, texts, *(each.to(images.device) for each in (scale, bias) if each is not None))

    def scale(self, model: nn.Module) -> float:
        """By what the model's cosines are multiplied."""
        return min(cast(Tensor, model.logit_scale).exp().item(), MAX_SCALE[self.loss])

    def _between(self, images: Tensor, texts: Tensor, scale: Tensor, *bias: Tensor) -> Tensor:
        highest = MAX_SCALE[self.loss]
        return cast(Tensor, self._module(images.float(), texts.float(), scale.float().clamp(max=highest), *(each.float() for each in bias)))
