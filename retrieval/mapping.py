"""The mapping file: how one merchant's columns become our tables. Declarative, generic, and refused where it says something unknown.

    shop: var/shops/acme                   # where the tables go; --out overrides
    assumptions: [every shopper consents]  # printed with the report
    sources:
      lines: {path: "${DATA:-data}/orders-*.csv.gz", fields: {...}, rules: {...}}
    tables:
      products: {source: lines, one_per: [sku], combine: {title: most_common}, columns: {product_id: sku, locale: {constant: en-GB}, ...}}

A source's `fields` are typed once, its `rules` refuse rows for every table, and a table's columns are made of the fields (or of the
source's columns as text). An error names the file, the key path, the value and the remedy.
"""

import os
import re
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from retrieval.expressions import Expression, Match
from retrieval.schemas import SCHEMAS
from retrieval.strict import Strict, unknown

FORMATS = ("csv", "tsv", "jsonl", "parquet")
UNITS = {"major": 1.0, "minor": 0.01, "thousand": 1000.0, "out_of_5": 1.0, "out_of_10": 0.5, "out_of_100": 0.05}
"""What a number in the source is multiplied by: money to major units, ratings to 0 to 5."""
MADE_WHERE_ABSENT = frozenset({"name", "vertical", "category", "attributes", "certificates", "images", "videos", "version"})


class MappingError(ValueError):
    """A mapping that can't be used. The message names the file, the key path, the value and the remedy."""


class Exclusion(Match):
    """Rows refused for every table under a rule name of the merchant's own: non_product, test_order …"""

    rule: str = Field(pattern=r"^[a-z][a-z0-9_]*$")


class Outlier(Strict):
    """Refuses rows whose `column` is beyond `times` the median, or below the median / `times`, of its group (or of all rows)."""

    column: str
    within: str | None = Field(default=None, description="group by this column; none: all rows of the source")
    times: float = Field(gt=1)
    at_least: int = Field(default=5, ge=3, description="groups with fewer rows have no telling median")


class Rules(Strict):
    """What refuses a row of a source for every table, in this order."""

    exclude: list[Exclusion] = Field(default=[])
    positive: list[str] = Field(default=[], description="columns that must be above zero")
    exact_duplicates: Literal["refuse", "keep"] = "refuse"
    outliers: list[Outlier] = Field(default=[])


class Source(Strict):
    """One file, or several of the same shape (`*` in the path), plain or .gz."""

    path: str = Field(description="absolute, or relative to the mapping file (or --root); ${NAME} and ${NAME:-default} are read")
    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = Field(default=None, description="by the file's ending where not given")
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    quote: str = Field(default='"', description="the character around fields with delimiters in them, or none: quotes mean nothing")
    multiline: bool = Field(
        default=False,
        description="quoted fields may hold line breaks and delimiters at once; else such a row is refused as a stray quote's",
    )
    encoding: str = "utf-8"
    required: list[str] = Field(default=[], description="columns that the file must have, even if no table reads them")
    fields: dict[str, Expression] = Field(default={})
    rules: Rules = Rules()

    @field_validator("quote")
    @classmethod
    def _one_character(cls, quote: str) -> str:
        if len(quote) != 1 and quote != "none":
            raise ValueError(f"{quote!r} is neither one character nor none; write quote: none where quotes mean nothing")
        return quote

    @property
    def quote_char(self) -> str | None:
        """The quote, if there is one."""
        return None if self.quote == "none" else self.quote


class Combine(Strict):
    """How the rows of one key become one value: first, last, most_common, or {recent_median: {at: column, days: 30}}."""

    how: Literal["first", "last", "most_common", "recent_median"]
    at: str | None = None
    days: int | None = Field(default=None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"how": given}
        return {"how": "recent_median", **given["recent_median"]} if isinstance(given, dict) and "recent_median" in given else given

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if (self.how == "recent_median") != (self.at is not None and self.days is not None):
            raise ValueError("recent_median needs `at` (a column of instants) and `days`; the others need neither")
        return self


class Cancellations(Strict):
    """Rows that take a purchase back: they become `cancellation` events, and are matched to purchases of that shopper and product."""

    when: Match


class Media(Strict):
    """Photos in a tar: `member` is the file's name there, a template; found ones go to the shop's media/ and become the images."""

    tar: str
    member: str


