"""The whole command on real files: every format, nothing dropped in silence, clear refusals, the example mappings."""

import gzip
import itertools
import json
import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from retrieval import schemas
from retrieval.ingest import IngestError, Ingestion, main
from retrieval.mapping import MappingError
from retrieval.sources import SourceError, batches
from tests.retrieval.shopkit import (
    HEADER,
    LINES,
    catalogue,
    ingest,
    ingest_lines,
    mapping,
    refused,
    summary,
    told,
    write_csv,
    write_text,
)

PROJECT = Path(__file__).resolve().parents[2]


def write_as(folder: Path, form: str, rows: list[list[str]]) -> None:
    """The same rows in another format."""
    objects = [dict(zip(HEADER, row, strict=True)) for row in rows]
    if form.startswith("jsonl"):
        write_text(folder / f"lines.{form}", "".join(json.dumps({k: v for k, v in one.items() if v}) + "\n" for one in objects))
    elif form.startswith("parquet"):
        typed = [one | {"price": Decimal(one["price"]), "units": float(one["units"])} for one in objects]
        pq.write_table(pa.Table.from_pylist(typed), folder / "lines.parquet")
        if form.endswith(".gz"):
            (folder / "lines.parquet.gz").write_bytes(gzip.compress((folder / "lines.parquet").read_bytes()))
    else:
        write_csv(folder / f"lines.{form}", [HEADER, *rows], "\t" if form.startswith("tsv") else ",")


@pytest.mark.parametrize("form", ["csv", "csv.gz", "tsv", "tsv.gz", "jsonl", "jsonl.gz", "parquet", "parquet.gz"])
def test_every_format_gives_the_same_tables(tmp_path, form):
    rows = [*LINES, ["C6", "A1", "RED ENAMEL MUG", "-1", "2024-03-06 10:00", "4.50", "c1"]]
    write_as(tmp_path, form, rows)
    report, made = ingest(tmp_path, mapping(sources__lines__path=f"lines.{form}"))
    (tmp_path / "plain").mkdir()
    _, plain = ingest_lines(tmp_path / "plain", [rows[-1]])
    assert made == plain
    assert not refused(report)
    assert [product["product_id"] for product in made["products"]] == ["A1", "B2"]


def test_a_gb18030_file_with_semicolons_is_read_as_the_mapping_says(tmp_path):
    (tmp_path / "products.csv").write_bytes("id;title\n1;羊毛大衣\n".encode("gb18030"))
    _, made = ingest(tmp_path, catalogue({}, delimiter=";", encoding="gb18030"))
    assert made["products"][0]["title"] == "羊毛大衣"


def test_several_files_are_one_source_and_rows_keep_their_file(tmp_path):
    for part in (1, 2):
        write_csv(tmp_path / f"products-{part}.csv", [["id", "title"], [str(part), "Mug"], ["7", "Cup"]])
    report, made = ingest(tmp_path, catalogue({}, path="products-*.csv"))
    assert [row["product_id"] for row in made["products"]] == ["1", "7", "2"]
    listed = report.rows().to_pylist()
    assert [(Path(row["file"]).name, row["source_row"], row["rule"]) for row in listed] == [("products-2.csv", 2, "exact_duplicate")]


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        ("products.csv", 'id,title\n1,"Mug\nwith lid"\n2\n3,Cup,extra\n4,Jug\n', [2, 3]),
        ("products.jsonl", '{"id": 1, "title": "Mug"}\n{oops\n[1]\n{"id": 4, "title": "Jug"}\n', [2, 3]),
        ("products.csv", "id,title\n1,Mug\n2\n", [2]),
    ],
)
def test_a_line_that_is_no_row_is_refused_with_its_number(tmp_path, name, text, rows):
    write_text(tmp_path / name, text)
    report, _ = ingest(tmp_path, catalogue({}, path=name))
    listed = [row for row in report.rows().to_pylist() if row["action"] == "refused"]
    assert [(row["rule"], row["source_row"]) for row in listed] == [("malformed_row", row) for row in rows]
    assert all(row["old"] and row["new"] for row in listed)


def test_row_numbers_stay_true_over_many_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("retrieval.sources.BLOCK_BYTES", 400)
    rows = [[str(i)] if i % 7 == 0 else [str(i), f"Mug {i}"] for i in range(1, 300)]
    write_csv(tmp_path / "products.csv", [["id", "title"], *rows])
    given = catalogue({})
    report, made = ingest(tmp_path, given)
    assert [row["source_row"] for row in report.rows().to_pylist() if row["rule"] == "malformed_row"] == list(range(7, 300, 7))
    source = Ingestion(tmp_path / "mapping.yaml").mapping.sources["products"]
    read = list(batches(tmp_path / "products.csv", 0, source))
    numbers = list(itertools.chain.from_iterable(batch.rows["source_row"].to_pylist() for batch in read))
    assert len(read) > 3
    assert numbers == [int(row["product_id"]) for row in made["products"]]


