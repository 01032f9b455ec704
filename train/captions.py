"""Pictures with texts, as a CLIP is trained on them: one parquet table.

Columns: `image` (path, absolute or relative to the table's directory) and `text`; optional: `locale` (zh-CN, en-US …; else the text's
script decides), `product` (views of one product stay on one side of the split), `split` (`train` or `held_out`). A picture may have
several rows; its first text in each language is the one that it is judged by.
"""

import hashlib
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from multimodal.media import MediaError
from train.settings import ConfigError

TABLE = "pictures.parquet"
_POOL = 100
_MAX_POOLS = 5
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture with its texts as (language, text)."""

    path: Path
    product: str
    texts: tuple[tuple[str, str], ...]


def read_pictures(data: Path, held_out: float, seed: int) -> tuple[list[Picture], list[Picture]]:
    """(for training, held out). Raises ConfigError for a table that lacks columns or rows, MediaError for a picture that is missing."""
    table = data / TABLE if data.is_dir() else data
    if not table.is_file():
        raise ConfigError(
            f"data = {str(data)!r}: holds no {TABLE}; name a parquet table or make one with `python -m demo.picture_set {data}`"
        )
    try:
        columns = pq.read_schema(table).names
    except pa.ArrowException as error:
        raise ConfigError(f"data = {str(table)!r}: not Parquet ({error}); make one with `python -m demo.picture_set DIRECTORY`") from error
    if missing := {"image", "text"} - set(columns):
        raise ConfigError(f"data = {str(table)!r}: missing column(s) {sorted(missing)}; it has {columns}, see train/captions.py")
    texts: dict[str, list[tuple[str, str]]] = {}
    products: dict[str, str] = {}
    held: dict[str, bool] = {}
    for row in pq.read_table(table).to_pylist():
        name, text = row["image"], row["text"]
        if not name or not text:
            raise ConfigError(f"data = {str(table)!r}: a row has no image or no text ({row}); fill it in or leave it out")
        texts.setdefault(name, []).append((_language(text, row.get("locale")), text))
        products[name] = str(row.get("product") or name)
        held[name] = row["split"] == "held_out" if row.get("split") else _is_held_out(products[name], held_out, seed)
    pictures = [Picture(table.parent / name, products[name], tuple(texts[name])) for name in texts]
    if lost := next((picture.path for picture in pictures if not picture.path.is_file()), None):
        raise MediaError(f"{lost}: no such picture, named in {table}; put it there or take its rows out")
    sides = [[picture for picture, name in zip(pictures, texts, strict=True) if held[name] is side] for side in (False, True)]
    if not all(sides):
        raise ConfigError(f"data = {str(table)!r}: {len(sides[0])} pictures to train on, {len(sides[1])} held out; both sides need some")
    return sides[0], sides[1]


def _language(text: str, locale: str | None) -> str:
    return locale.partition("-")[0] if locale else ("zh" if _CHINESE.search(text) else "en")


def _is_held_out(product: str, share: float, seed: int) -> bool:
    return int(hashlib.sha256(f"{seed} {product}".encode()).hexdigest(), 16) % 10_000 < share * 10_000


def pools(pictures: Sequence[Picture]) -> Iterator[tuple[str, list[tuple[Picture, str]]]]:
    """(language, up to 100 pictures of different products with their first text in it), the same ones every time."""
    chooser = random.Random(0)
    by_product: dict[str, list[Picture]] = {}
    for picture in pictures:
        by_product.setdefault(picture.product, []).append(picture)
    chosen = [chooser.choice(views) for views in by_product.values()]
    chooser.shuffle(chosen)
    for language in sorted({language for picture in chosen for language, _ in picture.texts}):
        pairs = [(picture, text) for picture in chosen if (text := dict(reversed(picture.texts)).get(language))]
        for start in range(0, min(len(pairs), _POOL * _MAX_POOLS), _POOL):
            pool = pairs[start : start + _POOL]
            if start == 0 or len(pool) == _POOL:
                yield language, pool
