"""Pictures with captions in both languages, drawn and written by this project: what the small CLIP is trained on.

    python -m demo.picture_set var/training/pictures [--seed 7] [--count 9000]

Writes `pictures.parquet` (columns: image, text, locale, product, split, form) beside the PNGs that it names. Each picture has three
rows in Chinese and three in English: a full caption, one that leaves things out, a piece of copy. Copy is the copybook's, with the
sample catalogue's names and facts in its slots; names that speak of a colour or a pattern are left out, since the picture may show
another. A tenth of the combinations of kind, colour and pattern is held out: products that training never sees.
"""

import argparse
import hashlib
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from tqdm import tqdm

from copywriting import copybook
from copywriting.copybook import Piece
from copywriting.slots import fill
from demo import merchandise
from demo.drawing import SHAPES
from demo.drawing.patterns import PATTERNS
from demo.pictures import COLOURS, VERTICAL_OF, VIEWS, draw, setting_of

LOCALES = {"zh": "zh-CN", "en": "en-US"}
SIDE = 96  # the small CLIP sees 64 pixels
_HERE = Path(__file__).resolve().parent
_HELD_OUT_OF = 10
_FACTS = ("feature", "feature_2", "material", "origin")
_FORMS = {
    "en": ("{colour} {pattern} {kind}", "{pattern} {kind} in {colour}", "{colour} {kind}, {pattern}"),
    "zh": ("{colour}{pattern}{kind}", "{colour}的{pattern}{kind}", "{pattern}{kind}，{colour}"),
}
_STEMS = ("dot", "strip", "check", "leaf", "leaves", "wave", "条", "格", "点", "叶", "波", "浪")
"""Besides the words themselves: what gives away a pattern in a product's name."""
_PRODUCT = {"en": "product", "zh": "商品"}
_PARTS = ("k", "k", "ck", "ck", "pk", "c", "p")
"""What a partial description says: c colour, p pattern, k kind. The kind is what copy says most."""
_FILLERS = {
    "en": {
        "brand": "Veldrow",
        "price": "$59.00",
        "list_price": "$79.00",
        "discount": "20% off",
        "saving": "$20.00",
        "offer.ends": "31 January",
        "offer": "buy 2, get 1 free",
        "availability": "in stock",
        "also": "a matching piece",
        "also.price": "$20.00",
        "total": "$100.00",
        "answer": "Orders leave within a day.",
        "gift": "a tote bag",
        "stock": "7",
        "rating": "4.8 out of 5",
        "rating_count": "1,284",
        "certificate": "a Red Dot award",
        "material": "fine materials",
        "origin": "Hangzhou",
        "feature": "a careful finish",
        "feature_2": "an easy fit",
        "occasion": "the holiday",
        "shopper.name": "Lin",
        "shopper.city": "London",
        "recent": "last order",
    },
    "zh": {
        "brand": "维朵罗",
        "price": "¥400",
        "list_price": "¥500",
        "discount": "8折",
        "saving": "¥100",
        "offer.ends": "1月31日",
        "offer": "满300减50",
        "availability": "现货",
        "also": "同系列另一件",
        "also.price": "¥100",
        "total": "¥500",
        "answer": "一般两三天送到。",
        "gift": "帆布袋",
        "stock": "7",
        "rating": "4.8分",
        "rating_count": "1,284",
        "certificate": "红点设计奖",
        "material": "好料",
        "origin": "杭州",
        "feature": "细致的做工",
        "feature_2": "贴心的设计",
        "occasion": "春节",
        "shopper.name": "小林",
        "shopper.city": "上海",
        "recent": "上次那件",
    },
}
"""Slot → a value that says nothing of the picture, where the catalogue has none."""


@dataclass(frozen=True, slots=True)
class Item:
    """One drawn product. `seed` names it."""

    shape: str
    colour: str
    pattern: str
    seed: int

    @property
    def held_out(self) -> bool:
        """Whether this combination is kept from training."""
        return int(hashlib.sha256(f"{self.shape} {self.colour} {self.pattern}".encode()).hexdigest(), 16) % _HELD_OUT_OF == 0


@cache
def words() -> Mapping[str, Any]:
    """`demo/drawing/words.yaml`: what colours, patterns, views, settings and kinds are called."""
    document: Mapping[str, Any] = yaml.safe_load((_HERE / "drawing" / "words.yaml").read_text(encoding="utf-8"))
    return document


@cache
def _pieces(language: str) -> Mapping[str, tuple[Piece, ...]]:
    """Kind → the copybook's pieces that suit it and name the product."""
    named = [piece for piece in copybook.load(_HERE / "copybook") if piece.language == language and "name" in piece.slots]

    def suit(kind: str) -> tuple[Piece, ...]:
        return tuple(piece for piece in named if piece.vertical == VERTICAL_OF[kind] and piece.kind in (kind, None))

    return {kind: suit(kind) for kind in VERTICAL_OF}


