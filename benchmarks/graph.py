"""What the graph costs beside the bare engine: latency at one client, throughput at 32, tokens/s through HTTP ÷ tokens/s of the engine.

    python -m benchmarks.graph [--seconds 40] [--clients 32]

The same prompts and grammars, n and token budgets go to both, in one run: first over HTTP to the graph, in each proxy mode, then to
vLLM's AsyncLLM alone in this process. Every request has its own seed, so no cached draft serves. Memory is each process's RSS.
"""

import argparse
import asyncio
import itertools
import os
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml
from rich.console import Console

from benchmarks.answers import requests
from benchmarks.record import Figures, record
from benchmarks.shop import prepared_shop
from copywriting.copybook import load
from demo.stage import VAR
from retrieval.recommend import Recommender
from serve.config import ROOT, GraphSettings, parse
from serve.engine import Engine
from serve.errors import Problem, StageUnavailable
from serve.exchange import DraftQuery, Found
from serve.launch import running, settings_of
from serve.messages import CopyRequest
from serve.pipeline import Pipeline, Stages
from serve.templates import Templates

SEED = 23
N = 4
CONFIG = ROOT / "serve" / "config" / "laptop.yaml"
MODES = {
    "proxy": {},
    "haproxy": {"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_SERVE_ENABLE_HA_PROXY": "1"},
}
"""How requests reach the ingress: Serve's Python proxy (the default) or HAProxy with the throughput settings."""

Send = Callable[[int], Awaitable[int]]
"""Sends request number i and returns the tokens that it made."""


async def closed_loop(seconds: float, clients: int, send: Send) -> Figures:
    """Closed loop: each client sends its next request when the last is answered. Tokens, requests and latencies of the whole run."""
    numbers = itertools.count()
    until = time.perf_counter() + seconds
    latencies: list[float] = []
    tokens: list[int] = []

    async def client() -> None:
        while time.perf_counter() < until:
            started = time.perf_counter()
            tokens.append(await send(next(numbers)))
            latencies.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed = time.perf_counter() - started
    quantiles = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else latencies * 99
    return {
        "requests_per_s": round(len(latencies) / elapsed, 2),
        "tokens_per_s": round(sum(tokens) / elapsed, 1),
        "p50_ms": round(statistics.median(latencies) * 1000, 1),
        "p95_ms": round(quantiles[94] * 1000, 1),
        "requests": len(latencies),
    }


def memory_mib(root_pid: int) -> dict[str, int]:
    """RSS in MiB of every process under (and of) the server, by role; Ray's own are summed under their program's name."""
    processes = [psutil.Process(root_pid), *psutil.Process(root_pid).children(recursive=True)]
    roles: dict[str, int] = {}
    for process in processes:
        try:
            title, rss = " ".join(process.cmdline()) or process.name(), process.memory_info().rss >> 20
        except psutil.NoSuchProcess:
            continue
        role = _role(title)
        roles[role] = roles.get(role, 0) + rss
    return roles


_ROLES = {
    "ServeReplica:suasion:": None,
    "VLLM::": None,
    "ProxyActor": "serve_proxy",
    "HAProxy": "serve_haproxy",
    "haproxy": "serve_haproxy",
    "ServeController": "serve_controller",
}
"""Mark in a process title → its role; None: the word after the mark."""


def _role(title: str) -> str:
    for mark, role in _ROLES.items():
        if mark in title:
            return role or f"{'vllm_' if mark == 'VLLM::' else ''}{title.split(mark)[1].split()[0].lower()}"
    return "ray_system"


def bodies(count: int = 400) -> list[dict[str, Any]]:
    """Requests with n = 4; the seed is set anew for each sending."""
    return [{**body, "n": N, "deadline_ms": 60_000} for body in requests(VAR / "shop", count, SEED)]


async def queries_of(settings: GraphSettings, asked: Sequence[dict[str, Any]]) -> list[DraftQuery]:
    """The very drafts that the graph would ask the engine for, taken from the pipeline itself."""
    recommender = Recommender(settings.shop, settings.index)
    taken: list[DraftQuery] = []

    async def find(query: Any) -> Found:
        shopper = recommender.shopper(query.shopper_id or "")
        locale = query.locale
        if query.product_id:
            products = [(recommender.catalogue.product(query.product_id, locale), 1.0, "")]
        else:
            ranked = recommender.for_query(query.query, locale, 1) if query.query else recommender.for_shopper(shopper, locale, 1)
            products = [(r.product, r.score, r.reason) for r in ranked]
        recent = recommender.catalogue.product(shopper.recent, locale) if shopper.recent else None
        return Found(shopper, locale, tuple(products), recent)

    async def draft(query: DraftQuery) -> Any:
        taken.append(query)
        raise StageUnavailable("generator", "recording")

    async def nothing(*_: Any) -> Any:
        raise StageUnavailable("scorer", "recording")

    async def nobody(*_: Any) -> None:
        return None  # the shop's own table knows its shoppers

    async def no_stream(_: DraftQuery) -> AsyncGenerator[Any, None]:
        raise StageUnavailable("generator", "recording")
        yield

    templates = Templates(load(settings.copybook))
    spare = settings.generator.spare_drafts
    pipeline = Pipeline(
        Stages(nobody, find, draft, no_stream, nothing, nothing, nothing),
        templates,
        prompt_style="compact",
        spare_drafts=spare,
        versions={},
    )
    for body in asked:
        try:
            await pipeline.answer(CopyRequest(**body), "recording")
        except Problem:
            continue  # a brief for which even the copybook has nothing: the draft query is recorded all the same
    return taken


