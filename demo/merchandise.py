"""The sample shop's merchandise: reads and checks the hand-written `demo/catalogue/<vertical>.yaml`.

A text is written once in both languages, "zh | en". Prices are per currency; the rows of the products table are made in
`demo.shop`, prices over time and offers in `demo.pricing`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from copywriting.taxonomy import VERTICALS

CATALOGUE = Path(__file__).parent / "catalogue"
CURRENCIES: dict[str, str] = {"zh-CN": "CNY", "en-US": "USD", "en-GB": "GBP"}
"""Locale → the currency of its market."""

COLOURS = ("red", "orange", "yellow", "green", "teal", "blue", "navy", "purple", "pink", "brown", "black", "grey", "white", "cream")
PATTERNS = ("plain", "stripes", "dots", "checks", "waves", "leaves")
PRODUCTS_PER_KIND = 4
LONGEST_NAME = {"zh": 10, "en": 26}
LONGEST_FEATURE_ZH = 14

_REQUIRED = ("name", "brand", "title", "description", "feature", "feature_2", "price", "look")
_OPTIONAL = ("material", "color", "origin", "more", "list_factor", "certificates")
_WELL_KNOWN = ("feature", "feature_2", "material", "color", "origin")
_INTANGIBLE = {*VERTICALS["finance"], "city_breaks", "hotels", "rail_passes"}
"""Kinds that are made of nothing, so that they have no material."""


class MerchandiseError(ValueError):
    """A catalogue file that can't be sold from. The message names the file, the product, the field and the remedy."""


class Text(NamedTuple):
    """The same text in both languages."""

    zh: str
    en: str

    def in_locale(self, locale: str) -> str:
        """The text for a locale: zh-CN reads Chinese, all others English."""
        return self.zh if locale.startswith("zh") else self.en


@dataclass(frozen=True, slots=True)
class Merchandise:
    """One product of the shop, in both languages and all currencies. `colour` and `pattern` are the picture's."""

    product_id: str
    vertical: str
    kind: str
    name: Text
    title: Text
    brand: Text
    category: tuple[Text, ...]
    description: Text
    attributes: Mapping[str, Text]
    prices: Mapping[str, Decimal]
    list_factor: Decimal | None
    certificates: tuple[Text, ...]
    colour: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Range:
    """Everything that the shop sells, and what surrounds it: search terms per kind, free gifts per vertical."""

    products: tuple[Merchandise, ...]
    searches: Mapping[str, tuple[Text, ...]]
    gifts: Mapping[str, tuple[Text, ...]]


@cache
def load(directory: Path = CATALOGUE) -> Range:
    """Read every vertical's file, once. Raises MerchandiseError for the first fault."""
    products: list[Merchandise] = []
    searches: dict[str, tuple[Text, ...]] = {}
    gifts: dict[str, tuple[Text, ...]] = {}
    for vertical in VERTICALS:
        path = directory / f"{vertical}.yaml"
        if not path.is_file():
            raise MerchandiseError(f"{path}: missing; every vertical of copywriting.taxonomy.VERTICALS needs its file")
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        products += _department(path.name, vertical, document)
        gifts[vertical] = tuple(_text(f"{path.name}, gifts", gift) for gift in document["gifts"])
        for kind, shelf in document["kinds"].items():
            searches[kind] = tuple(_text(f"{path.name}, {kind}, search", term) for term in shelf["search"])
    _refuse_repeats(products)
    return Range(tuple(products), searches, gifts)


def _department(file: str, vertical: str, document: Mapping[str, Any]) -> Iterator[Merchandise]:
    if document.get("vertical") != vertical:
        raise MerchandiseError(f"{file}: vertical {document.get('vertical')!r}; the file name says {vertical!r}")
    if tuple(document["kinds"]) != VERTICALS[vertical]:
        raise MerchandiseError(f"{file}: kinds {list(document['kinds'])}; the taxonomy has {list(VERTICALS[vertical])}, in that order")
    brands = {key: _text(f"{file}, brands, {key}", value) for key, value in document["brands"].items()}
    for kind, shelf in document["kinds"].items():
        entries: Sequence[Mapping[str, Any]] = shelf["products"]
        if len(entries) != PRODUCTS_PER_KIND:
            raise MerchandiseError(f"{file}, {kind}: {len(entries)} products; every kind has {PRODUCTS_PER_KIND}")
        category = (_text(f"{file}, label", document["label"]), _text(f"{file}, {kind}, label", shelf["label"]))
        made = [_product(file, f"{vertical}-{kind}-{i}", vertical, kind, category, brands, entry) for i, entry in enumerate(entries, 1)]
        if len({(product.colour, product.pattern) for product in made}) != len(made):
            raise MerchandiseError(f"{file}, {kind}, look: two products look alike; give each its own colour and pattern")
        yield from made


