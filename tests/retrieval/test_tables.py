"""What `retrieval/tables.py` promises, one behaviour a test."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval import schemas, tables
from tests.fakes import make_shop, product_rows, shelf


def test_a_table_comes_back_as_it_was_written(tmp_path):
    rows = product_rows(shelf())
    path = tables.write(tmp_path, "products", rows)
    assert path == tmp_path / "products.parquet"
    assert tables.read(tmp_path, "products").equals(rows.cast(schemas.PRODUCTS))


def test_columns_are_put_in_order_and_strange_ones_left_out(tmp_path):
    rows = product_rows(shelf())
    shuffled = rows.select(rows.column_names[::-1]).append_column("colour_of_shelf", pa.nulls(rows.num_rows))
    tables.write(tmp_path, "products", shuffled)
    assert tables.read(tmp_path, "products").column_names == schemas.PRODUCTS.names


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(tables.TableError, match=r"products\.parquet: missing column\(s\) \['price'\]"):
        tables.write(tmp_path, "products", product_rows(shelf()).drop_columns("price"))
    assert not tables.path_of(tmp_path, "products").exists()


def test_an_empty_value_in_a_required_column_is_named(tmp_path):
    rows = product_rows(shelf())
    names = pa.array([None, *rows["name"].to_pylist()[1:]], pa.string())
    with pytest.raises(tables.TableError, match="column 'name' has 1 empty values; it is required"):
        tables.write(tmp_path, "products", rows.set_column(rows.column_names.index("name"), "name", names))


def test_a_column_of_another_type_is_refused(tmp_path):
    rows = product_rows(shelf())
    prices = pa.array(["cheap"] * rows.num_rows)
    with pytest.raises(tables.TableError, match="'cheap'"):
        tables.write(tmp_path, "products", rows.set_column(rows.column_names.index("price"), "price", prices))


def test_a_table_that_is_not_there_says_how_to_make_it(tmp_path):
    with pytest.raises(tables.TableError, match=r"events\.parquet: no such table; make it with"):
        tables.read(tmp_path, "events")


def test_a_failed_write_leaves_the_old_table(tmp_path):
    make_shop(tmp_path)
    with pytest.raises(tables.TableError):
        tables.write(tmp_path, "events", pa.table({"event_id": ["e"]}))
    assert tables.read(tmp_path, "events").num_rows > 0
    assert not list(tmp_path.glob("*.partial"))


def test_a_table_that_someone_else_wrote_is_checked_when_read(tmp_path):
    pq.write_table(pa.table({"event_id": ["e"]}), tables.path_of(tmp_path, "events"))
    with pytest.raises(tables.TableError, match="missing column"):
        tables.read(tmp_path, "events")


def test_every_column_says_what_it_holds():
    assert all(field.metadata[b"note"] for schema in schemas.SCHEMAS.values() for field in schema)
