"""Recommenders by name, and how a model directory holds one: `recommender.json`, `product_ids.txt`, what the model itself writes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from artifacts.card import ArtifactError, verify
from retrieval.content_vectors import ContentReader
from retrieval.recommenders.als import Als
from retrieval.recommenders.content import Content
from retrieval.recommenders.contract import PreferenceModel
from retrieval.recommenders.factorisation_machine import FactorisationMachine
from retrieval.recommenders.hybrid import Hybrid
from retrieval.recommenders.popularity import Popularity
from retrieval.recommenders.sequence import SequenceModel

KIND = "recommender"
FORMAT = 3
"""Of the files that models write; raised when they change, so that an older directory is refused by name and not by a missing key."""

MODELS: dict[str, type[PreferenceModel]] = {
    "popularity": Popularity,
    "als": Als,
    "sequence": SequenceModel,
    "content": Content,
    "factorisation_machine": FactorisationMachine,
    "hybrid": Hybrid,
}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A recommender with the products and attributes, in order, that it was fitted on."""

    model: PreferenceModel
    product_ids: tuple[str, ...]
    attribute_names: tuple[str, ...]


def save(
    model: PreferenceModel,
    product_ids: Sequence[str],
    attribute_names: Sequence[str],
    directory: Path,
    content: ContentReader | None = None,
) -> None:
    """Write a model directory without its card. `content` made the products' content vectors; new products will be read with it."""
    directory.mkdir(parents=True, exist_ok=True)
    described = {"format": FORMAT, "model": model.name, "product_ids": list(product_ids), "attribute_names": list(attribute_names)}
    (directory / "recommender.json").write_text(json.dumps(described, ensure_ascii=False))
    (directory / "fitted").mkdir()
    model.save(directory / "fitted")
    if content:
        content.save(directory / "encoder")


def load(directory: Path) -> Fitted:
    """Check every hash, then read. Raises ArtifactError."""
    verify(directory, KIND)
    return load_verified(directory)


def load_verified(directory: Path) -> Fitted:
    """Read a directory whose hashes somebody checked, e.g. inside an index."""
    described = json.loads((directory / "recommender.json").read_text())
    if (given := described.get("format", 1)) != FORMAT:
        raise ArtifactError(
            f"{directory}: format {given} of recommenders, {FORMAT} is read here; train it again: python -m train.recommender"
        )
    name = described["model"]
    if name not in MODELS:
        raise ArtifactError(f"{directory}: model {name!r} is not known here; use one of {sorted(MODELS)} or a newer version")
    return Fitted(MODELS[name].load(directory / "fitted"), tuple(described["product_ids"]), tuple(described["attribute_names"]))