@pytest.mark.parametrize("seed", range(5))
def test_no_row_is_dropped_in_silence(tmp_path, seed):
    rng = random.Random(seed)
    choices = [
        ["1", "C2", ""],
        ["A1", "B2", "POST", "", "a1"],
        ["RED MUG", "", "?"],
        ["1", "-1", "x", "0", "90000"],
        ["2024-03-01", "never", ""],
    ]
    extra = [
        [*(rng.choice(options) for options in choices), rng.choice(["4", "0", "-1", "", "4.001"]), rng.choice(["c1", ""])]
        for _ in range(300)
    ]
    report, made = ingest_lines(tmp_path, extra)
    source = report.stages["source lines"]
    listed = report.rows().to_pylist()
    lost = {row["source_row"] for row in listed if row["table"] == "source lines" and row["action"] == "refused"}
    assert source.read == len(extra) + len(LINES) == source.written + source.refused
    assert len(lost) == source.refused
    for table in schemas.SCHEMAS:
        stage = report.stages[table]
        gone = [row["source_row"] for row in listed if row["table"] == table and row["action"] == "refused"]
        assert stage.read == source.written == stage.set_aside + stage.folded + stage.refused + stage.written
        assert len(gone) == len(set(gone)) == stage.refused
        assert stage.written == len(made[table])
    kept = {int(event["event_id"].rpartition("-")[2]) for event in made["events"]}
    refused_events = {row["source_row"] for row in listed if row["table"] == "events" and row["action"] == "refused"}
    assert kept | refused_events | lost == set(range(1, source.read + 1))
    assert not kept & refused_events and not (kept | refused_events) & lost


def test_the_report_is_kept_with_counts_examples_and_every_row(tmp_path):
    extra = [["9", "POST", "POSTAGE", "1", "2024-03-01", "5", "c1"]] * 2
    report, _ = ingest_lines(tmp_path, extra, assumptions=["all consent"], sources__lines__rules__exact_duplicates="keep")
    kept = summary(tmp_path)
    rule = next(rule for rule in kept["rules"] if rule["rule"] == "non_product")
    assert (rule["rows"], rule["examples"][0]["source_row"], rule["examples"][0]["old"]) == (2, 6, "POST")
    assert kept["rows"]["source lines"] == {"read": 7, "set_aside": 0, "folded": 0, "refused": 2, "written": 5}
    assert kept["assumptions"] == ["all consent"]
    assert pq.read_table(tmp_path / "shop" / "report_rows.parquet").equals(report.rows())


def test_a_changed_product_gets_the_next_version(tmp_path):
    ingest_lines(tmp_path, [])
    _, made = ingest_lines(tmp_path, [])
    assert {row["product_id"]: row["version"] for row in made["products"]} == {"A1": 1, "B2": 1}
    extra = [[str(i), "B2", "Oak shelf", "1", "2024-03-08 10:00", "40", "c2"] for i in range(9, 14)]
    _, made = ingest_lines(tmp_path, extra)
    assert {row["product_id"]: row["version"] for row in made["products"]} == {"A1": 1, "B2": 2}


def test_two_languages_and_two_event_files_make_one_shop(tmp_path):
    write_csv(tmp_path / "products.csv", [["id", "en", "zh"], ["1", "Wool coat", "羊毛大衣"]])
    write_csv(tmp_path / "views.csv", [["who", "what", "when"], ["s1", "1", "2024-01-01"]])
    write_csv(tmp_path / "carts.csv", [["who", "what", "when"], ["s1", "1", "2024-01-02"]])
    event = {"shopper_id": "who", "product_id": "what", "at": "when"}
    given = {
        "shop": "shop",
        "sources": {name: {"path": f"{name}.csv"} for name in ("products", "views", "carts")},
        "tables": {
            "products": [
                {"source": "products", "columns": {"product_id": "id", "locale": {"constant": locale}, "title": column}}
                for locale, column in (("en-GB", "en"), ("zh-CN", "zh"))
            ],
            "shoppers": {
                "source": "views",
                "one_per": ["who"],
                "columns": {"shopper_id": "who", "consent": {"constant": True}, "locale": {"constant": "en-GB"}},
            },
            "events": [
                {"source": f"{kind}s", "columns": event | {"event_id": {"template": kind + "-{source_row}"}, "kind": {"constant": kind}}}
                for kind in ("view", "cart")
            ],
        },
    }
    _, made = ingest(tmp_path, given)
    assert [(row["locale"], row["name"]) for row in made["products"]] == [("en-GB", "Wool coat"), ("zh-CN", "羊毛大衣")]
    assert [row["kind"] for row in made["events"]] == ["view", "cart"]


