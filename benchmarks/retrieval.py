"""Retrieval inside the running graph at 16 clients: `python -m benchmarks.retrieval [--seconds 40] [--clients 16] [--per-second 30]`.

`search` is the time within the retrieval stage, the shopper vector and the wait for its turn included; `call` is what the pipeline waits,
Serve's call and its queue included; `shopper` is the wait for the shopper state. All of them while the generator, the scorers and CLIP work
on the same cores: whole answers, as fast as they come. `paced`: the same clients call the stage of the same graph alone, so many times a
second in all, while nothing else is asked of the graph; a call counts from the moment that it was due. Then one event at a time is posted
for shoppers who have a history, and their next answer compared with the one before it.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pyarrow.compute as pc
import ray
from ray import serve
from rich.console import Console

from benchmarks.graph import CONFIG, closed_loop
from benchmarks.record import Figures, record
from benchmarks.shop import prepared_shop
from copywriting.shopper import Shopper
from demo.stage import VAR
from feedback.database import Database
from feedback.state import ShopperState
from retrieval import tables
from serve.exchange import FindQuery
from serve.launch import running
from serve.shoppers import remembered

SEED = 29
SHOPPERS = 40


def shopper_ids(count: int) -> list[str]:
    """Consenting shoppers with events, the first of the table."""
    shoppers = tables.read(VAR / "shop", "shoppers")
    active = shoppers.filter(
        pc.and_(shoppers["consent"], pc.is_in(shoppers["shopper_id"], tables.read(VAR / "shop", "events")["shopper_id"]))
    )
    ids: list[str] = active["shopper_id"].to_pylist()
    return ids[:count]


async def under_load(url: str, ids: Sequence[str], seconds: float, clients: int) -> dict[str, list[float]]:
    """Recommend for shopper after shopper; what each answer says of its timings."""
    taken: dict[str, list[float]] = {"retrieval": [], "retrieval_search": [], "shopper": []}
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=httpx.Limits(max_connections=clients)) as session:

        async def send(number: int) -> int:
            body = {"shopper_id": ids[number % len(ids)], "channel": "push", "n": 2, "seed": number, "deadline_ms": 60_000}
            answer = await session.post("/v1/copy", json=body)
            answer.raise_for_status()
            for name, values in taken.items():
                values.append(float(answer.json()["timings_ms"][name]))
            return 0

        await closed_loop(seconds, clients, send)
    return taken


def known_shoppers(ids: Sequence[str]) -> list[Shopper]:
    """What the pipeline knows of these shoppers when it asks for products."""
    database = Database(f"sqlite:///{VAR}/state.db")
    state, now = ShopperState(database), datetime.now(UTC)
    profiles = [state.read(shopper_id, now) for shopper_id in ids]
    database.close()
    return [remembered(profile, now) for profile in profiles if profile is not None]


async def paced(shoppers: Sequence[Shopper], seconds: float, clients: int, per_second: float) -> dict[str, list[float]]:
    """Milliseconds within the stage and of whole calls, of clients who each call in turn at their time."""
    find = serve.get_deployment_handle("Retrieval", "suasion").find
    taken: dict[str, list[float]] = {"search": [], "call": []}
    start = time.perf_counter()

    async def client(place: int) -> None:
        for turn in range(place, round(seconds * per_second), clients):
            due = start + turn / per_second
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            found = await find.remote(FindQuery(shoppers[turn % len(shoppers)], None, None, None, None))
            taken["call"].append((time.perf_counter() - due) * 1000)
            taken["search"].append(found.search_ms)

    await asyncio.gather(*map(client, range(clients)))
    return taken


def quantiles_of(label: str, values: Sequence[float]) -> Figures:
    """The median and the 99th percentile."""
    cuts = statistics.quantiles(values, n=100)
    return {f"{label}_p50_ms": round(cuts[49], 2), f"{label}_p99_ms": round(cuts[98], 2)}


def after_one_event(url: str, ids: Sequence[str]) -> Figures:
    """How often one view changes the products of the very next answer, and how often the viewed product's kind comes to be among them."""
    products = {row["product_id"]: row["kind"] for row in tables.read(VAR / "shop", "products").to_pylist()}
    changed = arrived = 0
    waits: list[float] = []
    with httpx.Client(base_url=url, timeout=60) as session:
        for number, shopper_id in enumerate(ids):
            before = recommended(session, shopper_id)
            known = {products[product_id] for product_id in before}
            other = next(product_id for product_id in sorted(products)[number * 3 :] if products[product_id] not in known)
            waits.append(view(session, shopper_id, other))
            after = recommended(session, shopper_id)
            changed += after != before
            arrived += products[other] in {products[product_id] for product_id in after}
    return {
        "shoppers_sent_one_event": len(ids),
        "next_answer_changed": changed,
        "kind_of_the_viewed_product_came": arrived,
        "event_p50_ms": round(statistics.median(waits), 1),
    }


def recommended(session: httpx.Client, shopper_id: str) -> list[str]:
    """Products of an answer, best first."""
    answer = session.post("/v1/copy", json={"shopper_id": shopper_id, "channel": "push", "n": 1, "seed": 1}).raise_for_status().json()
    return [product["product_id"] for product in answer["products"]]


def view(session: httpx.Client, shopper_id: str, product_id: str) -> float:
    """Post one view. Returns milliseconds."""
    event: dict[str, Any] = {"event_id": uuid4().hex, "shopper_id": shopper_id, "product_id": product_id, "kind": "view"}
    event["at"] = datetime.now(UTC).isoformat()
    response = session.post("/v1/events", json={"events": [event]}).raise_for_status()
    assert response.json()["counts"]["stored"] == 1
    return response.elapsed.total_seconds() * 1000


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--per-second", type=float, default=30)
    options = parser.parse_args()
    prepared_shop()
    console = Console()
    with running(CONFIG, log=VAR / "logs" / "retrieval.log") as graph:
        console.print(f"up; warming, then {options.seconds:.0f} s at {options.clients} clients")
        ids = shopper_ids(400)
        asyncio.run(under_load(graph.url, ids, 5, options.clients))
        taken = asyncio.run(under_load(graph.url, ids, options.seconds, options.clients))
        figures: Figures = {"clients": options.clients, "requests": len(taken["shopper"])}
        for name, label in (("retrieval_search", "search"), ("retrieval", "call"), ("shopper", "shopper")):
            figures |= quantiles_of(label, taken[name])
        shoppers = known_shoppers(ids)
        ray.init(address="auto", logging_level="ERROR")
        asyncio.run(paced(shoppers, 3, options.clients, options.per_second))
        began = time.perf_counter()
        timed = asyncio.run(paced(shoppers, options.seconds, options.clients, options.per_second))
        figures["paced_per_second"] = round(len(timed["call"]) / (time.perf_counter() - began), 1)
        for label, values in timed.items():
            figures |= quantiles_of(f"paced_{label}", values)
        ray.shutdown()
        figures |= after_one_event(graph.url, ids[:SHOPPERS])
    record("retrieval", figures, SEED)


if __name__ == "__main__":
    main()
