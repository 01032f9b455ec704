"""What it spares that the engine of a CPU computes in its own process: vLLM by itself starts one more, only to bind threads there.

    python -m benchmarks.engine [--seconds 15] [--rounds 3]

Both engines in turn, each in a fresh interpreter, closed loop with the briefs of the sample shop, n = 4: seconds from the first import to
the first draft, tokens/s at 1 and 8 requests, memory (PSS) of all its processes. Figures are medians of the rounds.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import psutil
from rich.console import Console

from benchmarks.decoding import prepared, speeds
from benchmarks.record import Figures, record
from benchmarks.shop import prepared_shop
from serve import engine
from serve.config import GeneratorSettings
from serve.exchange import DraftQuery

SEED = 41
REQUESTS = (1, 8)
KINDS = ("one_process", "two_processes")


async def measured(kind: str, settings: GeneratorSettings, queries: Sequence[DraftQuery], seconds: float) -> Figures:
    """One engine, from its start to its end."""
    if kind == "two_processes":
        ours = engine._engine_arguments
        engine._engine_arguments = lambda *given: {**ours(*given), "distributed_executor_backend": "mp"}
    began = time.perf_counter()
    running = engine.Engine(settings)
    try:
        await running.warm_up()
        figures: Figures = {"start_s": round(time.perf_counter() - began, 1)}
        figures |= await speeds(running, queries, seconds, REQUESTS)
        processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
        figures["memory_mib"] = sum(process.memory_full_info().pss for process in processes) >> 20
    finally:
        running.shutdown()
    return figures


def apart(kind: str, seconds: float) -> dict[str, Any]:
    """`measured` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.engine", "--only", kind, "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: {' '.join(command)}:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=KINDS, help="measure one engine in this process and print its figures")
    given = parser.parse_args()
    if given.only:
        _, settings, queries = prepared()
        print(json.dumps(asyncio.run(measured(given.only, settings, queries, given.seconds))))
        return
    prepared_shop()
    console = Console()
    rounds: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for number in range(given.rounds):
        for kind in KINDS if number % 2 == 0 else KINDS[::-1]:
            rounds[kind].append(apart(kind, given.seconds))
            console.print(number + 1, kind, rounds[kind][-1])
    figures: Figures = {}
    for name in rounds[KINDS[0]][0]:
        one, two = (statistics.median(each[name] for each in rounds[kind]) for kind in KINDS)
        figures |= {f"one_process_{name}": round(one, 2), f"two_processes_{name}": round(two, 2), f"{name}_ratio": round(one / two, 3)}
    record("engine", figures, seed=SEED, command=" ".join(["python -m benchmarks.engine", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
