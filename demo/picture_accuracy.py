"""How well a CLIP knows the sample shop's pictures: the right picture of a hundred, and kind, colour and pattern from words alone.

    python -m demo.picture_accuracy models/clip [--count 500] [--seed 101]

Every picture shows a combination of kind, colour and pattern that `demo.picture_set` keeps from training, newly drawn. Prints a table.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from demo.picture_set import Item, caption, compose, copy_text, items, words
from demo.pictures import VIEWS, draw
from multimodal.clip import ClipModel, Embeddings

POOL = 100
_ASPECTS = {"kind": ("kinds", "shape"), "colour": ("colours", "colour"), "pattern": ("patterns", "pattern")}


def choice_accuracy(texts: Embeddings, images: Embeddings) -> float:
    """Share of texts whose own picture is the nearest of its pool of 100. Both: (n, d), row i belongs to row i."""
    hits = []
    for start in range(0, len(texts), POOL):
        cosines = texts[start : start + POOL] @ images[start : start + POOL].T
        hits += (cosines.argmax(axis=1) == np.arange(len(cosines))).tolist()
    return float(np.mean(hits))


def word_accuracy(model: ClipModel, images: Embeddings, shown: Sequence[Item], aspect: str, language: str) -> float:
    """Share of pictures whose nearest word of an aspect is the right one; each is said alone and plainly: `dress`, `red product`."""
    group, field = _ASPECTS[aspect]
    names = words()[group]
    embedded = model.encode_texts([compose(language, random.Random(0), **{aspect: entry[language][0]}) for entry in names.values()])
    nearest = [list(names)[i] for i in (images @ embedded.T).argmax(axis=1)]
    return float(np.mean([found == getattr(item, field) for found, item in zip(nearest, shown, strict=True)]))


def measure(model: ClipModel, count: int, seed: int) -> dict[str, dict[str, float]]:
    """Measure → language → share that is right."""
    shown = items(seed, count, held_out=True)
    views = [VIEWS[i % len(VIEWS)] for i in range(len(shown))]
    images = model.encode_images(
        [draw(each.shape, each.colour, each.pattern, view, each.seed) for each, view in zip(shown, views, strict=True)]
    )
    table: dict[str, dict[str, float]] = {}
    for language in ("zh", "en"):
        rng = random.Random(seed)
        captions = [caption(each, view, language, rng) for each, view in zip(shown, views, strict=True)]
        copies = [copy_text(each, language, rng) for each in shown]
        table.setdefault("caption → its picture of 100", {})[language] = choice_accuracy(model.encode_texts(captions), images)
        table.setdefault("copy → its picture of 100", {})[language] = choice_accuracy(model.encode_texts(copies), images)
        for aspect in _ASPECTS:
            table.setdefault(f"{aspect} by its word", {})[language] = word_accuracy(model, images, shown, aspect, language)
    return table


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure a CLIP on newly drawn pictures of combinations that training never saw")
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=500, help="pictures (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=101)
    options = parser.parse_args()
    torch.set_num_threads(1)
    shown = Table("measure", "zh", "en", title=f"{options.model}: {options.count} pictures, seed {options.seed}")
    for name, by_language in measure(ClipModel(options.model), options.count, options.seed).items():
        shown.add_row(name, *(f"{by_language[language]:.3f}" for language in ("zh", "en")))
    Console().print(shown)


if __name__ == "__main__":
    main()
