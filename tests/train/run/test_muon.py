"""Muon on a CPU moves weights as torch's does, which rounds to bf16; its checkpoints are torch's."""

import pytest
import torch

from train.run.muon import Muon, orthogonalised

COEFFICIENTS, STEPS, EPS = (3.4445, -4.775, 2.0315), 5, 1e-7


def moved(kind, shape, updates: int = 3, **settings) -> tuple[torch.Tensor, torch.optim.Optimizer]:
    torch.manual_seed(0)
    weights = torch.nn.Parameter(torch.randn(shape))
    optimizer = kind([weights], lr=0.05, weight_decay=0.1, **settings)
    for _ in range(updates):
        weights.grad = torch.randn(shape)
        optimizer.step()
    return weights.detach(), optimizer


@pytest.mark.parametrize("shape", [(24, 24), (12, 40), (40, 12), (1, 8)])
def test_weights_move_as_torch_s_own_moves_them(shape):
    ours, _ = moved(Muon, shape)
    theirs, _ = moved(torch.optim.Muon, shape, adjust_lr_fn="match_rms_adamw")
    started, _ = moved(Muon, shape, updates=0)
    assert (ours - started).norm() > 0.01 * started.norm()
    assert (ours - theirs).norm() < 0.02 * (ours - started).norm()


def test_an_update_s_singular_values_are_near_one_whatever_the_gradient_s():
    torch.manual_seed(1)
    matrix = torch.randn(20, 30) @ torch.diag(torch.logspace(-1, 1, 30))
    found = torch.linalg.svdvals(orthogonalised(matrix, COEFFICIENTS, STEPS, EPS))
    assert torch.linalg.svdvals(matrix).max() > 20 and found.min() > 0.4 and found.max() < 1.4
    assert orthogonalised(torch.zeros(3, 4), COEFFICIENTS, STEPS, EPS).abs().max() == 0


def test_a_checkpoint_of_torch_s_own_is_gone_on_from():
    weights, theirs = moved(torch.optim.Muon, (8, 8), adjust_lr_fn="match_rms_adamw")
    ours = Muon([torch.nn.Parameter(weights.clone())], lr=1.0, weight_decay=0.0)
    ours.load_state_dict(theirs.state_dict())
    (state,) = ours.state.values()
    assert torch.equal(state["momentum_buffer"], next(iter(theirs.state.values()))["momentum_buffer"])
    assert ours.param_groups[0]["lr"] == 0.05 and ours.param_groups[0]["weight_decay"] == 0.1


def test_a_weight_without_a_gradient_stays():
    moving, still = (torch.nn.Parameter(torch.ones(4, 4)) for _ in range(2))
    optimizer = Muon([moving, still], lr=0.1, weight_decay=0.1)
    moving.grad = torch.eye(4)
    assert optimizer.step(lambda: 3.0) == 3.0
    assert torch.equal(still, torch.ones(4, 4)) and not torch.equal(moving, still)
