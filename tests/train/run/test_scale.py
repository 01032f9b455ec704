"""The same run in shards, on fewer workers, after its machine or its controller died: the same model every time."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import ray
import torch
from ray.experimental.internal_kv import _internal_kv_get
from transformers import AutoModelForCausalLM

sys.path.insert(0, str(Path(__file__).parents[1]))  # train_fakes: a module that workers import by name

from train_fakes import ReciterConfig, reciter

from artifacts.card import Card, verify
from train.job import TrainingError, launch
from train.run import cluster
from train.run.board import relay

pytestmark = pytest.mark.ray
SMALL = {"threads_per_worker": 1, "precision": "fp32", "learning_rate": 0.01, "report_every_s": 1e-6, "epochs": 5}


def recited(directory: Path, **settings: object) -> Card:
    """A run of ten updates."""
    config = ReciterConfig(name="reciter", out=directory / "out", storage=str(directory), **{**SMALL, **settings})
    return launch(reciter, config, kind="reciter", data=[])


def steps(directory: Path, card: Card) -> list[int]:
    lines = (directory / str(card.config["run"]) / "metrics.jsonl").read_text().splitlines()
    return [report["step"] for report in map(json.loads, lines)]


def weights(directory: Path) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(directory / "out")
    return torch.cat([each.detach().flatten() for each in model.parameters()])


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> torch.Tensor:
    """Weights of a run without a cluster, which computes every update as a whole."""
    directory = tmp_path_factory.mktemp("alone")
    recited(directory, workers=0, batch_size=6)
    return weights(directory)


@pytest.fixture(scope="module")
def sharded(ray_cluster, tmp_path_factory) -> tuple[Path, Card]:
    """A run in shards on two workers, one of which died once; and its card."""
    directory = tmp_path_factory.mktemp("sharded")
    settings = {"accumulate": 2, "recompute_activations": True, "checkpoint_every_s": 1e-6, "max_failures": 1}
    card = recited(directory, workers=2, batch_size=3, parallel="fsdp", dies_once_at=directory / "died", **settings)
    assert (directory / "died").exists()
    return directory, card


def test_shards_on_two_workers_one_of_which_dies_learn_what_one_worker_learns(sharded, alone):
    directory, card = sharded
    assert steps(directory, card).count(1) == 1 and steps(directory, card)[-1] == 10
    (last,) = (directory / str(card.config["run"])).glob("checkpoint_*/model")
    held = verify(last.parent, "checkpoint").files
    assert {name for name in held if name.endswith(".distcp")} == {"shards/__0_0.distcp", "shards/__1_0.distcp"}
    torch.testing.assert_close(weights(directory), alone, rtol=1e-3, atol=1e-4)


def test_a_run_that_goes_on_drops_out_what_it_would_have_dropped_out(ray_cluster, tmp_path):
    found = []
    for name, more in (("calm", {"workers": 0}), ("killed", {"workers": 1, "dies_once_at": tmp_path / "died"})):
        settings = {"dropout": 0.3, "checkpoint_every_s": 1e-6, "max_failures": 1, **more}
        card = recited(tmp_path / name, batch_size=6, **settings)
        assert steps(tmp_path / name, card).count(1) == 1, "it did not start again, though Ray had not yet heard of the last checkpoints"
        assert steps(tmp_path / name, card)[-1] == 10
        found.append(weights(tmp_path / name))
    assert (tmp_path / "died").exists() and torch.equal(*found)


def test_a_run_in_shards_can_not_go_on_without_them(sharded, tmp_path):
    directory, card = sharded
    config = ReciterConfig(name="reciter", out=tmp_path / "out", storage=str(directory), workers=1, batch_size=6, max_failures=0, **SMALL)
    with pytest.raises(TrainingError, match=r"(?s)parallel: checkpoint_.* was not written with this setting; resume with the one"):
        launch(reciter, config, kind="reciter", data=[], resume=str(card.config["run"]))


def controllers() -> list[psutil.Process]:
    """Of every run of this process's cluster; trials of a sweep that were stopped leave theirs."""
    return [each for each in psutil.Process().children(recursive=True) if each.name().startswith("ray::TrainContr")]  # 15 letters are kept


