"""What it spares that the engine of a CPU computes in its own process: vLLM by itself starts one more, only to bind threads there.

    python -m benchmarks.engine [--seconds 15] [--rounds 3]

Both engines in turn, each in a fresh interpreter, closed loop with the briefs of the sample shop, n = 4: seconds from the first import to
the first draft, tokens/s at 1 and 8 requests, memory (PSS) of all its processes. Figures are medians of the rounds.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import psutil
from rich.console import Console

from benchmarks.graph import bodies, closed_loop, queries_of
from benchmarks.record import Figures, record
from benchmarks.shop import prepared_shop
from demo.stage import VAR
from serve import engine
from serve.config import ROOT, parse
from serve.launch import settings_of

SEED = 41
REQUESTS = (1, 8)
KINDS = ("one_process", "two_processes")
CONFIG = ROOT / "serve" / "config" / "laptop.yaml"


async def measured(kind: str, seconds: float) -> Figures:
    """One engine, from its start to its end."""
    _, args = settings_of(CONFIG)
    settings = parse(dict(args))
    queries = [replace(query, n=4, prompts=query.prompts[:1]) for query in await queries_of(settings, bodies())]
    if kind == "two_processes":
        ours = engine._engine_arguments
        engine._engine_arguments = lambda *given: {**ours(*given), "distributed_executor_backend": "mp"}
    used = settings.generator.model_copy(update={"model": str(VAR / "models" / "generator"), "voices": None, "cache_entries": 0})
    began = time.perf_counter()
    running = engine.Engine(used)
    await running.warm_up()
    figures: Figures = {"start_s": round(time.perf_counter() - began, 1)}
    first_seed = 0

    async def send(number: int) -> int:
        return (await running.draft(replace(queries[number % len(queries)], seed=first_seed + number))).output_tokens

    try:
        for clients in REQUESTS:
            figures[f"{clients}_requests_tokens_per_s"] = (await closed_loop(seconds, clients, send))["tokens_per_s"]
            first_seed += 100_000
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
    os.environ |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    if given.only:
        print(json.dumps(asyncio.run(measured(given.only, given.seconds))))
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
