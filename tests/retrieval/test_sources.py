"""Files that are empty, broken or oddly quoted: an error that says so or a noted row, never a crash and never a lost line."""

import gzip
import io
import tarfile
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.ingest import IngestError
from retrieval.mapping import MappingError
from retrieval.sources import SourceError
from tests.retrieval.shopkit import HEADER, catalogue, ingest, ingest_lines, mapping, refused, told, write_csv, write_text


@pytest.mark.parametrize(("scale", "prices"), [(0, ["100", "2000"]), (2, ["100.00", "2050.50"]), (10, ["0.0100000000", "30.0000000000"])])
def test_a_parquet_decimal_keeps_its_zeros_before_the_point(tmp_path, scale, prices):
    amounts = pa.array([Decimal(price) for price in prices], pa.decimal128(20, scale))
    pq.write_table(pa.table({"id": ["1", "2"], "title": ["Mug", "Cup"], "price": amounts}), tmp_path / "products.parquet")
    _, made = ingest(tmp_path, catalogue({"price": "price", "currency": {"constant": "GBP"}}, path="products.parquet"))
    assert [row["price"] for row in made["products"]] == [Decimal(price) for price in prices]


def empty_as(folder, form: str):
    if form == "parquet":
        pq.write_table(pa.table({name: pa.array([], pa.string()) for name in ("id", "title", "price")}), folder / "products.parquet")
    else:
        write_text(folder / f"products.{form}", "" if form.startswith("jsonl") else "id,title,price\n")


RULES = {"positive": ["price"], "outliers": [{"column": "price", "within": "id", "times": 5}]}


