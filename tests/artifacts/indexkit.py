"""Small indexes, each with one row that is nearest to everything."""

from pathlib import Path

import numpy as np

from artifacts.card import write_card
from retrieval.index import VectorIndex


def made(directory: Path, number: int, rows: int = 40) -> Path:
    """An index directory whose only answer is recognisable: row `number` is the nearest to anything."""
    vectors = np.full((rows, 4), 0.1, np.float32)
    vectors[number] = 1.0 + number
    directory.mkdir(parents=True)
    VectorIndex.build(vectors).save(directory / "products.faiss")
    write_card(directory, kind="index", name=f"number {number}", command="make it", seed=None)
    return directory