def test_a_controller_that_is_killed_is_replaced_and_the_run_ends_as_if_it_had_not_been(ray_cluster, alone, tmp_path):
    before, others = cluster.places(), {each.pid for each in controllers()}
    killed: list[int] = []

    def kill() -> None:
        while not list(tmp_path.glob("reciter-*/checkpoint_*/card.json")):
            time.sleep(0.1)
        for process in controllers():
            if process.pid not in others:
                process.kill()
                killed.append(process.pid)

    thread = threading.Thread(target=kill)
    thread.start()
    card = recited(tmp_path, workers=1, batch_size=6, seconds_per_batch=0.5, checkpoint_every_s=1e-6, max_failures=1)
    thread.join()
    assert len(killed) == 1 and steps(tmp_path, card).count(1) == 1
    torch.testing.assert_close(weights(tmp_path), alone, rtol=1e-3, atol=1e-4)
    assert cluster.places() <= before, "the dead controller's places are free again"


def test_workers_ask_their_own_cluster_and_not_the_one_that_was_started_last(ray_cluster):
    """Ray Train takes the places of a run away where the cluster that it asks doesn't know the run."""

    @ray.remote(num_cpus=0)
    def asked() -> str:
        from ray._private.services import canonicalize_bootstrap_address_or_die

        return str(canonicalize_bootstrap_address_or_die(None))

    other = "import ray, sys; ray.init('local', num_cpus=1, include_dashboard=False); print('up', flush=True); sys.stdin.read()"
    environment = {name: value for name, value in os.environ.items() if name != "RAY_TMPDIR"}
    with subprocess.Popen([sys.executable, "-c", other], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout and b"up" in process.stdout.readline()
        assert ray.get(asked.remote()) == ray.get_runtime_context().gcs_address
        process.communicate()


def test_no_dashboard_of_another_cluster_is_asked_after_our_runs(ray_cluster):
    """Told by one that there is no such run, Ray Train would take the run's places away."""
    told = _internal_kv_get(b"dashboard", namespace=b"dashboard").decode()
    host, _, port = told.rpartition(":")
    assert int(port) != 8265, "the port of a graph that serves here"
    with pytest.raises(ConnectionRefusedError), socket.create_connection((host, int(port)), timeout=5):
        pass


def test_records_go_on_after_the_process_that_carries_them_died_and_the_user_is_told(ray_cluster):
    shown: list[dict[str, object]] = []

    def seen(record) -> bool:
        until = time.monotonic() + 60
        while record not in shown and time.monotonic() < until:
            time.sleep(0.1)
        return record in shown

    with relay("board-that-dies", shown.append) as name:
        board = ray.get_actor(name)
        ray.get(board.put.remote({"step": 1}))
        assert seen({"step": 1})
        carriers = [each for each in psutil.Process().children(recursive=True) if each.name().startswith("ray::Board")]
        for each in carriers:
            with suppress(psutil.NoSuchProcess):  # another run's, on its way out
                each.kill()
        assert carriers and not psutil.wait_procs(carriers, timeout=60)[1], "what is put from here on can't reach the old process"
        ray.get(ray.get_actor(name).put.remote({"step": 2}))
        assert seen({"step": 2})
    assert [record for record in shown if "step" in record] == [{"step": 1}, {"step": 2}]
    assert any("is lost" in str(record.get("phase")) for record in shown)


def test_a_run_that_loses_a_machine_goes_on_with_fewer_workers_and_learns_the_same(ray_cluster, alone, tmp_path):
    here = Path(__file__).resolve().parents[1]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(here), str(here.parents[1])))}
    command = [sys.executable, str(here / "lost_machine.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line[-1] for line in done.stderr.splitlines() if "workers: " in line] == ["2", "1"], done.stderr[-2000:]
    (told,) = tmp_path.glob("reciter-*/metrics.jsonl")
    taken = [json.loads(line)["step"] for line in told.read_text().splitlines()]
    assert taken.count(1) == 1 and taken[-1] == 10
    torch.testing.assert_close(weights(tmp_path), alone, rtol=1e-3, atol=1e-4)
