"""A shop's pictures as vectors, so that recommenders know how products look: the table `picture_vectors`, made by a CLIP model.

    python -m multimodal.picture_vectors SHOP [--model models/clip] [--device cuda]

A product's vector is the mean of its pictures'. A picture that can't be read is passed over and named; a product without any readable
one has no row. Run it again when products or pictures change.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from rich.progress import track

from multimodal.clip import ClipModel, ClipModelError
from multimodal.media import MediaError, open_image
from retrieval import schemas, tables

MODEL = Path(__file__).resolve().parents[1] / "models" / "clip"
_PRODUCTS_AT_ONCE = 32


def make(shop: Path, model: ClipModel, *, quiet: bool = False) -> tuple[pa.Table, list[str]]:
    """(the table, what was passed over and why). Raises TableError for a shop without products."""
    products = tables.read(shop, "products").select(["product_id", "images"]).to_pylist()
    images: dict[str, list[str]] = {}
    for product in products:
        images[product["product_id"]] = list(dict.fromkeys([*images.get(product["product_id"], []), *product["images"]]))
    ids, rows, passed_over = list(images), [], list[str]()
    for start in track(range(0, len(ids), _PRODUCTS_AT_ONCE), "Encoding pictures", disable=quiet):
        opened: list[tuple[str, Image.Image]] = []
        for product_id in ids[start : start + _PRODUCTS_AT_ONCE]:
            for path in images[product_id]:
                try:
                    opened.append((product_id, open_image(shop / path)))
                except MediaError as error:
                    passed_over.append(f"product {product_id}: {error}")
        vectors = model.encode_images([picture for _, picture in opened])
        owners = [owner for owner, _ in opened]
        rows += [_row(owner, vectors[[i for i, other in enumerate(owners) if other == owner]], model) for owner in dict.fromkeys(owners)]
    return pa.Table.from_pylist(rows, schema=schemas.PICTURE_VECTORS), passed_over


def _row(product_id: str, vectors: Any, model: ClipModel) -> dict[str, Any]:
    mean = vectors.mean(axis=0).astype(np.float32)
    return {"product_id": product_id, "vector": mean.tolist(), "model": model.version}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shop", type=Path)
    parser.add_argument("--model", default=str(MODEL), help="a directory made by train.clip, a hub id, or an open_clip name:tag")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    try:
        made, passed_over = make(options.shop, ClipModel(options.model, options.device))
        path = tables.write(options.shop, "picture_vectors", made)
    except (tables.TableError, ClipModelError) as error:
        sys.exit(f"error: {error}")
    for line in passed_over:
        print(line, file=sys.stderr)
    print(f"{path}: {made.num_rows} products, {len(passed_over)} pictures passed over")


if __name__ == "__main__":
    main()
