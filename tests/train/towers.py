"""Two linear towers that learn which picture goes with which text: small enough to be computed by hand, and on several workers."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from train.pictures.clip_loss import Contrast
from train.run import worker
from train.run.loop import Batch, Recipe, fit
from train.run.settings import TrainConfig

PAIRS = 6


class Towers(nn.Module):
    """With a temperature and a bias, called as open_clip's models are."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.image, self.text = nn.Linear(5, 4), nn.Linear(3, 4)
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
        self.logit_bias = nn.Parameter(torch.tensor(-3.0)) if bias else None

    def forward(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        bias = () if self.logit_bias is None else (self.logit_bias,)
        return (normalize(self.image(images), dim=-1), normalize(self.text(texts), dim=-1), self.logit_scale.exp(), *bias)


def pairs() -> dict[str, Tensor]:
    """Six pictures and their texts."""
    generator = torch.Generator().manual_seed(1)
    return {"image": torch.randn(PAIRS, 5, generator=generator), "text": torch.randn(PAIRS, 3, generator=generator)}


class Both(nn.Module):
    """One model for each loss, so that one run tells of both."""

    def __init__(self) -> None:
        super().__init__()
        self.clip, self.siglip = Towers(bias=False), Towers(bias=True)

    def forward(self, images: Tensor, texts: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        return self.clip(images, texts), self.siglip(images, texts)


class TowersConfig(TrainConfig):
    """Nothing but what every run has."""


def contrast(config: TowersConfig) -> None:
    """Learn all pairs at every step, with both losses."""
    rows = pairs()
    losses = [Contrast(name, worker.rank(), worker.world_size()) for name in ("clip", "siglip")]

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        return {name: values[list(numbers)] for name, values in rows.items()}

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        called = model(batch["image"], batch["text"])
        return sum(one.of_batch(lambda *_, said=said: said, batch) for one, said in zip(losses, called, strict=True))

    def export(model: nn.Module, directory: Path) -> None:
        directory.mkdir()
        torch.save(model.state_dict(), directory / "towers.pt")

    fit(config, Both(), Recipe(count=PAIRS, batch=batch, loss=loss, evaluate=lambda _: {}, export=export))
