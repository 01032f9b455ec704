"""Keep a benchmark's figures: one JSON line on the terminal, the same in `benchmarks/results/NAME.json`."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil

from artifacts.card import git_commit

RESULTS = Path(__file__).resolve().parent / "results"

Figures = dict[str, float | int | str]


def hardware() -> str:
    """CPU, cores, memory and GPU of this machine, in words."""
    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory_gib = psutil.virtual_memory().total / 2**30
    gpus = sorted(path.name for path in Path("/dev").glob("nvidia[0-9]*"))
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, {len(gpus) or 'no'} GPU"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def record(name: str, figures: Figures, seed: int | None = None, command: str | None = None) -> None:
    """Add hardware, commit and date; write the file; print the line last."""
    entry = {
        "name": name,
        "command": command or f"python -m benchmarks.{name}",
        "figures": figures,
        "seed": seed,
        "hardware": hardware(),
        "git_commit": git_commit(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(entry, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(entry, ensure_ascii=False), flush=True)
