"""How far a run is, by a watch that the test turns."""

from pathlib import Path

import pytest
import torch

from train.run import clock
from train.run.checkpoints import State
from train.run.clock import Clock
from train.run.settings import TrainConfig

CPU = torch.device("cpu")


class Watch:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def watch(monkeypatch):
    found = Watch()
    monkeypatch.setattr(clock, "time", found)
    return found


def started(**settings):
    return Clock(TrainConfig(name="c", out=Path("out"), **settings), steps_per_epoch=10, state=State(), peak=None)


def test_what_measuring_takes_is_no_time_of_an_interval(watch):
    ours = started(checkpoint_every_s=3, epochs=2)
    watch.now += 2.9
    assert ours.agree(CPU) == (0.0, False)
    watch.now += 0.2
    assert ours.agree(CPU) == (0.0, True)
    watch.now += 50  # measuring and saving
    ours.kept()
    watch.now += 2.9
    assert ours.agree(CPU) == (0.0, False)
    watch.now += 0.2
    assert ours.agree(CPU) == (0.0, True)


def test_a_run_is_done_by_its_epochs_or_its_seconds_whichever_comes_first(watch):
    by_steps, by_time = started(epochs=2, max_seconds=1000), started(epochs=2, max_seconds=40)
    for ours in by_steps, by_time:
        for _ in range(5):
            ours.count(0.5, 7, 0.0)
    watch.now += 20
    assert by_steps.agree(CPU)[0] == pytest.approx(0.25)
    assert by_time.agree(CPU)[0] == pytest.approx(0.5)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_refused_with_what_may_help(watch, loss):
    with pytest.raises(ValueError, match=rf"loss = {loss} at step 0; lower learning_rate = 0.003 or clip_norm"):
        started(learning_rate=3e-3).count(loss, 1, 0.0)
