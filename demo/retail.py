"""`make demo-retail`: a real year of a British gift wholesaler, from its invoice lines to copy for its customers.

    SUASION_DATA=../shared/data python -m demo.retail        # DEMO_ONCE=1 stops after the answers

Ingests with a report of every row refused or changed, builds the index, loads the shopper state, serves the graph with the shipped models.
"""

import os
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
from rich.console import Console

from demo.showcase import Scene
from demo.stage import VAR, remember, run, serve_and_show, step
from retrieval import tables
from retrieval.build import build_index
from serve.config import ROOT

CONFIG = ROOT / "serve" / "config" / "retail.yaml"
SHOP, INDEX = VAR / "retail" / "shop", VAR / "retail" / "index"
DEFAULT_DATA = "../shared/data"


def scenes(shop: Path) -> list[Scene]:
    """Requests about real customers and products: the two who bought most often, and the product that sold most often."""
    events = tables.read(shop, "events")
    purchases = events.filter(pc.equal(events["kind"], "purchase"))
    (first, _), (second, _) = Counter(purchases["shopper_id"].to_pylist()).most_common(2)
    (product, _), *_ = Counter(purchases["product_id"].to_pylist()).most_common(1)
    return [
        Scene(f"a product recommended to customer {first}", {"shopper_id": first, "channel": "email", "locale": "en-GB"}),
        Scene(f"the same shop writes Chinese for customer {second}", {"shopper_id": second, "channel": "push", "locale": "zh-CN"}),
        Scene(
            f"the product that was bought most often, {product}",
            {"product_id": product, "channel": "product_page", "locale": "en-GB", "tone": "plain"},
        ),
        Scene("a search", {"query": "christmas lantern", "channel": "search_ad", "locale": "en-GB", "occasion": "christmas"}),
        Scene("a search, answered in Chinese", {"query": "vintage cake stand", "channel": "social", "locale": "zh-CN", "tone": "playful"}),
        Scene(
            "a reply in a chat",
            {
                "query": "heart t-light holder",
                "channel": "chat_reply",
                "locale": "en-GB",
                "conversation": [{"role": "shopper", "text": "How much is the heart t-light holder?"}],
            },
        ),
    ]


def main() -> None:
    """Every step, each with its progress."""
    console = Console()
    started = time.monotonic()
    data = Path(os.environ.get("SUASION_DATA", DEFAULT_DATA))
    data = data if data.is_absolute() else ROOT / data
    if not (data / "online_retail").is_dir():
        sys.exit(
            f"error: SUASION_DATA={data} holds no online_retail folder; set it to the folder with the data (make demo-retail SHOP_DATA=DIR)"
        )
    os.environ["SUASION_DATA"] = str(data.resolve())
    with step(console, "1/3 Ingestion of 541,909 invoice lines"):
        run(console, "retrieval.ingest", "examples/mappings/online_retail.yaml", "--out", str(SHOP))
    with step(console, "2/3 The index: product and shopper vectors; then what is remembered of shoppers"):
        card = build_index(SHOP, INDEX)
        console.print(f"{card.metrics['products']} products, {card.metrics['shoppers']} shoppers, version {card.version}")
        remember(console, CONFIG)
    console.rule("[bold]3/3 The graph", align="left")
    serve_and_show(console, CONFIG, scenes(SHOP), started)


if __name__ == "__main__":
    main()