@pytest.mark.parametrize("form", ["csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_a_catalogue_without_rows_is_an_error_that_says_so(tmp_path, form):
    empty_as(tmp_path, form)
    fields = {"price": {"column": "price", "transforms": ["to_decimal"]}}
    given = catalogue({"price": "price"}, path=f"products.{form}", rules=RULES, fields=fields)
    given["tables"]["products"] |= {"one_per": ["id"], "combine": {"title": "most_common"}}
    with pytest.raises(IngestError, match=rf"products\.{form}: no product is left: the files have no rows"):
        ingest(tmp_path, given)


def test_a_file_without_orders_makes_empty_tables_beside_the_products(tmp_path):
    write_csv(tmp_path / "products.csv", [["id", "title"], ["1", "Mug"]])
    given = mapping()
    given["sources"] |= catalogue({})["sources"]
    given["tables"] |= catalogue({})["tables"]
    write_csv(tmp_path / "lines.csv", [HEADER])
    report, made = ingest(tmp_path, given)
    assert {table: len(rows) for table, rows in made.items()} == {"products": 1, "price_history": 0, "shoppers": 0, "events": 0}
    assert not refused(report)


def test_an_empty_file_beside_a_full_one_is_no_rows(tmp_path):
    write_csv(tmp_path / "products-1.csv", [["id", "title"]])
    write_csv(tmp_path / "products-2.csv", [["id", "title"], ["1", "Mug"]])
    _, made = ingest(tmp_path, catalogue({}, path="products-*.csv"))
    assert [row["product_id"] for row in made["products"]] == ["1"]


def test_json_objects_without_any_key_are_rows_without_values(tmp_path):
    write_text(tmp_path / "products.jsonl", "{}\n{}\n")
    with pytest.raises(IngestError, match=r"1 exact_duplicate, 1 missing_required \(product_id\)"):
        ingest(tmp_path, catalogue({}, path="products.jsonl"))


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_broken_gzip_is_named(tmp_path, form):
    whole = gzip.compress(b'{"id": 1}\n' * 2000)
    (tmp_path / f"products.{form}.gz").write_bytes(whole[:20] + b"\x00garbage" * 50)
    with pytest.raises(SourceError, match=rf"products\.{form}\.gz: can't be read as {form} .*export the file again"):
        ingest(tmp_path, catalogue({}, path=f"products.{form}.gz"))


@pytest.mark.parametrize("rows", [3, 40_000])
def test_a_quote_left_open_in_the_header_is_an_error(tmp_path, rows):
    write_text(tmp_path / "products.csv", '"id,title\n' + "1,Mug\n" * rows)
    with pytest.raises(SourceError, match=r"products\.csv: .*quote"):
        ingest(tmp_path, catalogue({}))


def test_a_broken_photo_archive_is_named(tmp_path):
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        for name in ("1.jpg", "2.jpg"):
            entry = tarfile.TarInfo(name)
            entry.size = 5000
            tar.addfile(entry, io.BytesIO(b"x" * 5000))
    (tmp_path / "photos.tar").write_bytes((tmp_path / "photos.tar").read_bytes()[:7000])
    write_csv(tmp_path / "products.csv", [["id", "title"], ["1", "Mug"], ["2", "Cup"]])
    given = catalogue({})
    given["tables"]["products"]["media"] = {"tar": "photos.tar", "member": "{id}.jpg"}
    with pytest.raises(SourceError, match=r"photos\.tar: not a readable tar .*media\.tar"):
        ingest(tmp_path, given)


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    for form, text in (("csv", "id,title\n1,Mug\n"), ("jsonl", '{"id": 1, "title": "Mug"}\n')):
        write_text(tmp_path / f"products.{form}", "\ufeff" + text)
        report, made = ingest(tmp_path, catalogue({}, path=f"products.{form}"))
        assert [row["title"] for row in made["products"]] == ["Mug"]
        assert not refused(report)


STRAY = 'id\ttitle\tprice\n1\t"Big chair\t5\n2\tLamp\t6\n3\tTable\t7\n4\tX"\t9\n5\tRug\t8\n'


def test_a_row_whose_stray_quote_takes_in_the_next_lines_is_refused_with_them(tmp_path):
    write_text(tmp_path / "products.tsv", STRAY)
    report, made = ingest(tmp_path, catalogue({}, path="products.tsv"))
    assert [row["product_id"] for row in made["products"]] == ["5"]
    [(_, action, rule, row, old, why)] = told(report)
    assert (action, rule, row) == ("refused", "malformed_row", 1)
    assert "2\tLamp\t6\n3\tTable\t7\n4" in (old or "") and "quote: none" in (why or "")
    assert report.stages["source products"].read == 2


def test_quote_none_reads_every_line_as_it_stands(tmp_path):
    write_text(tmp_path / "products.tsv", STRAY)
    report, made = ingest(tmp_path, catalogue({}, path="products.tsv", quote="none"))
    assert [row["product_id"] for row in made["products"]] == ["1", "2", "3", "4", "5"]
    assert made["products"][0]["title"] == '"Big chair'
    assert not refused(report)


def test_multiline_says_that_line_breaks_and_delimiters_are_right(tmp_path):
    write_text(tmp_path / "products.csv", 'id,title,text\n1,Mug,"Large, red.\nWashable, too."\n2,Cup,"Small\n"\n')
    report, made = ingest(tmp_path, catalogue({"description": "text"}))
    assert [row["product_id"] for row in made["products"]] == ["2"]
    assert refused(report) == {"malformed_row": 1}
    report, made = ingest(tmp_path, catalogue({"description": "text"}, multiline=True))
    assert [row["description"] for row in made["products"]] == ["Large, red.\nWashable, too.", "Small"]
    assert not refused(report)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"attributes": "specs"}, r"attributes: string values such as red can't become attributes \(map.*\); use entries, or parse_pairs"),
        ({"attributes": {"entries": {}, "merge": ["specs"]}}, r"attributes: merge: column 'specs' holds string, not maps; .*parse_pairs"),
        (
            {"category": {"constant": {"a": 1}}},
            r"category: struct<a: int64> values such as \{'a': 1\} can't become category \(list.*\); use split",
        ),
        ({"description": {"constant": ["a"]}}, r"description: list.* values such as \['a'\] can't become description \(string\); use"),
        ({"offer": "specs"}, r"offer: string values such as red can't become offer \(struct.*\); use entries"),
    ],
)
def test_values_of_a_type_that_a_column_can_not_hold_are_named_with_what_to_use(tmp_path, columns, words):
    write_csv(tmp_path / "products.csv", [["id", "title", "specs"], ["1", "Mug", "red"]])
    with pytest.raises(MappingError, match=rf"mapping\.yaml: tables\.products\.columns\.{words}"):
        ingest(tmp_path, catalogue(columns))