def test_an_empty_catalogue_is_an_error_that_names_the_file_and_the_reasons(tmp_path):
    write_csv(tmp_path / "products.csv", [["id", "title"], ["1", ""], ["2", ""], ["", "Mug"]])
    with pytest.raises(
        IngestError, match=r"products\.csv: no product is left: 2 missing_required \(title\), 1 missing_required \(product_id\)"
    ):
        ingest(tmp_path, catalogue({}))
    assert (tmp_path / "shop" / "report_rows.parquet").is_file()
    assert not (tmp_path / "shop" / "products.parquet").exists()


@pytest.mark.parametrize(
    ("text", "source", "words"),
    [
        ("", {}, "empty, not even a header"),
        ("id,title,id\n1,a,2\n", {}, "stand twice"),
        ("id,name\n1,a\n", {"required": ["title"]}, r"\['title'\] missing; it has \['id', 'name'\]"),
        ("id,title\n1,a\n", {"format": "parquet"}, "can't be read as parquet"),
        ("id,title\n1,a\n", {"encoding": "klingon"}, "klingon"),
    ],
)
def test_a_file_that_can_not_be_used_is_named(tmp_path, text, source, words):
    write_text(tmp_path / "products.csv", text)
    with pytest.raises(SourceError, match=words) as error:
        ingest(tmp_path, catalogue({}, **source))
    assert "products.csv" in str(error.value)


def test_a_wrong_encoding_is_an_error_not_garbage(tmp_path):
    (tmp_path / "products.csv").write_bytes("id,title\n1,caf\xe9\n".encode("latin-1"))
    with pytest.raises(SourceError, match="encoding"):
        ingest(tmp_path, catalogue({}))


def test_a_missing_file_and_an_unknown_ending_say_what_to_do(tmp_path):
    with pytest.raises(SourceError, match=r"products\.csv: no such file; .*--root"):
        ingest(tmp_path, catalogue({}))
    write_text(tmp_path / "products.dat", "id,title\n1,a\n")
    with pytest.raises(SourceError, match="set the source's format"):
        ingest(tmp_path, catalogue({}, path="products.dat"))


def test_a_key_that_some_json_lines_lack_is_an_empty_value(tmp_path):
    write_text(tmp_path / "products.jsonl", '{"id": 1, "title": "Mug"}\n{"id": 2, "title": "Cup", "specs": {"Size": "M"}}\n')
    given = catalogue({"brand": "maker", "description": "specs"}, path="products.jsonl")
    report, made = ingest(tmp_path, given)
    assert [(row["brand"], row["description"]) for row in made["products"]] == [(None, None), (None, '{"Size": "M"}')]
    assert report.remarks == ["source products: no row has a value in ['maker']"]


def test_a_field_of_a_column_that_the_source_lacks_is_named(tmp_path):
    write_csv(tmp_path / "products.csv", [["id", "title"], ["1", "Mug"]])
    with pytest.raises(MappingError, match=r"mapping\.yaml: fields.price: unknown column 'titel'; did you mean 'title'"):
        ingest(tmp_path, catalogue({}, fields={"price": {"column": "titel"}}))


@pytest.mark.parametrize("columns", [{"brand": "maker"}, {"brand": {"template": "{maker} Ltd"}}])
def test_a_column_that_the_source_lacks_is_named_with_those_it_has(tmp_path, columns):
    write_csv(tmp_path / "products.csv", [["id", "title", "make"], ["1", "Mug", "Acme"]])
    with pytest.raises(MappingError, match=r"mapping\.yaml: .*brand: unknown column 'maker'; did you mean 'make'"):
        ingest(tmp_path, catalogue(columns))


def test_the_command_prints_the_report_and_answers_with_its_status(tmp_path, capsys):
    write_csv(tmp_path / "lines.csv", [HEADER, *LINES, ["9", "POST", "[POSTAGE]", "1", "2024-03-01", "5", "c1"]])
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(mapping()), encoding="utf-8")
    assert main([str(tmp_path / "m.yaml"), "--out", str(tmp_path / "s")]) == 0
    assert "non_product" in capsys.readouterr().out
    assert main([str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml: can't be read" in capsys.readouterr().err


def test_importing_ingestion_loads_neither_ray_nor_torch():
    check = "import sys, retrieval.ingest, retrieval.tables; sys.exit(bool({'ray', 'torch', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], cwd=PROJECT, check=False).returncode == 0


@pytest.mark.ray
def test_ray_gives_the_same_tables_and_report(tmp_path):
    import ray

    started = ray.is_initialized()
    (tmp_path / "ray").mkdir()
    extra = [["9", "POST", "POSTAGE", "1", "2024-03-01", "5", "c1"], ["C6", "A1", "RED ENAMEL MUG", "-1", "2024-03-06 10:00", "4.50", "c1"]]
    report, made = ingest_lines(tmp_path, extra)
    write_csv(tmp_path / "ray" / "lines.csv", [HEADER, *LINES, *extra])
    with_ray, by_ray = ingest(tmp_path / "ray", mapping(), engine="ray")
    if not started:
        ray.shutdown()
    assert by_ray == made
    assert told(with_ray) == told(report)