def _product(
    file: str,
    product_id: str,
    vertical: str,
    kind: str,
    category: tuple[Text, ...],
    brands: Mapping[str, Text],
    entry: Mapping[str, Any],
) -> Merchandise:
    where = f"{file}, {product_id}"
    required = _REQUIRED if kind in _INTANGIBLE else (*_REQUIRED, "material")
    if missing := [key for key in required if not entry.get(key)]:
        raise MerchandiseError(f"{where}: missing {missing}")
    if unknown := sorted(set(entry) - set(_REQUIRED) - set(_OPTIONAL)):
        raise MerchandiseError(f"{where}: unknown field(s) {unknown}; use {[*_REQUIRED, *_OPTIONAL]}")
    if entry["brand"] not in brands:
        raise MerchandiseError(f"{where}, brand: {entry['brand']!r}; use one of {sorted(brands)}")
    colour, pattern = _look(where, entry["look"])
    attributes = {key: _text(f"{where}, {key}", entry[key]) for key in _WELL_KNOWN if key in entry}
    attributes |= {key: _text(f"{where}, {key}", value) for key, value in entry.get("more", {}).items()}
    name = _text(f"{where}, name", entry["name"])
    for text, limit, field in (
        (name.zh, LONGEST_NAME["zh"], "name"),
        (name.en, LONGEST_NAME["en"], "name"),
        (attributes["feature"].zh, LONGEST_FEATURE_ZH, "feature"),
        (attributes["feature_2"].zh, LONGEST_FEATURE_ZH, "feature_2"),
    ):
        if len(text) > limit:
            raise MerchandiseError(f"{where}, {field}: {text!r} has {len(text)} characters; at most {limit} fit where copy is short")
    return Merchandise(
        product_id=product_id,
        vertical=vertical,
        kind=kind,
        name=name,
        title=_text(f"{where}, title", entry["title"]),
        brand=brands[entry["brand"]],
        category=category,
        description=_text(f"{where}, description", entry["description"]),
        attributes=attributes,
        prices=_prices(where, entry["price"]),
        list_factor=Decimal(str(entry["list_factor"])) if "list_factor" in entry else None,
        certificates=tuple(_text(f"{where}, certificates", each) for each in entry.get("certificates", ())),
        colour=colour,
        pattern=pattern,
    )


def _text(where: str, value: object) -> Text:
    halves = [half.strip() for half in str(value).split(" | ")]
    if len(halves) != 2 or not all(halves):
        raise MerchandiseError(f'{where}: {value!r}; write it in both languages, "zh | en"')
    return Text(*halves)


def _prices(where: str, value: Mapping[str, float]) -> dict[str, Decimal]:
    if sorted(value) != sorted(CURRENCIES.values()) or not all(amount > 0 for amount in value.values()):
        raise MerchandiseError(f"{where}, price: {value!r}; give a positive amount in each of {sorted(CURRENCIES.values())}")
    return {currency: Decimal(str(value[currency])).quantize(Decimal("0.01")) for currency in CURRENCIES.values()}


def _look(where: str, value: str) -> tuple[str, str]:
    colour, _, pattern = str(value).partition(" ")
    if colour not in COLOURS or pattern not in PATTERNS:
        raise MerchandiseError(f"{where}, look: {value!r}; a colour of {COLOURS}, then a pattern of {PATTERNS}")
    return colour, pattern


def _refuse_repeats(products: Sequence[Merchandise]) -> None:
    seen: dict[str, str] = {}
    for product in products:
        for name in product.name:
            if name in seen:
                raise MerchandiseError(
                    f"{product.vertical}.yaml, {product.product_id}, name: {name!r} is {seen[name]}'s too; make it unique"
                )
            seen[name] = product.product_id