class TableMapping(Strict):
    """How one table is made from one source. `where` picks rows, `one_per` and `combine` fold them, `columns` shape them."""

    source: str
    where: list[Match] = Field(default=[])
    one_per: list[str] = Field(default=[])
    combine: dict[str, Combine] = Field(default={}, description="by field; first where not given")
    columns: dict[str, Expression]
    units: dict[str, str] = Field(default={}, description="by column: what its numbers are in, from UNITS; major where not given")
    daily_changes: bool = Field(default=False, description="price_history: each day's commonest price, where it changed")
    cancellations: Cancellations | None = Field(default=None, description="events only")
    media: Media | None = Field(default=None, description="products only")

    @field_validator("units")
    @classmethod
    def _known_units(cls, units: dict[str, str]) -> dict[str, str]:
        for unit in units.values():
            if unit not in UNITS:
                raise ValueError(unknown("unit", unit, UNITS))
        return units

    def reads(self) -> dict[str, str]:
        """Every column that the table needs of its source, and the key that asks for it."""
        needed = {match.column: "where" for match in self.where}
        needed |= dict.fromkeys(self.one_per, "one_per") | {name: f"combine.{name}" for name in self.combine}
        needed |= {rule.at: f"combine.{name}.at" for name, rule in self.combine.items() if rule.at}
        needed |= {self.cancellations.when.column: "cancellations.when"} if self.cancellations else {}
        needed |= dict.fromkeys(re.findall(r"\{(\w[^{}]*)\}", self.media.member), "media.member") if self.media else {}
        return needed | {name: f"columns.{column}" for column, expression in self.columns.items() for name in expression.columns()}


class Mapping(Strict):
    """A whole mapping file."""

    shop: str
    assumptions: list[str] = Field(default=[])
    sources: dict[str, Source]
    tables: dict[Literal["products", "price_history", "shoppers", "events"], list[TableMapping]]

    @field_validator("tables", mode="before")
    @classmethod
    def _lists(cls, tables: Any) -> Any:
        """One mapping for a table, or a list of them (two languages, or events of several files)."""
        return {name: one if isinstance(one, list) else [one] for name, one in tables.items()} if isinstance(tables, dict) else tables

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if "products" not in self.tables:
            raise ValueError("tables: products is missing; a shop is nothing without its products")
        for table, mappings in self.tables.items():
            needed = [f.name for f in SCHEMAS[table] if not f.nullable and f.name not in MADE_WHERE_ABSENT]
            for mapping in mappings:
                _check_table(table, mapping, needed, self.sources)
        return self

    def needed(self, source: str) -> dict[str, str]:
        """The columns and fields of a source that any table or rule reads, and the key path that asks for each."""
        needed: dict[str, str] = {}
        for table, mappings in self.tables.items():
            for mapping in mappings:
                asked = mapping.reads() if mapping.source == source else {}
                needed |= {name: f"tables.{table}.{key}" for name, key in asked.items()}
        rules = self.sources[source].rules
        asked_by = [("positive", name) for name in rules.positive] + [("exclude", rule.column) for rule in rules.exclude]
        asked_by += [("outliers", name) for rule in rules.outliers for name in (rule.column, rule.within) if name]
        return needed | {name: f"sources.{source}.rules.{key}" for key, name in asked_by}


def _check_table(table: str, mapping: TableMapping, needed: list[str], sources: dict[str, Source]) -> None:
    """Raise ValueError for what only the schema or the other sections can tell."""
    where = f"tables.{table}"
    if mapping.source not in sources:
        raise ValueError(f"{where}.source: {unknown('source', mapping.source, sources)}")
    for column in (*mapping.columns, *mapping.units):
        if column not in SCHEMAS[table].names:
            raise ValueError(f"{where}.columns: {unknown('column', column, SCHEMAS[table].names)}")
    if missing := [column for column in needed if column not in mapping.columns]:
        raise ValueError(f"{where}.columns: {missing} missing; the table can't do without (a constant is fine)")
    if mapping.combine and not mapping.one_per:
        raise ValueError(f"{where}.combine: {list(mapping.combine)} given without one_per; name the columns that rows are folded by")
    for option, home in (("cancellations", "events"), ("media", "products"), ("daily_changes", "price_history")):
        if getattr(mapping, option) and table != home:
            raise ValueError(f"{where}.{option}: only {home} have it; move it there or take it out")


def load(path: Path) -> Mapping:
    """Read and check a mapping file. Raises MappingError."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(
            f"{path}: can't be read ({error.strerror}); give the path of a mapping such as examples/mappings/*.yaml"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MappingError(f"{path}: not YAML: {error}") from error
    try:
        return Mapping.model_validate(given)
    except ValidationError as error:
        raise MappingError("\n".join(_line(path, problem) for problem in error.errors())) from error


def _line(path: Path, problem: Any) -> str:
    """One problem: file, key path, what is wrong, and the value where the message doesn't hold it."""
    place = ".".join(str(part) for part in problem["loc"]) or "top level"
    value = "" if problem["type"] in ("value_error", "missing") else f" (got {problem['input']!r:.80})"
    remedy = "; add this key" if problem["type"] == "missing" else ""
    return f"{path}: {place}: {problem['msg'].removeprefix('Value error, ')}{value}{remedy}"


def expand(path: str, mapping_file: Path, root: Path | None) -> Path:
    """A path of the mapping with its ${NAME} and ${NAME:-default} read, relative to `root`, else to the mapping file."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1]) or match[2]
        if found is None:
            raise MappingError(
                f"{mapping_file}: path {path!r}: {match[1]} is not set; export {match[1]}=… or write ${{{match[1]}:-default}}"
            )
        return found

    return (root or mapping_file.parent) / Path(re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", value, path)).expanduser()
