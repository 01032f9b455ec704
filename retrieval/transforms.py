"""The transforms a mapping may name, each a small function of one value: `strip`, `to_decimal`, `parse_datetime`, `regex_lookup` …

A transform's options come from the mapping's YAML; calling its factory with them gives a `Step`: the function, and the Arrow type of
what it returns. A step gets a non-empty value (blank is missing before any transform runs), returns None for "no value", and raises
ValueError for a value that it can't read: the row's report then says `unparsable`. To add one: a factory here, a line in `TRANSFORMS`.
"""

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from retrieval.names import title_case as cased

TEXT = pa.string()
TEXTS = pa.list_(TEXT)
PAIRS = pa.map_(TEXT, TEXT)
DECIMAL = pa.decimal128(24, 6)
INTEGER = pa.int64()
INSTANT = pa.timestamp("us", tz="UTC")

_DECIMAL_STEP = Decimal("0.000001")
_DECIMAL_LIMIT = Decimal(10) ** 17
_TRUE = frozenset({"true", "yes", "y", "1", "on", "是"})
_FALSE = frozenset({"false", "no", "n", "0", "off", "否"})


@dataclass(frozen=True, slots=True)
class Step:
    """One transform with its options: `apply(value)` → value of Arrow type `kind`."""

    apply: Callable[[Any], Any]
    kind: pa.DataType


def strip(characters: str | None = None) -> Step:
    """Cut `characters` (default: white space) from both ends."""
    return Step(lambda value: value.strip(characters) or None, TEXT)


def upper() -> Step:
    """Capital letters."""
    return Step(str.upper, TEXT)


def lower() -> Step:
    """Small letters."""
    return Step(str.lower, TEXT)


def collapse_spaces() -> Step:
    """One blank for each run of white space, line breaks included."""
    return Step(lambda value: " ".join(value.split()) or None, TEXT)


def title_case() -> Step:
    """Shouted titles in title case; mixed-case ones are left as they are."""
    return Step(cased, TEXT)


def remove(pattern: str) -> Step:
    """Cut every match of the regular expression."""
    found = re.compile(pattern)
    return Step(lambda value: found.sub("", value).strip() or None, TEXT)


def replace(pattern: str, by: str) -> Step:
    """Put `by` (which may hold \\1 …) for every match of the regular expression."""
    found = re.compile(pattern)
    return Step(lambda value: found.sub(by, value).strip() or None, TEXT)


def extract(pattern: str, group: int = 1) -> Step:
    """The first match's group; no value where nothing matches."""
    found = re.compile(pattern)
    if group > found.groups:
        raise ValueError(f"group {group} asked for, but {pattern!r} has {found.groups}; put the part to keep in parentheses")

    def apply(value: str) -> str | None:
        match = found.search(value)
        return (match[group] or "").strip() or None if match else None

    return Step(apply, TEXT)


def null_if(values: list[str]) -> Step:
    """No value where the text is one of `values` ("No rating available", "N/A")."""
    absent = frozenset(values)
    return Step(lambda value: None if value in absent else value, TEXT)


def strip_html() -> Step:
    """Text without tags, entities read."""
    return Step(lambda value: " ".join(html.unescape(re.sub(r"<[^>]+>", " ", value)).split()) or None, TEXT)


def lookup(table: dict[str, str], default: str | None = None) -> Step:
    """The value's entry in `table`, else `default`."""
    return Step(lambda value: table.get(value, default), TEXT)


def regex_lookup(rules: list[tuple[str, str]], default: str | None = None) -> Step:
    """The result of the first rule `[pattern, result]` that matches anywhere in the value (case ignored), else `default`."""
    compiled = [(re.compile(pattern, re.IGNORECASE), result) for pattern, result in rules]
    return Step(lambda value: next((result for pattern, result in compiled if pattern.search(value)), default), TEXT)


def split(by: str, part: int | None = None, drop_last: bool = False) -> Step:
    """Cut at `by`: a list of texts, or its element number `part` (0 first, -1 last; no value where there is none)."""

    def parts(value: str) -> list[str]:
        pieces = [piece.strip() for piece in value.split(by) if piece.strip()]
        return pieces[:-1] if drop_last else pieces

    def one(value: str) -> str | None:
        pieces = parts(value)
        return pieces[part] if part is not None and -len(pieces) <= part < len(pieces) else None

    return Step(parts, TEXTS) if part is None else Step(one, TEXT)


def to_decimal(decimal_point: str = ".", thousands: str = "", symbols: str = "") -> Step:
    """An exact number, to six decimals. `thousands` and each character of `symbols` (currency signs) are cut first."""
    cut = str.maketrans("", "", thousands + symbols + " \u00a0")

    def apply(value: str) -> Decimal:
        try:
            number = Decimal(value.translate(cut).replace(decimal_point, "."))
        except InvalidOperation as error:
            raise ValueError(f"not a number: {value!r}") from error
        if not number.is_finite() or abs(number) >= _DECIMAL_LIMIT:
            raise ValueError(f"not a usable number: {value!r}")
        return number.quantize(_DECIMAL_STEP, ROUND_HALF_UP)

    return Step(apply, DECIMAL)


