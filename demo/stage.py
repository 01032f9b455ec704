"""What both demonstrations share: timed steps with progress, the graph started and stopped, answers printed, serving until Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.status import Status

from demo.showcase import Scene, ask, show
from serve.config import ROOT, parse
from serve.launch import running, settings_of, stop_on_signals

VAR = ROOT / "var"
ONCE = "DEMO_ONCE"
"""Environment variable: any value but empty stops the server after the answers."""


@contextmanager
def step(console: Console, title: str) -> Iterator[None]:
    """Announce a step and say how long it took."""
    console.rule(f"[bold]{title}", align="left")
    started = time.monotonic()
    yield
    console.print(f"[dim]{title}: {time.monotonic() - started:.0f} s")


def run(console: Console, *module: str) -> None:
    """Run a command of the project in its own process, with its own progress on this terminal."""
    console.print(f"[dim]$ python -m {' '.join(module)}")
    subprocess.run([sys.executable, "-m", *module], cwd=ROOT, check=True)


def remember(console: Console, config: Path) -> None:
    """Load the shop of a config into its shopper state."""
    settings = parse(settings_of(config)[1])
    run(console, "feedback.load", str(settings.shop), settings.state)


def serve_and_show(console: Console, config: Path, scenes: Sequence[Scene], started: float) -> None:
    """Serve a config, print every scene's answer, then keep serving unless DEMO_ONCE is set."""
    stop_on_signals()
    status = Status("starting the graph", console=console)
    status.start()
    try:
        with running(config, log=VAR / "logs" / "serve.log", on_wait=lambda waited, states: _tell(status, waited, states)) as server:
            status.stop()
            for number, scene in enumerate(scenes, start=1):
                show(console, number, scene, ask(server.url, scene.body))
            console.print(f"[bold green]{len(scenes)} answers, {time.monotonic() - started:.0f} s after the start.[/]")
            if not os.environ.get(ONCE):
                console.print(f"Serving at {server.url} (try {server.url}/docs). Ctrl-C stops.\n{_example(server.url, scenes[0])}")
                signal.pause()
    except KeyboardInterrupt:
        console.print("stopped")
    finally:
        status.stop()


def _tell(status: Status, waited: float, states: dict[str, str]) -> None:
    stages = ", ".join(f"{name} {'✓' if state == 'ready' else '…'}" for name, state in states.items())
    status.update(f"starting the graph: {waited:.0f} s  {stages}")


def _example(url: str, scene: Scene) -> str:
    return f"curl -s {url}/v1/copy -H 'content-type: application/json' -d '{json.dumps(scene.body, ensure_ascii=False)}'"
