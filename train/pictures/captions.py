"""Pictures with texts, as a CLIP is trained on them: a table (`train/run/tables.py`) and the pictures that it names.

Columns, by their usual names unless `PictureColumns` says others: `image` (path, absolute or relative to the table's directory or to
`images`, which may be a .tar) and `text`; optional: `locale` (zh-CN, en-US …; else the text's script decides), `product` (what hangs
together stays on one side of the split, whatever its case and white space), `split` (`train`, `held_out` or `test`). A picture may have
several rows; its first text in each language is the one that it is judged by.
"""

import hashlib
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from PIL import Image
from pydantic import BaseModel, ConfigDict

from multimodal.media import MediaError, open_image
from train.pictures.clip_archive import members, open_member
from train.run.settings import ConfigError
from train.run.tables import columns_of, read_table

TABLE = "pictures.parquet"
_SIDES = ("train", "held_out", "test")
_POOL = 100
_MAX_POOLS = 5
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


class PictureColumns(BaseModel):
    """Which columns of a table hold what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: str = "image"
    text: str = "text"
    group: str = ""
    """Pictures with the same value stay on one side of the split. Not named: `product` where there is one, else each picture by itself."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where pictures with texts come from, and which share of the groups is held out (to judge a run) or kept for a test (unseen by it)."""

    data: Path
    images: Path | None = None
    image_ending: str = ""
    columns: PictureColumns = field(default_factory=PictureColumns)
    held_out: float = 0.1
    tested: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture with its texts as (language, text). `path` is a file, or a name within `archive`."""

    path: Path
    product: str
    texts: tuple[tuple[str, str], ...]
    archive: Path | None = None

    def open(self) -> Image.Image:
        """Decoded into RGB. Raises MediaError naming the picture."""
        return open_member(self.archive, str(self.path)) if self.archive else open_image(self.path)

    def is_there(self) -> bool:
        """Whether there is such a file."""
        return str(self.path) in members(self.archive) if self.archive else self.path.is_file()


class Sides(NamedTuple):
    """The pictures of each side; no group is on two of them."""

    training: list[Picture]
    held_out: list[Picture]
    test: list[Picture]


def read_pictures(data: Path, held_out: float, seed: int) -> tuple[list[Picture], list[Picture]]:
    """(for training, held out) of a table with the usual columns. Raises as `read_sides`."""
    found = read_sides(Source(data, held_out=held_out, seed=seed))
    return found.training, found.held_out


def read_sides(source: Source) -> Sides:
    """Raises ConfigError for a table that lacks columns or rows or has nothing to contrast, MediaError for a picture that is missing."""
    path = source.data / TABLE if source.data.is_dir() else source.data
    if not path.is_file():
        raise ConfigError(
            f"data = {str(source.data)!r}: holds no {TABLE}; name a table of pictures or make one with "
            f"`python -m demo.picture_set {source.data}`"
        )
    rows = _rows(read_table(path), path, source.columns)
    texts: dict[str, list[tuple[str, str]]] = {}
    sides: dict[str, str] = {}
    groups: dict[str, str] = {}
    for row in rows:
        texts.setdefault(row.image, []).append((row.language, row.text))
        if groups.setdefault(row.image, row.group) != row.group:
            raise ConfigError(
                f"data = {str(path)!r}: picture {row.image!r} is of two groups, {groups[row.image]!r} and {row.group!r}; give it one, or "
                "group by another column with --set columns='{group: NAME}'"
            )
        side = row.side or _drawn_side(row.group, source)
        if sides.setdefault(row.group, side) != side:
            raise ConfigError(f"data = {str(path)!r}: {row.group!r} is both in {sides[row.group]!r} and in {side!r}; give it one `split`")
    pictures = [_picture(name, groups[name], tuple(texts[name]), source, path) for name in texts]
    _check_files(pictures, path, source)
    found = Sides(*([picture for picture in pictures if sides[picture.product] == side] for side in _SIDES))
    _check_contrast(found, path)
    return found


class _Row(NamedTuple):
    """One row of the table."""

    image: str
    text: str
    language: str
    group: str
    side: str


def _rows(table: pa.Table, path: Path, columns: PictureColumns) -> list[_Row]:
    named = [columns.image, columns.text, *([columns.group] if columns.group else [])]
    if missing := sorted(set(named) - set(table.column_names)):
        raise ConfigError(
            f"data = {str(path)!r}: missing column(s) {missing}; it has {table.column_names}: say which to take with "
            f"--set columns='{{image: NAME, text: NAME, group: NAME}}'"
        )
    held = columns_of(table, named, path)
    group = columns.group or ("product" if "product" in table.column_names else columns.image)
    optional = {key: table[key].to_pylist() for key in (group, "locale", "split") if key in table.column_names}
    return [_row(number, held, optional, group, path, columns) for number in range(table.num_rows)]


def _row(
    number: int, held: Mapping[str, list[Any]], optional: Mapping[str, list[Any]], group: str, path: Path, columns: PictureColumns
) -> _Row:
    image, text = str(held[columns.image][number]).strip(), str(held[columns.text][number]).strip()
    if not image or not text:
        raise ConfigError(f"data = {str(path)!r}: row {number + 1} has no image or no text; fill it in or leave it out")
    given = {key: values[number] for key, values in optional.items()}
    side = given.get("split") or ""
    if side and side not in _SIDES:
        raise ConfigError(f"data = {str(path)!r}: split = {side!r} in row {number + 1} is none of {', '.join(_SIDES)}; correct it")
    return _Row(image, text, _language(text, given.get("locale")), _key(str(given.get(group) or image)), side)


def _key(group: str) -> str:
    """What two groups have in common that differ only in case and white space."""
    return " ".join(group.casefold().split())


def _picture(name: str, group: str, texts: tuple[tuple[str, str], ...], source: Source, table: Path) -> Picture:
    file = name + source.image_ending
    if source.images and source.images.is_file():
        return Picture(Path(file), group, texts, source.images)
    return Picture((source.images or table.parent) / file, group, texts)


def _check_files(pictures: Sequence[Picture], table: Path, source: Source) -> None:
    lost = [picture for picture in pictures if not picture.is_there()]
    if lost:
        where = f"{lost[0].archive}/{lost[0].path}" if lost[0].archive else str(lost[0].path)
        hint = "" if source.image_ending or lost[0].path.suffix else ", or add what the files' names end in with --set image_ending=.jpg"
        raise MediaError(
            f"{where}: no such picture, named in {table} ({len(lost)} of {len(pictures)} are missing); put it there or take its rows "
            f"out{hint}"
        )


def _check_contrast(found: Sides, table: Path) -> None:
    if not found.training or not found.held_out:
        raise ConfigError(
            f"data = {str(table)!r}: {len(found.training)} pictures to train on, {len(found.held_out)} held out; both sides need some"
        )
    if len({text for picture in found.training for _, text in picture.texts}) < 2:
        raise ConfigError(
            f"data = {str(table)!r}: every picture to train on has the same text {found.training[0].texts[0][1]!r}; a CLIP learns from "
            "how texts differ, name another column with --set columns='{text: NAME}'"
        )
    if len({picture.product for picture in found.held_out}) < 2:
        raise ConfigError(
            f"data = {str(table)!r}: all held-out pictures belong to {found.held_out[0].product!r}, which leaves nothing to tell them "
            "from; raise held_out, or hold out another product with the split column"
        )


def _language(text: str, locale: str | None) -> str:
    return locale.partition("-")[0] if locale else ("zh" if _CHINESE.search(text) else "en")


def _drawn_side(group: str, source: Source) -> str:
    """By a hash, so that what is added to a table moves no group to another side."""
    place = int(hashlib.sha256(f"{source.seed} {group}".encode()).hexdigest(), 16) % 10_000 / 10_000
    return "held_out" if place < source.held_out else "test" if place < source.held_out + source.tested else "train"


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
