"""Build the retrieval index of a shop: product vectors, shopper vectors, profiles and popularity, in one directory with a card.

    python -m retrieval.build SHOP OUT [--encoder lsa|HUB_ID|DIRECTORY] [--dim 128] [--seed 0] [--recommender DIRECTORY]

The directory: `products.faiss shoppers.faiss rows.parquet profiles.parquet encoder/ card.json`, and with a recommender (made by
`python -m train.recommender`) `recommender/ preferences.faiss`, and where the shop has passages `knowledge/`.
"""

import argparse
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.progress import track

from artifacts.card import ArtifactError, Card, check_output, read_card, sha256_of, write_card
from retrieval import schemas, tables
from retrieval.catalogue import Catalogue
from retrieval.encoder import EncoderError, LsaEncoder, TextEncoder, TransformersEncoder, save_spec
from retrieval.features import behaviour_features
from retrieval.index import VectorIndex
from retrieval.knowledge import build_knowledge
from retrieval.preferences import place

_BATCH = 256


def build_index(
    shop: Path,
    out: Path,
    *,
    encoder: str = "lsa",
    dim: int = 128,
    seed: int = 0,
    recommender: Path | None = None,
    now: datetime | None = None,
    quiet: bool = False,
) -> Card:
    """Build into `out`, replacing an older index. A shop without shoppers or events gives an index of products only. Raises ArtifactError
    for an `out` that holds anything else, before it builds."""
    check_output(out, "index", source=shop)
    catalogue = Catalogue.read(shop)
    documents = [catalogue.document(product_id) for product_id in catalogue.product_ids]
    text_encoder = make_encoder(encoder, documents, dim, seed)
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    batches = [documents[i : i + _BATCH] for i in range(0, len(documents), _BATCH)]
    vectors = np.concatenate([text_encoder.encode(batch) for batch in track(batches, "Encoding products", disable=quiet)])
    behaviour = behaviour_features(
        catalogue, vectors, _optional(shop, "events"), _optional(shop, "shoppers"), text_encoder, now or datetime.now(UTC)
    )
    products = VectorIndex.build(vectors)
    products.save(partial / "products.faiss")
    VectorIndex.build(behaviour.vectors).save(partial / "shoppers.faiss")
    rows = pa.table({"product_id": catalogue.product_ids, "popularity": behaviour.popularity})
    pq.write_table(rows, partial / "rows.parquet")
    pq.write_table(behaviour.profiles, partial / "profiles.parquet")
    save_spec(text_encoder, partial / "encoder")
    passages = build_knowledge(shop, partial, seed)
    if recommender:
        place(shop, catalogue, recommender, partial)
    card = write_card(
        partial,
        kind="index",
        name=shop.name,
        command=f"python -m retrieval.build {shop} {out} --encoder {encoder} --dim {dim} --seed {seed}"
        + (f" --recommender {recommender}" if recommender else ""),
        seed=seed,
        config={
            "encoder": encoder,
            "dim": text_encoder.dim,
            "index": products.kind,
            **({"recommender": read_card(recommender).version} if recommender else {}),
        },
        data_hash=sha256_of(tables.path_of(shop, "products")),
        metrics={"products": len(documents), "shoppers": behaviour.profiles.num_rows, "passages": passages},
    )
    shutil.rmtree(out, ignore_errors=True)
    partial.replace(out)
    return card


def make_encoder(name: str, documents: list[str], dim: int, seed: int) -> TextEncoder:
    """`lsa` fitted on the documents, or a pretrained transformers encoder by hub id or directory."""
    return LsaEncoder.fit(documents, dim, seed) if name == "lsa" else TransformersEncoder(name)


def _optional(shop: Path, name: str) -> pa.Table:
    return tables.read(shop, name) if tables.path_of(shop, name).is_file() else schemas.SCHEMAS[name].empty_table()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shop", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--encoder", default="lsa")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recommender", type=Path, help="directory made by `python -m train.recommender`")
    options = parser.parse_args()
    try:
        card = build_index(
            options.shop, options.out, encoder=options.encoder, dim=options.dim, seed=options.seed, recommender=options.recommender
        )
    except (tables.TableError, EncoderError, ArtifactError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(f"{options.out}: {card.metrics['products']} products, {card.metrics['shoppers']} shoppers, version {card.version}")


if __name__ == "__main__":
    main()
