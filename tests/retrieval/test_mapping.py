"""A mapping that says something unknown is refused, and the message names the file, the key path, the value and the remedy."""

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from retrieval.mapping import MappingError, expand, load
from retrieval.transforms import TRANSFORMS
from tests.retrieval.shopkit import catalogue, mapping

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples" / "mappings").glob("*.yaml"))


def refusal(folder: Path, **changes) -> str:
    file = folder / "broken.yaml"
    file.write_text(yaml.safe_dump(mapping(**changes)), encoding="utf-8")
    with pytest.raises(MappingError) as error:
        load(file)
    assert str(file) in str(error.value)
    return str(error.value)


def test_a_whole_mapping_is_accepted(tmp_path):
    file = tmp_path / "mapping.yaml"
    file.write_text(yaml.safe_dump(mapping()), encoding="utf-8")
    assert set(load(file).tables) == {"products", "price_history", "shoppers", "events"}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_mappings_are_accepted(file):
    assert load(file).assumptions


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"sources__lines__delimeter": ";"}, ["sources.lines", "'delimeter'", "did you mean 'delimiter'?"]),
        ({"tables__products__columns__tittle": "title"}, ["tables.products", "'tittle'", "did you mean 'title'?"]),
        (
            {"sources__lines__fields__price": {"column": "price", "transforms": ["to_decimall"]}},
            ["fields.price", "to_decimall", "'to_decimal'"],
        ),
        (
            {"sources__lines__fields__sku": {"column": "sku", "transforms": [{"split": {"by": "/", "nth": 1}}]}},
            ["fields.sku", "split", "nth"],
        ),
        ({"sources__lines__fields__sku": {"column": "sku", "transforms": [{"remove": {"pattern": "("}}]}}, ["fields.sku", "remove", "("]),
        (
            {"sources__lines__fields__at": {"column": "at", "transforms": [{"parse_datetime": {"timezone": "Mars/Base"}}]}},
            ["Mars/Base", "IANA"],
        ),
        ({"sources__lines__fields__sku": {"column": "sku", "constant": "x"}}, ["fields.sku", "exactly one of", "column", "constant"]),
        ({"sources__lines__rules__outliers": [{"column": "price", "times": 0.5}]}, ["rules.outliers.0.times", "0.5"]),
        ({"sources__lines__rules__exclude": [{"rule": "x", "column": "sku", "matches": "("}]}, ["exclude.0", "regular expression"]),
        ({"sources__lines__quote": "off"}, ["sources.lines.quote", "'off'", "quote: none"]),
        ({"tables__events__source": "line"}, ["tables.events.source", "'line'", "did you mean 'lines'?"]),
        ({"tables__shoppers__media": {"tar": "a", "member": "b"}}, ["tables.shoppers.media", "only products"]),
        ({"tables__products__units": {"price": "cents"}}, ["units", "cents", "minor"]),
        ({"tables__products__one_per": []}, ["tables.products.combine", "one_per"]),
        ({"tables__products__combine": {"title": "average"}}, ["combine.title", "average"]),
    ],
)
def test_what_is_unknown_is_named_with_its_place_and_the_remedy(tmp_path, changes, parts):
    message = refusal(tmp_path, **changes)
    assert all(part in message for part in parts), message


def test_a_required_column_must_be_mapped(tmp_path):
    columns = mapping()["tables"]["events"]["columns"]
    del columns["shopper_id"]
    assert "['shopper_id'] missing" in refusal(tmp_path, tables__events__columns=columns)


def test_products_are_what_a_shop_can_not_be_without(tmp_path):
    tables = mapping()["tables"]
    del tables["products"]
    assert "products is missing" in refusal(tmp_path, tables=tables)


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(MappingError, match=r"none\.yaml: can't be read"):
        load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1", encoding="utf-8")
    with pytest.raises(MappingError, match=r"bad\.yaml: not YAML"):
        load(tmp_path / "bad.yaml")


