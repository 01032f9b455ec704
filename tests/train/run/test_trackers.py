"""What each tracker keeps, read back from its own files, and a run that outlives the trackers that fail."""

import io
import json
import os
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.proto import wandb_internal_pb2

from train.run.progress import ProgressDisplay
from train.run.settings import ConfigError, TrainConfig, load_config
from train.run.trackers import TRACKERS, Diary, Tracker, Tracking, chosen

REPORTS = [{"done": step / 4, "step": step, "loss": 4.0 - step, "tokens_per_s": 100 * step, "mfu": 0.25} for step in (1, 2, 3)]
FINAL = {"validation_loss": 0.5}


@pytest.fixture(autouse=True)
def _no_account(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("WANDB_", "MLFLOW_"))]:
        monkeypatch.delenv(name)


def tracked(directory: Path, *names: str, reports: list[dict[str, float]] = REPORTS, summary: Mapping[str, float] = FINAL) -> str:
    """Track a run of three reports; returns what the terminal showed."""
    stream = io.StringIO()
    diary = Diary("tiny-1", directory, {"epochs": 2, "out": "models/tiny"})
    display = ProgressDisplay("tiny-1", directory / "metrics.jsonl", stream)
    with display, Tracking({name: TRACKERS[name] for name in names}, diary, display) as tracking:
        tracking.show({"phase": "training"})
        for report in reports:
            tracking.show(report)
        tracking.finish(summary)
    return stream.getvalue()


def test_tensorboard_has_every_figure_at_its_step_and_the_config(tmp_path):
    assert "stopped" not in tracked(tmp_path, "tensorboard")
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert {"loss", "tokens_per_s", "mfu"} == set(events.Tags()["scalars"])
    texts = [event.tensor_proto.string_val[0].decode() for tag in events.Tags()["tensors"] for event in events.Tensors(tag)]
    assert "| epochs | `2` |" in texts[0] and "| validation_loss | `0.5` |" in texts[1]


def wandb_records(path: Path) -> Iterator[wandb_internal_pb2.Record]:
    """The records of a `.wandb` file: LevelDB's log format (blocks of 32 KiB; CRC, length, kind before each piece) after 7 bytes."""
    held, place, pieces = path.read_bytes(), 7, b""
    while place + 7 <= len(held):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack("<IHB", held[place : place + 7])
        pieces += held[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or its last piece
            yield wandb_internal_pb2.Record.FromString(pieces)
            pieces = b""


def test_wandb_without_an_account_keeps_the_run_below_it_for_a_later_sync(tmp_path):
    assert "stopped" not in tracked(tmp_path, "wandb")
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    until = time.monotonic() + 30  # wandb's own process writes, and is not waited for
    while not any(record.HasField("exit") for record in wandb_records(file)) and time.monotonic() < until:
        time.sleep(0.1)
    records = list(wandb_records(file))
    (run,) = [record.run for record in records if record.HasField("run")]
    assert (run.display_name, run.project) == ("tiny-1", "suasion")
    assert {item.key: json.loads(item.value_json) for item in run.config.update}.items() >= {"epochs": 2, "out": "models/tiny"}.items()
    rows = [{item.nested_key[0] if item.nested_key else item.key: json.loads(item.value_json) for item in record.history.item}
            for record in records if record.HasField("history")]  # fmt: skip
    assert [(row["step"], row["loss"], row["mfu"]) for row in rows] == [(1, 3.0, 0.25), (2, 2.0, 0.25), (3, 1.0, 0.25)]
    summary = {item.key: item.value_json for record in records for item in record.summary.update}
    assert summary["validation_loss"] == "0.5"
    assert [record.exit.exit_code for record in records if record.HasField("exit")] == [0]


def test_mlflow_without_a_server_keeps_the_run_below_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "stopped" not in tracked(tmp_path, "mlflow")
    client = mlflow_client(tmp_path / "mlflow")
    (run,) = client.search_runs([client.get_experiment_by_name("suasion").experiment_id])
    assert (run.info.run_name, run.info.status, run.data.params) == ("tiny-1", "FINISHED", {"epochs": "2", "out": "models/tiny"})
    assert [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, "loss")] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert run.data.metrics["final_validation_loss"] == 0.5
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow", "metrics.jsonl"}


def test_mlflow_goes_where_its_environment_says_and_knows_a_run_that_did_not_end(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "shop")
    for _ in range(2):
        tracked(tmp_path, "mlflow", summary={})
    client = mlflow_client(tmp_path / "elsewhere")
    runs = client.search_runs([client.get_experiment_by_name("shop").experiment_id])
    assert [run.info.status for run in runs] == ["FAILED", "FAILED"]


def mlflow_client(store: Path) -> Any:
    from mlflow import MlflowClient  # late: whoever imports it first decides whether it reports its use to its makers

    return MlflowClient(tracking_uri=str(store))


class Broken:
    """A tracker whose network goes at the second report."""

    def __init__(self, diary: Diary) -> None:
        self.kept: list[int] = []

    def log(self, record: Mapping[str, float], step: int) -> None:
        if step > 1:
            raise ConnectionError("no route to host\n(again)")
        self.kept.append(step)

    def finish(self, summary: Mapping[str, float]) -> None:
        raise AssertionError("a tracker that failed is not asked again")


class Remembering:
    """A tracker that keeps all in memory, and can wait before it ends."""

    def __init__(self, wait: threading.Event | None = None) -> None:
        self.kept: list[tuple[int, float]] = []
        self.summary: Mapping[str, float] | None = None
        self._wait = wait

    def log(self, record: Mapping[str, float], step: int) -> None:
        self.kept.append((step, record["loss"]))

    def finish(self, summary: Mapping[str, float]) -> None:
        if self._wait:
            self._wait.wait(30)
        self.summary = summary


