"""What became of the events: every row refused, changed or noted, and every shopper or product with a remark, counted with examples.

Three files beside the tables: `behaviour_rows.parquet` (event_id, shopper_id, action, rule, column, old, new), `behaviour_marks.parquet`
(entity, id, rule, told: bots with their rate, mixed currencies) and `behaviour_report.json` with the counts, remarks and examples that
are printed. Parts are streamed into the files, so the report of a long log needs no more memory than that of a short one.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from retrieval.behaviour.cleaning import NOTES
from retrieval.cleaning import REFUSED

EXAMPLES = 3
MARKS = pa.schema([(name, pa.string()) for name in ("entity", "id", "rule", "told")])

Rule = tuple[str, str, str]
"""(action, rule, column)."""


def marks(entity: str, rule: str, told: Mapping[str, str]) -> pa.Table:
    """One mark for each id."""
    return pa.table([[entity] * len(told), list(told), [rule] * len(told), list(told.values())], schema=MARKS)


@dataclass(slots=True)
class BehaviourReport:
    """One run. Rows in = rows kept + rows refused, which `close` makes sure of."""

    shop: str
    engine: str
    now: str
    read: int = 0
    kept: int = 0
    rules: Counter[Rule] = field(default_factory=Counter)
    marked: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    made: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def refused(self) -> int:
        """Rows that are in no table."""
        return sum(rows for (action, _, _), rows in self.rules.items() if action == REFUSED)

    def write_rows(self, parts: Iterable[pa.Table], path: Path) -> None:
        """Stream notes into their file, counting them."""
        with pq.ParquetWriter(path, NOTES, compression="zstd") as writer:
            for part in parts:
                counts = part.group_by(["action", "rule", "column"]).aggregate([([], "count_all")]).to_pylist()
                for group in counts:
                    key = (group["action"], group["rule"], group["column"])
                    self.rules[key] += group["count_all"]
                    self._show(" ".join(key), part, ("rule", "column", "action"), (key[1], key[2], key[0]))
                writer.write_table(part)

    def write_marks(self, parts: Iterable[pa.Table], path: Path) -> None:
        """Stream marks into their file, counting them."""
        with pq.ParquetWriter(path, MARKS, compression="zstd") as writer:
            for part in parts:
                for group in part.group_by(["entity", "rule"]).aggregate([([], "count_all")]).to_pylist():
                    key = (group["entity"], group["rule"])
                    self.marked[key] += group["count_all"]
                    self._show(" ".join(key), part, ("entity", "rule"), key)
                writer.write_table(part)

    def _show(self, name: str, part: pa.Table, columns: tuple[str, ...], key: tuple[str, ...]) -> None:
        """Remember the first few of a group."""
        shown = self.examples.setdefault(name, [])
        if len(shown) < EXAMPLES:
            same = pc.equal(part[columns[0]], key[0])
            for column, value in zip(columns[1:], key[1:], strict=True):
                same = pc.and_(same, pc.equal(part[column], value))
            shown += part.filter(same).slice(0, EXAMPLES - len(shown)).to_pylist()

    def summary(self) -> dict[str, Any]:
        """What behaviour_report.json holds."""
        rules = [
            {"action": action, "rule": rule, "column": column, "rows": rows, "examples": self.examples[f"{action} {rule} {column}"]}
            for (action, rule, column), rows in self.rules.most_common()
        ]
        marked = [
            {"entity": entity, "rule": rule, "count": count, "examples": self.examples[f"{entity} {rule}"]}
            for (entity, rule), count in self.marked.most_common()
        ]
        rows = {"read": self.read, "kept": self.kept, "refused": self.refused}
        run = {"shop": self.shop, "engine": self.engine, "now": self.now, "seconds": round(self.seconds, 2)}
        return run | {"rows": rows, "rules": rules, "marks": marked, "remarks": self.remarks, "tables": self.made}

    def close(self, path: Path) -> dict[str, Any]:
        """Write the summary; asserts that no row is unaccounted for."""
        assert self.read == self.kept + self.refused, (
            f"{self.read} rows read, {self.kept} kept, {self.refused} refused: some are unaccounted for"
        )
        summary = self.summary()
        path.write_text(json.dumps(summary, ensure_ascii=False, indent=1), encoding="utf-8")
        return summary


def show(summary: dict[str, Any], console: Console) -> None:
    """Print the arithmetic, the rules and marks with an example each, the remarks and what was made."""
    rows = summary["rows"]
    console.print(
        f"{escape(summary['shop'])}: {rows['read']:,} events = {rows['kept']:,} kept + {rows['refused']:,} refused; {summary['seconds']} s"
    )
    told = Table("rows", "what, and by which rule", "for example")
    for rule in summary["rules"]:
        one = rule["examples"][0]
        example = f"{one['event_id']}: {one['old'] or '(empty)'}" + (f" → {one['new']}" if one["new"] else "")
        told.add_row(f"{rule['rows']:,}", escape(f"{rule['action']}: {rule['rule']} ({rule['column']})"), escape(example[:100]))
    for mark in summary["marks"]:
        one = mark["examples"][0]
        told.add_row(f"{mark['count']:,}", escape(f"{mark['entity']}: {mark['rule']}"), escape(f"{one['id']}: {one['told']}"))
    if told.row_count:
        console.print(told)
    for remark in summary["remarks"]:
        console.print(f"note: {escape(remark)}")
    console.print("made: " + ", ".join(f"{name} {count:,}" for name, count in summary["tables"].items()))
