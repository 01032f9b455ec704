"""`make demo`: the sample shop from nothing to six answers, and a server that goes on.

    python -m demo            # DEMO_ONCE=1 stops after the answers

Makes the shop and its pictures, builds the index, loads the shopper state, fine-tunes generator and sentiment on two Ray Train workers,
serves the graph.
"""

import time
from datetime import UTC, datetime

from rich.console import Console

from demo import shop
from demo.showcase import scenes
from demo.stage import VAR, remember, run, serve_and_show, step
from demo.training_data import write_reviews
from retrieval.build import build_index
from serve.config import ROOT

SEED = 7
CONFIG = ROOT / "serve" / "config" / "laptop.yaml"
RECOMMENDER = ROOT / "models" / "recommender"


def main() -> None:
    """Every step, each with its progress."""
    console = Console()
    started = time.monotonic()
    with step(console, "1/4 The sample shop: products, pictures, shoppers, 90 days of behaviour"):
        shop.build(VAR / "shop", seed=SEED)
    with step(console, "2/4 The index: product and shopper vectors; then what is remembered of shoppers"):
        card = build_index(VAR / "shop", VAR / "index", recommender=RECOMMENDER)
        console.print(f"{card.metrics['products']} products, {card.metrics['shoppers']} shoppers, version {card.version}")
        remember(console, CONFIG)
    with step(console, "3/4 Fine-tuning generator and sentiment on the shop's own data (Ray Train, two workers)"):
        run(console, "train.generator", "--config", "train/configs/demo_generator.yaml")
        write_reviews(VAR / "shop", VAR / "training", datetime.now(UTC))
        run(console, "train.sentiment", "--config", "train/configs/demo_sentiment.yaml")
    console.rule("[bold]4/4 The graph: retrieval, generator, rerankers, fusion", align="left")
    serve_and_show(console, CONFIG, scenes(VAR / "shop"), started)


if __name__ == "__main__":
    main()
