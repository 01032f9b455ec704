"""What a product is like, as one vector for recommenders: its text beside its pictures, the same at training and for a later product.

Text comes from a `TextEncoder`. Pictures come from the shop's `picture_vectors` table where there is one (made by
`python -m multimodal.picture_vectors SHOP`): centred, because CLIP's vectors of photos all point much the same way, and scaled to half a
text's length. A product without a picture lies in the middle.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from retrieval import tables
from retrieval.catalogue import Catalogue
from retrieval.encoder import TextEncoder, Vectors, load_encoder, save_spec

_log = logging.getLogger(__name__)
_LENGTH = 0.5
_PICTURES = "pictures.json"


@dataclass(frozen=True, slots=True)
class PictureSpace:
    """How picture vectors are read: `model` made them, `mean` (p,) is taken away, `scale` multiplies."""

    model: str
    mean: list[float]
    scale: float

    def read(self, shop: Path, product_ids: Sequence[str]) -> Vectors:
        """(k, p) of these products, zeros where there is no picture, or no table. Raises TableError where another model made the table."""
        found = np.zeros((len(product_ids), len(self.mean)), np.float32)
        held, model = _held(shop)
        if held and model != self.model:
            raise tables.TableError(
                f"{tables.path_of(shop, 'picture_vectors')}: made by CLIP model {model}, the recommender was trained with {self.model}; "
                "make it again with `python -m multimodal.picture_vectors SHOP --model` and that model, or train the recommender again"
            )
        if missing := [product_id for product_id in product_ids if product_id not in held]:
            _log.warning(
                "%d of %d products have no picture vector (%s …) and are known by their text alone; run `python -m "
                "multimodal.picture_vectors %s` again",
                len(missing), len(product_ids), missing[0], shop,
            )  # fmt: skip
        for row, product_id in enumerate(product_ids):
            if product_id in held:
                found[row] = (held[product_id] - np.array(self.mean, np.float32)) * self.scale
        return found


@dataclass(frozen=True, slots=True)
class ContentReader:
    """Products as content vectors. `pictures` is None where the recommender was trained without any."""

    text: TextEncoder
    pictures: PictureSpace | None = None

    @classmethod
    def fit(cls, shop: Path, text: TextEncoder) -> "ContentReader":
        """With the pictures of the shop, where it has vectors of them."""
        held, model = _held(shop)
        if not held:
            return cls(text)
        vectors = np.stack(list(held.values()))
        mean = vectors.mean(axis=0)
        spread = float(np.sqrt(((vectors - mean) ** 2).sum(axis=1).mean()))
        return cls(text, PictureSpace(model, mean.tolist(), _LENGTH / max(spread, 1e-9)))

    def vectors(self, shop: Path, catalogue: Catalogue, product_ids: Sequence[str]) -> Vectors:
        """(k, c): text, then pictures."""
        read = self.text.encode([catalogue.document(product_id) for product_id in product_ids])
        return read if self.pictures is None else np.hstack([read, self.pictures.read(shop, product_ids)]).astype(np.float32)

    def save(self, directory: Path) -> None:
        """The text encoder, and how pictures are read."""
        save_spec(self.text, directory)
        if self.pictures:
            (directory / _PICTURES).write_text(json.dumps(asdict(self.pictures)), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> "ContentReader":
        """From `save`."""
        path = directory / _PICTURES
        pictures = PictureSpace(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
        return cls(load_encoder(directory), pictures)


def _held(shop: Path) -> tuple[dict[str, Vectors], str]:
    """Picture vectors by product, and the model that made them."""
    if not tables.path_of(shop, "picture_vectors").is_file():
        return {}, ""
    table = tables.read(shop, "picture_vectors")
    models = table["model"].unique().to_pylist()
    if len(models) > 1:
        raise tables.TableError(f"{tables.path_of(shop, 'picture_vectors')}: vectors of {len(models)} models, {models}; make it again")
    vectors = np.vstack(table["vector"].to_numpy()) if len(table) else np.empty((0, 0), np.float32)
    return dict(zip(table["product_id"].to_pylist(), vectors, strict=True)), (models or [""])[0]