def test_paths_read_the_environment_and_say_when_it_is_not_set(tmp_path, monkeypatch):
    file = tmp_path / "m.yaml"
    monkeypatch.setenv("SHOP_DATA", "/data")
    monkeypatch.delenv("SHOP_NONE", raising=False)
    assert expand("${SHOP_DATA}/x.csv", file, None) == Path("/data/x.csv")
    assert expand("${SHOP_NONE:-here}/x.csv", file, None) == tmp_path / "here/x.csv"
    assert expand("x.csv", file, Path("/data")) == Path("/data/x.csv")
    with pytest.raises(MappingError, match="SHOP_NONE is not set"):
        expand("${SHOP_NONE}/x.csv", file, None)


def test_one_table_may_be_made_of_several_parts(tmp_path):
    given = catalogue({})
    given["tables"]["products"] = [given["tables"]["products"]] * 2
    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump(given), encoding="utf-8")
    assert len(load(file).tables["products"]) == 2


@pytest.mark.parametrize(
    ("name", "options", "value", "expected"),
    [
        ("to_decimal", {"decimal_point": ",", "thousands": ".", "symbols": "€"}, "€1.234,5", Decimal("1234.5")),
        ("to_integer", {}, "6.0", 6),
        ("to_boolean", {}, "是", True),
        ("split", {"by": ">", "part": 1}, "a > b", "b"),
        ("split", {"by": ">", "part": 5}, "a > b", None),
        ("split", {"by": ">", "drop_last": True}, "a > b > c", ["a", "b"]),
        ("lookup", {"table": {"A": "b"}, "default": "c"}, "Z", "c"),
        ("regex_lookup", {"rules": [["bag", "fashion/bags"]]}, "Tote BAG", "fashion/bags"),
        ("extract", {"pattern": "^(.+?) Men"}, "Nike Men Shoe", "Nike"),
        ("replace", {"pattern": r"(\d+) ?GM", "by": r"\1 g"}, "50 GM", "50 g"),
        ("null_if", {"values": ["N/A"]}, "N/A", None),
        ("strip_html", {}, "<p>a &amp; b</p>", "a & b"),
        ("title_case", {}, "RED MUG", "Red Mug"),
        ("lower", {}, "AB", "ab"),
        ("remove", {"pattern": r"\.0$"}, "178.0", "178"),
    ],
)
def test_transforms(name, options, value, expected):
    assert TRANSFORMS[name](**options).apply(value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [("to_decimal", "abc"), ("to_decimal", "NaN"), ("to_decimal", "1e30"), ("to_integer", "6.5"), ("to_boolean", "maybe")],
)
def test_what_can_not_be_read_is_an_error_not_a_guess(name, value):
    with pytest.raises(ValueError, match=value):
        TRANSFORMS[name]().apply(value)


def test_instants_keep_the_zone_they_were_written_in():
    step = TRANSFORMS["parse_datetime"](format="%d/%m/%Y %H:%M", timezone="Asia/Shanghai")
    assert step.apply("01/02/2024 08:00").isoformat() == "2024-02-01T00:00:00+00:00"
    assert TRANSFORMS["parse_datetime"]().apply("2024-02-01T08:00:00+08:00").hour == 0


def test_specifications_are_read_from_json_and_ruby():
    ruby = '{"spec"=>[{"key"=>"Outer Material", "value"=>"Silk"}, {"value"=>"3 shorts"}, {"key"=>"Dial => Color", "value"=>nil}]}'
    step = TRANSFORMS["parse_pairs"](style="ruby_hash", under="spec", known={"material": ["fabric", "outer_material"]})
    assert dict(step.apply(ruby)) == {"detail": "3 shorts", "material": "Silk"}
    assert dict(TRANSFORMS["parse_pairs"]().apply('{"产地": "杭州", "Size": "M", "size": "L"}')) == {"产地": "杭州", "size": "M, L"}
    with pytest.raises(ValueError, match="not json"):
        TRANSFORMS["parse_pairs"]().apply("{oops")
