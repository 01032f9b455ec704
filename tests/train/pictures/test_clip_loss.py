"""The losses beside a plain computation, and on two workers beside one."""

import numpy as np
import pytest
import torch
from torch import nn
from towers import PAIRS, Both, Towers, TowersConfig, contrast, pairs

from train.job import launch
from train.pictures.clip_loss import SIGLIP_BIAS, Contrast


def _computed(model: Towers, loss: str) -> float:
    """The papers' formulas in NumPy."""
    with torch.no_grad():
        images, texts, *_ = (each.double().numpy() for each in model(*pairs().values()))
    logits = np.exp(2.0) * images @ texts.T + (-3.0 if model.logit_bias is not None else 0.0)
    if loss == "siglip":
        signs = 2 * np.eye(PAIRS) - 1
        return float(np.log1p(np.exp(-signs * logits)).sum() / PAIRS)
    own = np.diag(logits)
    return float(np.mean([np.log(np.exp(logits).sum(axis=axis)) - own for axis in (0, 1)]))


@pytest.mark.parametrize(("loss", "bias"), [("clip", False), ("clip", True), ("siglip", True)])
def test_a_loss_is_what_its_paper_says(loss, bias):
    model = Towers(bias)
    contrast = Contrast(loss)
    images, texts, *_ = model(*pairs().values())
    assert contrast.of_batch(model, pairs()).item() == pytest.approx(_computed(model, loss), rel=1e-5)
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
    assert Contrast("siglip").of_batch(model, pairs()).item() == pytest.approx(-SIGLIP_BIAS, abs=1.1)


@pytest.mark.ray
def test_two_workers_train_what_one_that_sees_all_pairs_does(ray_cluster, tmp_path):
    """Each worker's pairs have the other's texts for negatives, and what these say of the other's model counts."""
    learned = []
    for workers, batch_size in ((0, PAIRS), (2, PAIRS // 2)):
        out = tmp_path / f"{workers}"
        settings = {"workers": workers, "threads_per_worker": 1, "batch_size": batch_size, "epochs": 5, "learning_rate": 0.01}
        config = TowersConfig(name="towers", out=out, storage=str(tmp_path), precision="fp32", weight_decay=0, max_failures=0, **settings)
        launch(contrast, config, kind="towers", data=[])
        learned.append(torch.load(out / "towers.pt", weights_only=True))
    started = Both().state_dict()
    for name, value in learned[0].items():
        assert not torch.equal(value, started[name]), name
        torch.testing.assert_close(learned[1][name], value, rtol=1e-3, atol=1e-4, msg=name)
