"""What ingestion did: every row refused, changed or kept with a remark, counted by rule with examples, and the rows' arithmetic.

Two files beside the tables: `report_rows.parquet` lists every one of those rows (table, file, source_row from 1, action, rule, column,
old, new); `report.json` holds the counts, the assumptions and the remarks and examples that are printed at the end.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from retrieval.cleaning import NOTES, REFUSED
from retrieval.expressions import FILE

EXAMPLES = 3
EXAMPLE_CHARS = 80


@dataclass(slots=True)
class Stage:
    """The rows of a source, or of a table. `set_aside` were not meant for the table, `folded` went into another row's values."""

    read: int = 0
    set_aside: int = 0
    folded: int = 0
    refused: int = 0
    written: int = 0

    def add(self, other: "Stage") -> None:
        """Sum with another part of the same table."""
        for name in ("read", "set_aside", "folded", "refused", "written"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Report:
    """Collected while the tables are made; written at the end, also where nothing could be written."""

    mapping: str
    shop: str
    engine: str
    assumptions: list[str]
    files: list[str] = field(default_factory=list)
    stages: dict[str, Stage] = field(default_factory=dict)
    notes: list[tuple[str, pa.Table]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, name: str, stage: Stage, notes: pa.Table) -> None:
        """Book a stage. `name` is `source NAME` or a table; asserts that no row is unaccounted for."""
        stage.refused = int(pc.sum(pc.equal(notes["action"], REFUSED)).as_py() or 0)
        assert stage.read == stage.set_aside + stage.folded + stage.refused + stage.written, f"{name}: rows unaccounted for: {stage}"
        self.stages.setdefault(name, Stage()).add(stage)
        self.notes.append((name, notes))

    def rows(self) -> pa.Table:
        """Every noted row."""
        names = pa.array(self.files, pa.string())
        listed = []
        for table, notes in self.notes:
            files = names.take(notes[FILE].combine_chunks())
            placed = notes.set_column(0, "file", files)
            listed.append(placed.add_column(0, "table", pa.repeat(pa.scalar(table), notes.num_rows)))
        empty = NOTES.empty_table().set_column(0, "file", pa.array([], pa.string())).add_column(0, "table", pa.array([], pa.string()))
        return pa.concat_tables([empty, *listed])

    def rules(self) -> list[dict[str, Any]]:
        """Counts by table, action, rule and column, most frequent first, each with the first few rows as examples."""
        rows = self.rows()
        keys = ["table", "action", "rule", "column"]
        found = rows.group_by(keys).aggregate([([], "count_all")]).sort_by([("count_all", "descending")])
        return [{**group, "rows": group.pop("count_all"), "examples": _examples(rows, group, keys)} for group in found.to_pylist()]

    def refusals(self, *stages: str) -> str:
        """The reasons of these stages' refusals in one line: `12 missing_required (title), 3 exact_duplicate`."""
        rules = [rule for rule in self.rules() if rule["action"] == REFUSED and rule["table"] in stages]
        return ", ".join(f"{rule['rows']} {rule['rule']}" + (f" ({rule['column']})" if rule["column"] else "") for rule in rules)

    def summary(self) -> dict[str, Any]:
        """What report.json holds."""
        return {
            "mapping": self.mapping,
            "shop": self.shop,
            "engine": self.engine,
            "seconds": round(self.seconds, 2),
            "files": self.files,
            "assumptions": self.assumptions,
            "remarks": self.remarks,
            "rows": {name: {part: getattr(stage, part) for part in Stage.__slots__} for name, stage in self.stages.items()},
            "rules": self.rules(),
        }

    def write(self, shop: Path) -> dict[str, Any]:
        """Write both files; returns the summary."""
        shop.mkdir(parents=True, exist_ok=True)
        pq.write_table(self.rows(), shop / "report_rows.parquet", compression="zstd")
        summary = self.summary()
        (shop / "report.json").write_text(json.dumps(summary, ensure_ascii=False, indent=1), encoding="utf-8")
        return summary


def _examples(rows: pa.Table, group: dict[str, Any], keys: list[str]) -> list[dict[str, Any]]:
    """The first rows of a group."""
    same = pc.equal(rows["rule"], group["rule"])
    for key in keys:
        same = pc.and_(same, pc.is_null(rows[key]) if group[key] is None else pc.equal(rows[key], group[key]))
    shown = rows.filter(same.fill_null(False)).slice(0, EXAMPLES).select(["source_row", "old", "new"]).to_pylist()
    return [{key: value[:EXAMPLE_CHARS] if isinstance(value, str) else value for key, value in row.items()} for row in shown]


def show(summary: dict[str, Any], console: Console) -> None:
    """Print the arithmetic, the rules with an example each, and the assumptions."""
    arithmetic = Table("rows of", "read", "not for it", "folded", "refused", "written", title=f"{summary['shop']}: {summary['seconds']} s")
    for name, stage in summary["rows"].items():
        arithmetic.add_row(name, *(f"{stage[part]:,}" for part in ("read", "set_aside", "folded", "refused", "written")))
    console.print(arithmetic)
    rules = Table()
    rules.add_column("rows", justify="right", no_wrap=True)
    rules.add_column("what, and by which rule", no_wrap=True)
    rules.add_column("for example")  # what gives way on a narrow terminal
    for rule in summary["rules"]:
        example = rule["examples"][0] if rule["examples"] else {}
        told = f"row {example.get('source_row')}: {example.get('old') or '(empty)'}" + (
            f" → {example['new']}" if example.get("new") else ""
        )
        what = f"{rule['table']} {rule['action']}: {rule['rule']}" + (f" ({rule['column']})" if rule["column"] else "")
        rules.add_row(f"{rule['rows']:,}", escape(what), escape(told[:80]))
    console.print(rules)
    for assumption in summary["assumptions"]:
        console.print(f"assumed: {escape(assumption)}")
    for remark in summary["remarks"]:
        console.print(f"note: {escape(remark)}")
