"""Run the graph on this machine until interrupted: `serve run CONFIG` with the node's settings that a config file can't hold.

    python -m serve.launch serve/config/laptop.yaml

On a cluster those settings belong into the environment of every node before `ray start`.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from serve.config import ROOT, parse

NODE_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # A replica that is killed takes its engine processes with it.
    "RAY_process_group_cleanup_enabled": "1",
    # Serving is no background work: Ray would start replicas, and the engine under them, at nice 15.
    "RAY_worker_niceness": "0",
    # Logs of replicas stay in Ray's log files; the terminal is for the demonstration.
    "RAY_DEDUP_LOGS": "1",
}
START_TIMEOUT_S = 300.0

OnWait = Callable[[float, dict[str, str]], None]


class LaunchError(RuntimeError):
    """The graph did not come up. The message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running graph."""

    url: str
    pid: int
    log: Path


def settings_of(config: Path) -> tuple[str, dict[str, object]]:
    """The address and the graph's args in a Serve config. Raises ValueError for bad args, before anything starts."""
    if not config.is_file():
        raise ValueError(f"config: {config} does not exist; name a Serve config such as serve/config/laptop.yaml")
    document = yaml.safe_load(config.read_text())
    options = document.get("http_options", {})
    args = document["applications"][0]["args"]
    parse(args)
    return f"http://127.0.0.1:{options.get('port', 8000)}", args


def stop_on_signals() -> None:
    """Ctrl-C and a supervisor's SIGTERM both end the block that serves, also where this process was started in the background (shells
    then have it ignore Ctrl-C, and it would pass that on to the graph). Call it in the main thread, before `running`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


@contextmanager
def running(config: Path, *, log: Path, environment: dict[str, str] | None = None, on_wait: OnWait | None = None) -> Iterator[Server]:
    """The graph of a config, ready to answer; stopped on the way out. `on_wait` is called with seconds waited and stages' states."""
    url, _ = settings_of(config)
    refuse_if_taken(url)
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).with_name("serve")), "run", str(config)]
    variables = {**os.environ, **NODE_ENVIRONMENT, **(environment or {})}
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=variables, start_new_session=True)
    try:
        _wait_until_ready(url, process, log, on_wait)
        yield Server(url, process.pid, log)
    finally:
        stop(process)
        wait_until_silent(url)  # the proxy outlives the command by a moment; whoever starts the next graph would find its port taken


def refuse_if_taken(url: str) -> None:
    """Raises LaunchError where something answers at this address already."""
    if _answers(url):
        remedy = "stop it (`serve shutdown`, or Ctrl-C where it runs) or change http_options.port"
        raise LaunchError(f"{url} is taken by another server; {remedy}")


def wait_until_silent(url: str, timeout_s: float = 15.0) -> None:
    """Return once nothing answers at this address, or after `timeout_s`."""
    until = time.monotonic() + timeout_s
    while _answers(url) and time.monotonic() < until:
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=1)
    except httpx.ConnectError:
        return False
    except httpx.TransportError:
        return True  # slow, or cut off in the middle: somebody listens
    return True


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path, on_wait: OnWait | None) -> None:
    started = time.monotonic()
    while (waited := time.monotonic() - started) < START_TIMEOUT_S:
        if process.poll() is not None:
            raise LaunchError(f"the graph stopped with status {process.returncode}:\n{tail(log)}")
        states = _stages(url)
        if on_wait is not None:
            on_wait(waited, states)
        if states and all(state == "ready" for state in states.values()):
            return
        if "deploy failed" in tail(log).lower():
            raise LaunchError(f"the graph did not deploy:\n{tail(log)}")
        time.sleep(0.5)
    raise LaunchError(f"the graph was not ready after {START_TIMEOUT_S:.0f} s:\n{tail(log)}")


def _stages(url: str) -> dict[str, str]:
    """State of each stage; empty while nothing answers."""
    try:
        return dict(httpx.get(f"{url}/readyz", timeout=5).json()["stages"])
    except (httpx.TransportError, ValueError, KeyError):
        return {}


def tail(log: Path, lines: int = 30) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def stop(process: subprocess.Popen[bytes], timeout_s: float = 60.0) -> None:
    """Ask the graph to shut down; kill its process group where it doesn't."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _show(waited: float, states: dict[str, str]) -> None:
    print(f"\rstarting {waited:3.0f} s {states}", end="", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    options = parser.parse_args()
    log = ROOT / "var" / "logs" / "serve.log"
    stop_on_signals()
    try:
        with running(options.config, log=log, on_wait=_show) as server:
            print(f"\n{server.url}/docs   (log: {log}; Ctrl-C stops)")
            signal.pause()
    except (ValueError, LaunchError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("\nstopped")


if __name__ == "__main__":
    main()