def to_integer() -> Step:
    """A whole number; 6.0 is 6, 6.5 is refused."""

    def apply(value: str) -> int:
        try:
            number = Decimal(value)
        except InvalidOperation as error:
            raise ValueError(f"not a number: {value!r}") from error
        if not number.is_finite() or number != number.to_integral_value() or abs(number) >= 2**62:
            raise ValueError(f"not a whole number: {value!r}")
        return int(number)

    return Step(apply, INTEGER)


def to_boolean() -> Step:
    """true/yes/1/是 or false/no/0/否."""

    def apply(value: str) -> bool:
        if (word := value.strip().lower()) not in _TRUE | _FALSE:
            raise ValueError(f"neither yes nor no: {value!r}")
        return word in _TRUE

    return Step(apply, pa.bool_())


def parse_datetime(format: str | None = None, timezone: str = "UTC") -> Step:
    """An instant. `format` as in strptime, else ISO 8601; `timezone` (IANA) is that of times that state none."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"timezone {timezone!r} is not an IANA name such as Europe/London or Asia/Shanghai") from error

    def apply(value: str) -> datetime:
        at = datetime.strptime(value, format) if format else datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)

    return Step(apply, INSTANT)


def parse_pairs(style: str = "json", under: str | None = None, known: dict[str, list[str]] | None = None) -> Step:
    """Specifications as snake_case key → value, from JSON or (`style: ruby_hash`) Ruby's inspect form with `=>`.

    Reads an object `{"Fabric": "Cotton"}` or a list `[{"key": "Fabric", "value": "Cotton"}]`, where given under the key `under`.
    `known` gives our keys the merchant's in order of preference: `material: [fabric, outer_material]`; the first one present
    takes our name. A value without a key is kept as detail, detail_2 …; values of one key are joined by commas.
    """
    if style not in ("json", "ruby_hash"):
        raise ValueError(f"style {style!r} is not known; choose json or ruby_hash")

    def apply(value: str) -> list[tuple[str, str]]:
        try:
            # Ruby's `=>` and `nil` only ever follow a closing quote, so text inside the quotes is left alone
            read = json.loads(re.sub(r'"\s*=>\s*', '": ', value).replace('": nil', '": null') if style == "ruby_hash" else value)
        except json.JSONDecodeError as error:
            raise ValueError(f"not {style}: {error}") from error
        return list(_named(_pairs(read.get(under) if under and isinstance(read, dict) else read), known or {}).items())

    return Step(apply, PAIRS)


def _pairs(read: Any) -> list[tuple[str, str]]:
    """(snake_case key, text) in order, from any of the shapes that merchants use."""
    if isinstance(read, dict) and not {"key", "value"} & read.keys():
        found = list(read.items())
    else:
        entries = read if isinstance(read, list) else [read]
        found = [(entry.get("key"), entry.get("value")) for entry in entries if isinstance(entry, dict)]
    return [(_snake(str(key or "detail")), str(text).strip()) for key, text in found if text not in (None, "")]


def _named(pairs: list[tuple[str, str]], known: dict[str, list[str]]) -> dict[str, str]:
    """One value for each key, with our names for the known ones."""
    values: dict[str, str] = {}
    details = 0
    for given, text in pairs:
        details += given == "detail"
        key = f"detail_{details}" if given == "detail" and details > 1 else given
        if text not in (earlier := values.get(key, "")).split(", "):
            values[key] = f"{earlier}, {text}" if earlier else text
    for ours, theirs in known.items():
        present = [key for key in theirs if key in values]
        if present and ours not in values:
            values[ours] = values.pop(present[0])
    return values


def _snake(key: str) -> str:
    """A snake_case key; letters of every script are letters."""
    return re.sub(r"\W+", "_", key.strip().lower()).strip("_") or "detail"


TRANSFORMS: dict[str, Callable[..., Step]] = {
    "strip": strip,
    "upper": upper,
    "lower": lower,
    "collapse_spaces": collapse_spaces,
    "title_case": title_case,
    "remove": remove,
    "replace": replace,
    "extract": extract,
    "null_if": null_if,
    "strip_html": strip_html,
    "lookup": lookup,
    "regex_lookup": regex_lookup,
    "split": split,
    "to_decimal": to_decimal,
    "to_integer": to_integer,
    "to_boolean": to_boolean,
    "parse_datetime": parse_datetime,
    "parse_pairs": parse_pairs,
}
"""Name in a mapping → factory of the step."""
