"""How soon a reader sees something: the first streamed text and the whole answer, over HTTP, one client.

    python -m benchmarks.streaming [--requests 60]

Each request is sent with `stream` and, with another seed, without; no cached draft serves. Times are the client's, from sending on.
"""

import argparse
import statistics
import time
from typing import Any

import httpx
from rich.progress import track

from benchmarks.answers import requests
from benchmarks.record import Figures, record
from benchmarks.shop import prepared_shop
from demo.stage import VAR
from serve.config import ROOT
from serve.launch import running

SEED = 41
CHANNELS = ("product_page", "email", "social", "chat_reply")


def streamed_ms(url: str, body: dict[str, Any]) -> tuple[float, float, bool]:
    """(first text, whole answer, whether anything was taken back) of one request, in ms."""
    began, first, replaced = time.perf_counter(), 0.0, False
    with httpx.stream("POST", f"{url}/v1/copy", json={**body, "stream": True}, timeout=60) as response:
        response.raise_for_status()
        for chunk in response.iter_text():
            first = first or time.perf_counter()
            replaced = replaced or "event: replace" in chunk
    return (first - began) * 1000, (time.perf_counter() - began) * 1000, replaced


def whole_ms(url: str, body: dict[str, Any]) -> float:
    """The same without a stream."""
    began = time.perf_counter()
    httpx.post(f"{url}/v1/copy", json=body, timeout=60).raise_for_status()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=60)
    given = parser.parse_args()
    shop = prepared_shop()
    asked = [body for body in requests(shop, given.requests * 4, SEED) if body["channel"] in CHANNELS][: given.requests]
    figures: Figures = {}
    with running(ROOT / "serve" / "config" / "laptop.yaml", log=VAR / "logs" / "streaming.log") as server:
        whole_ms(server.url, {"channel": "sms", "n": 1})
        for n in (1, 4):
            streams, whole = [], []
            for number, body in enumerate(track(asked, f"n = {n}")):
                streams.append(streamed_ms(server.url, {**body, "n": n, "seed": 10_000 * n + number, "deadline_ms": 60_000}))
                whole.append(whole_ms(server.url, {**body, "n": n, "seed": 500_000 * n + number, "deadline_ms": 60_000}))
            first, total, replaced = zip(*streams, strict=True)
            figures |= {
                f"n{n}_first_text_p50_ms": round(statistics.median(first), 1),
                f"n{n}_first_text_p95_ms": round(statistics.quantiles(first, n=20)[18], 1),
                f"n{n}_streamed_answer_p50_ms": round(statistics.median(total), 1),
                f"n{n}_whole_answer_p50_ms": round(statistics.median(whole), 1),
                f"n{n}_first_text_ratio_to_whole": round(statistics.median(first) / statistics.median(whole), 3),
                f"n{n}_taken_back_percent": round(100 * sum(replaced) / len(replaced), 1),
            }
    record("streaming", figures | {"requests": len(asked)}, seed=SEED)


if __name__ == "__main__":
    main()
