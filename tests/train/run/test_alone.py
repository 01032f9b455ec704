"""Runs without a cluster: what they leave, what they leave alone, and how they go on."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[1]))  # train_fakes: what the other runs learn, too

import train_fakes
from train_fakes import LineConfig, ReciterConfig, greedy, line, reciter

from artifacts.card import verify
from train.job import TrainingError, launch
from train.run import progress
from train.run.settings import ConfigError

TESTS = Path(__file__).parents[1]


def config_of(directory: Path, **settings: object) -> ReciterConfig:
    """Ten updates with dropout, each with its checkpoint."""
    common = {"workers": 0, "threads_per_worker": 1, "batch_size": 6, "epochs": 5, "dropout": 0.3, "checkpoint_every_s": 1e-6}
    return ReciterConfig(name="reciter", out=directory / "out", **{"storage": str(directory), **common, **settings})


def recited_elsewhere(config: ReciterConfig, first: str = "", then: str = "") -> subprocess.Popen[str]:
    """A process of its own that runs a config, and lines of Python around it: this process may have joined a cluster."""
    script = f"""
import random
import numpy, ray, torch
from train_fakes import ReciterConfig, reciter
from train.job import launch
{first}
launch(reciter, ReciterConfig.model_validate({config.model_dump(mode="json")!r}), kind="reciter", data=[])
{then}
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parents[1])))}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", script], text=True, env=environment, **pipes)


def checkpoints(directory: Path) -> list[Path]:
    return sorted(path for path in directory.glob("reciter-*/checkpoint_*") if path.is_dir())


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> dict[str, torch.Tensor]:
    """Weights of a run that nothing disturbed."""
    directory = tmp_path_factory.mktemp("calm")
    launch(reciter, config_of(directory), kind="reciter", data=[])
    return load_file(directory / "out" / "model.safetensors")


def same(weights: dict[str, torch.Tensor], directory: Path) -> bool:
    found = load_file(directory / "out" / "model.safetensors")
    return found.keys() == weights.keys() and all(torch.equal(value, found[name]) for name, value in weights.items())


def test_it_starts_no_ray_and_puts_back_what_it_changed(tmp_path):
    first = "states = lambda: [torch.get_rng_state().tolist(), random.getstate(), numpy.random.get_state()[1].tolist()]"
    first += "\ntorch.set_num_threads(3)\nbefore = states()"
    then = "print(ray.is_initialized(), torch.get_num_threads(), before == states())"
    with recited_elsewhere(config_of(tmp_path), first, then) as process:
        said, told = process.communicate(timeout=120)
    assert said.splitlines()[-1:] == ["False 3 True"], told[-2000:]
    assert "starting in this process on CPU" in told and "Reported metrics" not in told
    assert verify(tmp_path / "out", "reciter").metrics["step"] == 10
    assert len(checkpoints(tmp_path)) == 2, "the last two stay"


def test_a_run_that_is_interrupted_goes_on_as_if_it_had_not_been(calm, tmp_path, monkeypatch):
    seen = iter(range(99))

    def interrupted(seconds: float) -> None:
        if next(seen) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(train_fakes.time, "sleep", interrupted)
    with pytest.raises(TrainingError, match="stopped; go on from its last checkpoint with --resume reciter-") as caught:
        launch(reciter, config_of(tmp_path), kind="reciter", data=[])
    run = str(caught.value).split()[-1]
    (checkpoints(tmp_path)[-1] / "state.pt").write_bytes(b"cut short")
    launch(reciter, config_of(tmp_path), kind="reciter", data=[], resume=run)
    assert same(calm, tmp_path)


def test_a_process_that_is_killed_leaves_a_run_that_goes_on(calm, tmp_path):
    with recited_elsewhere(config_of(tmp_path, seconds_per_batch=0.3)) as process:
        until = time.monotonic() + 120
        while len(checkpoints(tmp_path)) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL and not (tmp_path / "out").exists()
    (run,) = tmp_path.glob("reciter-*")
    launch(reciter, config_of(tmp_path), kind="reciter", data=[], resume=run.name)
    assert same(calm, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["training on", "writing"])
def test_a_signal_is_answered_with_how_to_go_on(moment, number, calm, tmp_path, monkeypatch):
    """Whatever handler another run left behind."""
    show = progress.ProgressDisplay.show

    def signalled(display, record) -> None:
        show(display, record)
        if str(record.get("phase", "")).startswith(moment):
            signal.raise_signal(number)

    left = signal.signal(number, lambda *_: None)
    try:
        with monkeypatch.context() as patched, pytest.raises(TrainingError, match=r"stopped; go on .*--resume reciter-") as caught:
            patched.setattr(progress.ProgressDisplay, "show", signalled)
            launch(reciter, config_of(tmp_path), kind="reciter", data=[])
        launch(reciter, config_of(tmp_path), kind="reciter", data=[], resume=str(caught.value).split()[-1])
    finally:
        signal.signal(number, left)
    assert same(calm, tmp_path)


def test_storage_may_be_a_uri(calm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    launch(reciter, config_of(tmp_path, storage=f"file://{tmp_path}/far"), kind="reciter", data=[])
    assert same(calm, tmp_path)
    with pytest.raises(ConfigError, match="--resume 'gone': no such run under file:///"):
        launch(reciter, config_of(tmp_path, storage=f"file://{tmp_path}/far"), kind="reciter", data=[], resume="gone")
    assert len(checkpoints(tmp_path / "far")) == 2 and list(tmp_path.glob("var/runs/reciter-*/metrics.jsonl"))


def test_what_fails_says_why_and_how_to_go_on(tmp_path, monkeypatch):
    settings = {"name": "line", "out": tmp_path / "out", "storage": str(tmp_path), "workers": 0}
    with pytest.raises(TrainingError, match=r"(?s)can't allocate memory.*too little memory.*accumulate=4.*--resume line-") as caught:
        launch(greedy, LineConfig.model_validate(settings), kind="line", data=[])
    assert "fsdp" not in str(caught.value), "there is nobody to share the model with"
    monkeypatch.setattr(train_fakes, "seed_everything", lambda seed: [][seed])
    with pytest.raises(TrainingError, match=r"failed: IndexError: list index out of range\nMend the cause, then .*--resume line-"):
        launch(line, LineConfig.model_validate(settings), kind="line", data=[])


def test_what_can_not_be_had_alone_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=re.escape("parallel = 'fsdp' with workers = 0: there is nobody to share the model with")):
        config_of(tmp_path, parallel="fsdp")
    with pytest.raises(ValueError, match="min_workers = 1 is above workers = 0"):
        config_of(tmp_path, min_workers=1)
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match=r"device = 'cuda': this machine has no GPU.*--set device=cpu"):
            launch(reciter, config_of(tmp_path, device="cuda"), kind="reciter", data=[])
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "2")
    with pytest.raises(ConfigError, match=r"workers = 0 with WORLD_SIZE = 2: .*without torchrun and pass --set workers=2"):
        launch(reciter, config_of(tmp_path), kind="reciter", data=[])