@cache
def _catalogue(language: str) -> Mapping[str, tuple[Mapping[str, str], ...]]:
    """Kind → slot values of the sample shop's products whose names fit any colour and pattern."""
    known = [word for group in ("colours", "patterns") for entry in words()[group].values() for word in entry[language]]
    telling = re.compile("|".join(map(re.escape, [*known, *_STEMS])), re.IGNORECASE)
    found: dict[str, tuple[Mapping[str, str], ...]] = {}
    for each in merchandise.load().products:
        values = {"name": each.name, "brand": each.brand, **{key: each.attributes[key] for key in _FACTS if key in each.attributes}}
        row = {key: text.in_locale(LOCALES[language]) for key, text in values.items()}
        if not telling.search(row["name"]):
            found[each.kind] = (*found.get(each.kind, ()), row)
    return found


def described(item: Item, language: str, rng: random.Random, *, partly: bool = False) -> str:
    """Colour, pattern and kind of a product in words: `navy striped dress`, 藏青色条纹连衣裙. `partly` leaves some of it out, as most
    copy does: `dress`, `striped dress`, `a product in navy`."""
    known = words()
    colour, pattern, kind = (
        rng.choice(known[group][name][language])
        for group, name in (("colours", item.colour), ("patterns", item.pattern), ("kinds", item.shape))
    )
    if item.pattern == "plain" and rng.random() < 0.5:
        pattern = ""  # a product without a pattern is mostly not called plain
    if not partly:
        return compose(language, rng, colour, pattern, kind)
    kept = rng.choice(_PARTS)
    return compose(language, rng, colour if "c" in kept else "", pattern if "p" in kept else "", kind if "k" in kept else "")


def compose(language: str, rng: random.Random, colour: str = "", pattern: str = "", kind: str = "") -> str:
    """Words into a phrase; a word that is not given leaves no trace, but a kind that is not given is called a product."""
    form = rng.choice(_FORMS[language]) if colour and pattern else _FORMS[language][0]
    text = form.format(colour=colour, pattern=pattern, kind=kind or _PRODUCT[language])
    return re.sub(r"\s+", " ", text).strip()


def caption(item: Item, view: str, language: str, rng: random.Random, *, partly: bool = False) -> str:
    """A caption of one view, now and then in the voice of copy, mostly with where the product is seen."""
    known, what = words(), described(item, language, rng, partly=partly)
    where = known["settings"][setting_of(item.shape, item.seed)] if view == "scene" else known["views"][view]
    text = rng.choice(known["captions"][language]).format(what=what)
    if language == "en":
        text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
    seen = rng.choice(where[language]) if rng.random() < 0.8 else ""
    comma = "，" if language == "zh" else ", "
    return comma.join(part for part in ((seen, text) if rng.random() < 0.25 else (text, seen)) if part)


def copy_text(item: Item, language: str, rng: random.Random) -> str:
    """A piece of the copybook that suits the kind, or one part of it, its slots filled: the name is a catalogue product's or says what
    is seen."""
    rows = _catalogue(language).get(item.shape, ())
    name = described(item, language, rng, partly=rng.random() < 0.5)
    values = dict(_FILLERS[language]) | {"name": name.title() if rng.random() < 0.5 else name}
    if rows and rng.random() < 0.6:
        values |= rng.choice(rows)
    values["color"] = rng.choice(words()["colours"][item.colour][language])
    piece = rng.choice(_pieces(language)[item.shape])
    return fill(piece.template if rng.random() < 0.7 else rng.choice(piece.parts), values)[0]


def items(seed: int, count: int, *, held_out: bool | None = None) -> list[Item]:
    """`count` products of different kind, colour or pattern, as far as there are such; `held_out` keeps one side only."""
    rng = random.Random(seed)
    combinations = [Item(*names, seed=0) for names in product(SHAPES, COLOURS, PATTERNS)]
    kept = [item for item in combinations if held_out is None or item.held_out == held_out]
    chosen: list[Item] = []
    while len(chosen) < count:
        chosen += rng.sample(kept, min(len(kept), count - len(chosen)))
    return [Item(item.shape, item.colour, item.pattern, seed * 1_000_003 + number) for number, item in enumerate(chosen)]


def make(out: Path, seed: int, count: int) -> Path:
    """Draw about `count` pictures (three views of each product) and write the table last. Returns its path."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    rows = [row for item in tqdm(items(seed, -(-count // len(VIEWS))), unit="product") for row in _rows(item, out)]
    path = out / "pictures.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def _rows(item: Item, out: Path) -> Iterator[dict[str, str]]:
    for view in VIEWS:
        name = f"pictures/{item.seed}-{view}.png"
        draw(item.shape, item.colour, item.pattern, view, item.seed, SIDE).save(out / name)
        rng = random.Random(f"{item.seed} {view} text")
        row = {"image": name, "product": str(item.seed), "split": "held_out" if item.held_out else "train"}
        for language, locale in LOCALES.items():
            yield row | {"form": "caption", "text": caption(item, view, language, rng), "locale": locale}
            yield row | {"form": "partial caption", "text": caption(item, view, language, rng, partly=True), "locale": locale}
            yield row | {"form": "copy", "text": copy_text(item, language, rng), "locale": locale}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Draw pictures with captions in Chinese and English for training a small CLIP")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--count", type=int, default=9_000, help="pictures, three per product (default: %(default)s)")
    options = parser.parse_args()
    print(make(options.out, options.seed, options.count))


if __name__ == "__main__":
    main()