def refusing(diary: Diary) -> Tracker:
    raise PermissionError("the key is not valid")


def test_a_tracker_that_fails_is_told_once_and_stops_neither_the_run_nor_the_others(tmp_path):
    stream, other = io.StringIO(), Remembering()
    display = ProgressDisplay("tiny-1", tmp_path / "metrics.jsonl", stream)
    makers = {"broken": Broken, "refusing": refusing, "other": lambda diary: other}
    with display, Tracking(makers, Diary("tiny-1", tmp_path, {}), display) as tracking:
        for report in REPORTS:
            tracking.show(report)
        tracking.finish(FINAL)
    shown = stream.getvalue()
    assert shown.count("broken stopped (no route to host (again)); the run goes on without it") == 1
    assert shown.count("refusing stopped (the key is not valid)") == 1
    assert other.kept == [(1, 3.0), (2, 2.0), (3, 1.0)] and other.summary == FINAL
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 3


def test_a_run_that_fails_closes_its_trackers_without_a_summary(tmp_path):
    other, display = Remembering(), ProgressDisplay("tiny-1", tmp_path / "metrics.jsonl", io.StringIO())
    with pytest.raises(RuntimeError), display, Tracking({"other": lambda diary: other}, Diary("tiny-1", tmp_path, {}), display):
        raise RuntimeError("out of memory")
    assert other.summary == {}


def test_a_tracker_that_does_not_end_is_left_behind(tmp_path):
    stream, gate = io.StringIO(), threading.Event()
    display = ProgressDisplay("tiny-1", tmp_path / "metrics.jsonl", stream)
    slow = Remembering(gate)
    with display, Tracking({"slow": lambda diary: slow}, Diary("tiny-1", tmp_path, {}), display, patience_s=0.05) as tracking:
        tracking.finish(FINAL)
    gate.set()
    assert "slow is still sending after 0.05 s; it is left behind" in stream.getvalue()


def test_a_tracker_without_its_package_is_refused_with_the_command_that_installs_it():
    with pytest.raises(
        ConfigError, match=r"trackers = \['mlflow'\]: package 'mlflow' is not installed; run `pip install mlflow-skinny`, or"
    ):
        chosen(["mlflow"], installed=lambda name: name == "tensorboard")
    with pytest.raises(ConfigError, match=r"'tensorboard' is not installed; run `pip install tensorboard`$"):
        chosen([], installed=lambda name: False)
    assert list(chosen(["wandb"])) == ["tensorboard", "wandb"]


@pytest.mark.parametrize(
    ("written", "names"),
    [("[]", ()), ("wandb", ("wandb",)), ("[mlflow, wandb]", ("mlflow", "wandb")), ("wandb, mlflow", ("wandb", "mlflow"))],
)
def test_trackers_are_one_config_line(tmp_path, written, names):
    path = tmp_path / "run.yaml"
    path.write_text("name: tiny\nout: out\n")
    assert load_config(TrainConfig, path, {"trackers": written}).trackers == names


@pytest.mark.parametrize("written", ["comet", "[wandb, comet]", "'wandb,comet'"])
def test_an_unknown_tracker_is_refused_with_the_names_there_are(tmp_path, written):
    path = tmp_path / "run.yaml"
    path.write_text(f"name: tiny\nout: out\ntrackers: {written}\n")
    with pytest.raises(
        ConfigError, match=r"trackers = .*comet.*: no tracker is called 'comet'; write wandb, mlflow or both.*--set trackers="
    ):
        load_config(TrainConfig, path)


def test_progress_shows_mfu_and_the_time_left(tmp_path):
    stream, seconds = io.StringIO(), [0.0]
    with ProgressDisplay("tiny-1", tmp_path / "metrics.jsonl", stream, clock=lambda: seconds[0]) as display:
        for seconds[0], done in ((0.0, 0.2), (100.0, 0.4), (200.0, 0.3), (260.0, 0.6), (300.0, 1.0)):
            display.show({"done": done, "step": 7, "loss": 1.5, "tokens_per_s": 1200, "mfu": 0.4123})
    lines = stream.getvalue().splitlines()
    assert lines[0].endswith("tokens_per_s 1200 · MFU 41.2%")  # from one report alone no pace is known
    assert lines[1].endswith("MFU 41.2% · ETA 0:05:00")
    assert lines[2].endswith("MFU 41.2%")  # back at a checkpoint: the pace is measured anew
    assert lines[3].endswith("ETA 0:01:20")
    assert lines[4].endswith("MFU 41.2%")


def test_progress_without_a_known_peak_says_nothing_of_mfu(tmp_path):
    stream = io.StringIO()
    with ProgressDisplay("tiny-1", tmp_path / "metrics.jsonl", stream) as display:
        display.show({"done": 0.5, "step": 1, "loss": 1.5, "tokens_per_s": 1200})
    assert "tokens_per_s 1200" in stream.getvalue() and "MFU" not in stream.getvalue()


def test_the_bar_of_a_terminal_shows_loss_speed_mfu_and_the_time_left(tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    stream, seconds = io.StringIO(), [0.0]
    with ProgressDisplay("tiny-1", tmp_path / "metrics.jsonl", stream, clock=lambda: seconds[0]) as display:
        for seconds[0], done in ((0.0, 0.0), (60.0, 0.5)):
            display.show({"done": done, "step": 7, "loss": 1.5, "tokens_per_s": 1200, "mfu": 0.4123})
    assert "step 7 · loss 1.500 · tokens_per_s 1200 · MFU 41.2% · ETA 0:01:00" in stream.getvalue()