async def over_http(url: str, asked: Sequence[dict[str, Any]], seconds: float, clients: int, first_seed: int) -> Figures:
    """Load the graph."""
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as session:

        async def send(i: int) -> int:
            response = await session.post("/v1/copy", json={**asked[i % len(asked)], "seed": first_seed + i})
            response.raise_for_status()
            return int(response.json()["usage"]["output_tokens"])

        return await closed_loop(seconds, clients, send)


def environment_of(config: Path) -> dict[str, str]:
    """What a Serve config sets for the graph's processes; the bare engine gets the same."""
    return dict(yaml.safe_load(config.read_text())["applications"][0]["runtime_env"]["env_vars"])


async def bare_engine(settings: GraphSettings, queries: Sequence[DraftQuery], seconds: float, clients: int) -> dict[str, Figures]:
    """Load vLLM alone, in this process."""
    engine = Engine(settings.generator)

    async def send(i: int) -> int:
        query = queries[i % len(queries)]
        outputs = await asyncio.gather(
            *(
                engine.complete(engine.prompt_text(prompt), replace(query, seed=10_000_000 + i), number * query.n)
                for number, prompt in enumerate(query.prompts)
            )
        )
        return sum(len(candidate.token_ids) for output in outputs for candidate in output.outputs)

    try:
        await closed_loop(5, clients, send)
        return {"one": await closed_loop(seconds, 1, send), "many": await closed_loop(seconds, clients, send)}
    finally:
        engine.shutdown()


def measure_graph(console: Console, asked: Sequence[dict[str, Any]], mode: str, seconds: float, clients: int) -> Figures:
    """One proxy mode: start, warm up, one client, many clients, memory."""
    with console.status(f"{mode}: starting the graph"):
        server = running(CONFIG, log=VAR / "logs" / f"graph-{mode}.log", environment=MODES[mode])
        with server as graph:
            console.print(f"{mode}: up; warming, then {seconds:.0f} s at 1 client and {seconds:.0f} s at {clients}")
            asyncio.run(over_http(graph.url, asked, 5, clients, 50_000_000))
            one = asyncio.run(over_http(graph.url, asked, seconds, 1, 20_000_000))
            many = asyncio.run(over_http(graph.url, asked, seconds, clients, 30_000_000))
            memory = memory_mib(graph.pid)
    figures: Figures = {f"{mode}_one_client_{key}": value for key, value in one.items()}
    figures |= {f"{mode}_{clients}_clients_{key}": value for key, value in many.items()}
    figures |= {f"{mode}_rss_{role}_mib": rss for role, rss in sorted(memory.items())}
    figures[f"{mode}_rss_total_mib"] = sum(memory.values())
    console.print(figures)
    return figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--clients", type=int, default=32)
    options = parser.parse_args()
    console = Console()
    prepared_shop()
    settings = parse(dict(settings_of(CONFIG)[1]))
    asked = bodies()
    figures: Figures = {}
    for mode in MODES:
        figures |= measure_graph(console, asked, mode, options.seconds, options.clients)
    with console.status("bare engine on the same prompts"):
        os.environ.update(environment_of(CONFIG))
        queries = asyncio.run(queries_of(settings, asked))
        engine = asyncio.run(bare_engine(settings, queries, options.seconds, options.clients))
    figures |= {f"engine_one_client_{key}": value for key, value in engine["one"].items()}
    figures |= {f"engine_{options.clients}_clients_{key}": value for key, value in engine["many"].items()}
    for mode in MODES:
        for level in ("one_client", f"{options.clients}_clients"):
            ratio = float(figures[f"{mode}_{level}_tokens_per_s"]) / float(figures[f"engine_{level}_tokens_per_s"])
            figures[f"{mode}_{level}_tokens_ratio_to_engine"] = round(ratio, 3)
    record("graph", figures, seed=SEED)


if __name__ == "__main__":
    main()
