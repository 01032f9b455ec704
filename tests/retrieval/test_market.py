"""What `retrieval/market.py` promises, one behaviour a test."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from retrieval import schemas, tables
from retrieval.market import MarketCalendar, bring_in, main

HEADER = "from,until,locale,kind,name,competitor,category,discount_percent\n"
GOOD = (
    HEADER
    + "2026-01-10,2026-01-20,zh-CN,holiday,店庆周,,,\n2026-01-01,2026-01-31,en-GB,competitor_promotion,Coat event,Fernway,outerwear,30\n"
)


def csv(folder: Path, text: str) -> Path:
    path = folder / "market.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_shop_without_the_table_has_no_rows(tmp_path: Path):
    calendar = MarketCalendar.read(tmp_path)
    assert len(calendar) == 0
    assert calendar.near(date(2026, 1, 15), "zh-CN") == ()


def test_a_csv_file_becomes_the_table(tmp_path: Path):
    assert bring_in(tmp_path / "shop", csv(tmp_path, GOOD)) == 2
    assert tables.read(tmp_path / "shop", "market").schema.equals(schemas.MARKET)
    (row,) = MarketCalendar.read(tmp_path / "shop").near(date(2026, 1, 15), "en-GB")
    assert (row.competitor, row.category, row.discount_percent, row.until) == ("Fernway", "outerwear", 30.0, date(2026, 1, 31))


def test_columns_may_come_in_any_order_and_optional_ones_may_be_absent(tmp_path: Path):
    assert bring_in(tmp_path / "shop", csv(tmp_path, "name,kind,locale,until,from\n店庆周,holiday,zh-CN,2026-01-20,2026-01-10\n")) == 1
    (row,) = MarketCalendar.read(tmp_path / "shop").near(date(2026, 1, 10), "zh-CN")
    assert (row.name, row.competitor, row.discount_percent) == ("店庆周", None, None)


@pytest.mark.parametrize(("day", "there"), [(8, False), (9, True), (21, True), (22, False)])
def test_rows_are_near_from_the_day_before_to_the_day_after(tmp_path: Path, day: int, there: bool):
    bring_in(tmp_path / "shop", csv(tmp_path, GOOD))
    calendar = MarketCalendar.read(tmp_path / "shop")
    assert bool(calendar.near(date(2026, 1, day), "zh-CN")) is there
    assert calendar.near(date(2026, 1, day), "en-US") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "2026-02-10,2026-02-01,zh-CN,holiday,店庆周,,,\n", "row 3: until: 2026-02-01 is before from"),
        (HEADER + "2026-01-10,2026-01-20,xx,holiday,a,,,\n", "row 1: locale: 'xx'"),
        (HEADER + "2026-01-10,2026-01-20,zh-CN,competitor_promotion,a,b,,120\n", "row 1: discount_percent: 120"),
        (HEADER + "2026-01-10,,zh-CN,holiday,a,,,\n", "column 'until' has 1 empty values"),
        (HEADER + "10.1.2026,2026-01-20,zh-CN,holiday,a,,,\n", "days as 2026-01-31"),
        ("from,until,locale,kind,name,rival\n2026-01-10,2026-01-20,zh-CN,holiday,a,b\n", "unknown column(s) ['rival']"),
        ("from,until,locale,name\n2026-01-10,2026-01-20,zh-CN,a\n", "missing column(s) ['kind']"),
    ],
)  # fmt: skip
def test_a_file_that_can_not_be_used_is_refused_and_leaves_the_old_table(tmp_path: Path, text: str, said: str):
    bring_in(tmp_path / "shop", csv(tmp_path, GOOD))
    with pytest.raises(tables.TableError) as error:
        bring_in(tmp_path / "shop", csv(tmp_path, text))
    assert said in str(error.value)
    assert "market.csv" in str(error.value)
    assert len(MarketCalendar.read(tmp_path / "shop")) == 2


def test_a_bad_row_in_a_table_that_was_written_elsewhere_is_named_when_it_is_read(tmp_path: Path):
    bad = {"from": date(2026, 1, 10), "until": date(2026, 1, 1), "locale": "zh-CN", "kind": "holiday", "name": "店庆周"}
    empty = {"competitor": None, "category": None, "discount_percent": None}
    tables.write(tmp_path, "market", pa.Table.from_pylist([bad | empty], schema=schemas.MARKET))
    with pytest.raises(tables.TableError, match=r"market\.parquet: row 1: until: 2026-01-01 is before from"):
        MarketCalendar.read(tmp_path)


def test_the_command_says_what_it_did_or_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("sys.argv", ["market", str(tmp_path / "shop"), str(csv(tmp_path, GOOD))])
    assert main() == 0
    assert "2 rows" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["market", str(tmp_path / "shop"), str(tmp_path / "none.csv")])
    assert main() == 1
    assert "none.csv" in capsys.readouterr().err
