"""The sample shop that benchmarks run on: what `make demo` leaves in var/, made here where it is missing, with the shipped models."""

import shutil
from pathlib import Path

from demo.shop import build
from demo.stage import VAR
from feedback.database import Database
from feedback.load import load
from retrieval.build import build_index
from serve.config import ROOT


def prepared_shop(seed: int = 7) -> Path:
    """Directory of the sample shop with its index beside it; fine-tuned models are the shipped ones where the demo did not run.
    Shopper state begins anew: events that an earlier run posted would be known already."""
    directory = VAR / "shop"
    if not (directory / "products.parquet").is_file():
        build(directory, seed=seed)
    build_index(directory, VAR / "index", recommender=ROOT / "models" / "recommender", quiet=True)
    for path in VAR.glob("state.db*"):
        path.unlink()
    database = Database(f"sqlite:///{VAR}/state.db")
    load(directory, database, quiet=True)
    database.close()
    for kind in ("generator", "sentiment"):
        if not (VAR / "models" / kind / "card.json").is_file():
            shutil.copytree(ROOT / "models" / kind, VAR / "models" / kind, dirs_exist_ok=True)
    return directory