@pytest.mark.parametrize("transform", ["to_integer", "to_decimal"])
def test_a_number_is_no_instant(tmp_path, transform):
    write_csv(tmp_path / "products.csv", [["id", "title", "at"], ["1", "Mug", "1767434400"]])
    given = catalogue({})
    columns = {"product_id": "id", "locale": {"constant": "en-GB"}, "price": {"constant": 4}, "currency": {"constant": "GBP"}}
    at = {"column": "at", "transforms": [transform]}
    given["tables"]["price_history"] = {"source": "products", "columns": columns | {"at": at}}
    with pytest.raises(MappingError, match=r"price_history\.columns\.at: .*1767434400.*use parse_datetime"):
        ingest(tmp_path, given)


def test_a_median_needs_instants_and_numbers(tmp_path):
    with pytest.raises(MappingError, match=r"tables\.products: combine: column 'customer' holds string, not instants"):
        ingest_lines(tmp_path, [], tables__products__combine={"price": {"recent_median": {"at": "customer", "days": 3}}})
    with pytest.raises(MappingError, match=r"column 'at' holds timestamp.*, not numbers"):
        ingest_lines(tmp_path, [], sources__lines__rules__positive=["at"])


PRICES = [["id", "title", "price", "units"], ["1", "Mug", "£3", "2"], ["2", "Cup", "4", "2"]]


@pytest.mark.parametrize("rules", [{"positive": ["price"]}, {"outliers": [{"column": "price", "times": 5}]}])
def test_a_rule_on_numbers_refuses_a_text_that_is_none(tmp_path, rules):
    write_csv(tmp_path / "products.csv", PRICES)
    report, made = ingest(tmp_path, catalogue({}, rules=rules))
    assert [row["product_id"] for row in made["products"]] == ["2"]
    assert told(report) == [("source products", "refused", "unparsable", 1, "£3", None)]


def test_a_product_of_a_text_that_is_no_number_is_left_empty(tmp_path):
    write_csv(tmp_path / "products.csv", PRICES)
    report, made = ingest(tmp_path, catalogue({"price": {"multiply": ["price", "units"]}, "currency": {"constant": "GBP"}}))
    assert [row["price"] for row in made["products"]] == [None, Decimal("8.00")]
    assert ("products", "changed", "unparsable", 1, "£3 x 2", None) in told(report)


def test_a_broken_number_in_a_column_of_whole_ones_is_left_empty(tmp_path):
    write_csv(tmp_path / "products.csv", [["id", "title", "stock"], ["1", "Mug", "2.5"], ["2", "Cup", "3.0"]])
    report, made = ingest(tmp_path, catalogue({"stock": {"column": "stock", "transforms": ["to_decimal"]}}))
    assert [row["stock"] for row in made["products"]] == [None, 3]
    assert told(report) == [("products", "changed", "unparsable", 1, "2.5", None)]


def test_a_row_that_two_parts_of_a_table_refuse_is_counted_for_each(tmp_path):
    write_csv(tmp_path / "products.csv", [["id", "en", "zh"], ["1", "Wool coat", "羊毛大衣"], ["2", "", ""], ["3", "MUG", ""]])
    given = catalogue({})
    given["tables"]["products"] = [
        {"source": "products", "columns": {"product_id": "id", "locale": {"constant": locale}, "title": column}}
        for locale, column in (("en-GB", "en"), ("zh-CN", "zh"))
    ]
    report, made = ingest(tmp_path, given)
    assert [(row["product_id"], row["locale"]) for row in made["products"]] == [("1", "en-GB"), ("3", "en-GB"), ("1", "zh-CN")]
    assert refused(report) == {"missing_required": 3}
    assert ("products", "changed", "title_normalised", 3, "MUG", "Mug") in told(report)
