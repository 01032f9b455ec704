"""The losses beside a plain computation."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from train.clip_loss import SIGLIP_BIAS, Contrast

_PAIRS = 6


class Towers(nn.Module):
    """Two linear towers with a temperature and a bias, called as open_clip's models are."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.image, self.text = nn.Linear(5, 4), nn.Linear(3, 4)
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
        self.logit_bias = nn.Parameter(torch.tensor(-3.0)) if bias else None

    def forward(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        bias = () if self.logit_bias is None else (self.logit_bias,)
        return (normalize(self.image(images), dim=-1), normalize(self.text(texts), dim=-1), self.logit_scale.exp(), *bias)


def _batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {"image": torch.randn(_PAIRS, 5, generator=generator), "text": torch.randn(_PAIRS, 3, generator=generator)}


def _computed(model: Towers, loss: str) -> float:
    """The papers' formulas in NumPy."""
    with torch.no_grad():
        images, texts, *_ = (each.double().numpy() for each in model(*_batch().values()))
    logits = np.exp(2.0) * images @ texts.T + (-3.0 if model.logit_bias is not None else 0.0)
    if loss == "siglip":
        signs = 2 * np.eye(_PAIRS) - 1
        return float(np.log1p(np.exp(-signs * logits)).sum() / _PAIRS)
    own = np.diag(logits)
    return float(np.mean([np.log(np.exp(logits).sum(axis=axis)) - own for axis in (0, 1)]))


@pytest.mark.parametrize(("loss", "bias"), [("clip", False), ("clip", True), ("siglip", True)])
def test_a_loss_is_what_its_paper_says(loss, bias):
    model = Towers(bias)
    contrast = Contrast(loss)
    images, texts, *_ = model(*_batch().values())
    assert contrast.of_batch(model, _batch()).item() == pytest.approx(_computed(model, loss), rel=1e-5)
    assert contrast.of(images, texts, model).item() == pytest.approx(_computed(model, loss), rel=1e-5)


def test_only_clips_scale_is_held_to_a_hundred():
    model = Towers(bias=True)
    nn.init.constant_(model.logit_scale, np.log(120))
    assert Contrast("clip").scale(model) == 100
    assert Contrast("siglip").scale(model) == pytest.approx(120)


def test_a_sigmoid_that_starts_as_in_the_paper_costs_little_more_than_missing_every_match():
    model = Towers(bias=True)
    nn.init.constant_(model.logit_scale, 0.0)
    nn.init.constant_(model.logit_bias, SIGLIP_BIAS)
    assert Contrast("siglip").of_batch(model, _batch()).item() == pytest.approx(-SIGLIP_BIAS, abs=1.1)
