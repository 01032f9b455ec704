"""Reading impressions: tables that can and can't be learned from, how their rows are split and encoded."""

import numpy as np
import pyarrow as pa
import pytest
from responsekit import config_for, examples, table

from train.response import make
from train.run.settings import ConfigError
from train.shoppers.impressions import parts, read_impressions


def test_columns_are_chosen_by_type_and_what_tells_nothing_is_left_out(tmp_path):
    kinds = read_impressions(config_for(tmp_path, table())).kinds
    assert kinds == {"channel": "category", "hour": "category", "member": "category", "principles": "names", "price": "number"}


def test_served_reads_of_the_same_columns_those_that_the_graph_knows(tmp_path):
    kinds = read_impressions(config_for(tmp_path, table(), features="served")).kinds
    assert kinds == {"channel": "category", "hour": "category", "principles": "names"}
    left = read_impressions(config_for(tmp_path, table(), features="served", leave_out=["hour"])).kinds
    assert left == {"channel": "category", "principles": "names"}


def test_a_column_that_is_named_is_read_whatever_auto_thinks_of_it(tmp_path):
    assert read_impressions(config_for(tmp_path, table(), features=["shopper", "price"])).kinds == {
        "shopper": "category",
        "price": "number",
    }


def test_texts_may_be_stored_as_other_writers_do(tmp_path):
    given = table()
    schema = given.schema.set(given.schema.get_field_index("principles"), pa.field("principles", pa.large_list(pa.large_string())))
    other = given.cast(schema.set(schema.get_field_index("channel"), pa.field("channel", pa.large_string())))
    assert read_impressions(config_for(tmp_path, other)).kinds == read_impressions(config_for(tmp_path, given)).kinds


def test_a_csv_is_read_like_a_parquet_table(tmp_path):
    given = table().drop_columns(["principles"])
    plain = read_impressions(config_for(tmp_path, given))
    path = tmp_path / "impressions.csv"
    given.to_pandas().to_csv(path, index=False)
    other = read_impressions(config_for(tmp_path, given, data=path))
    assert other.kinds == plain.kinds
    assert (other.happened == plain.happened).all()


def test_the_past_is_trained_on_and_the_future_judged_whatever_the_order_of_the_file(tmp_path):
    given = table(1000)
    shuffled = given.take(pa.array(np.random.default_rng(1).permutation(1000)))
    config = config_for(tmp_path, shuffled, features=["event_id"])
    impressions = read_impressions(config)
    rows = parts(impressions, config)
    said = [impressions.columns["event_id"][i] for i in rows["test"]]
    assert said == [f"e{i}" for i in range(900, 1000)]
    assert (len(rows["training"]), len(rows["validation"])) == (800, 100)


def test_without_time_a_shopper_is_on_one_side_alone(tmp_path):
    config = config_for(tmp_path, table(), time=None)
    impressions = read_impressions(config)
    found = parts(impressions, config)
    shoppers = [set(impressions.clusters[rows]) for rows in found.values()]
    assert len(set.union(*shoppers)) == sum(map(len, shoppers))
    assert sum(map(len, found.values())) == 3000 and 280 < len(found["test"]) < 320


def test_a_table_of_few_shoppers_is_not_parted_through_them(tmp_path):
    given = table().drop_columns(["shopper"]).append_column("shopper", pa.array([f"s{i % 2}" for i in range(3000)]))
    config = config_for(tmp_path, given, time=None)
    with pytest.raises(ConfigError, match="the validation part of 0 rows"):
        parts(read_impressions(config), config)


def test_what_is_known_only_afterwards_is_refused_unless_it_is_named(tmp_path):
    stayed = pa.array([3.5 + i % 7 if click else None for i, click in enumerate(table()["click"].to_pylist())])
    given = table().append_column("dwell", stayed)
    with pytest.raises(ConfigError, match=r"'dwell' alone foretells 100.0% .*--set leave_out='\[dwell\]'"):
        read_impressions(config_for(tmp_path, given))
    assert "dwell" not in read_impressions(config_for(tmp_path, given, leave_out=["dwell"])).kinds
    assert "dwell" in read_impressions(config_for(tmp_path, given, features=["dwell", "price"])).kinds


def test_what_is_not_read_is_known(tmp_path):
    unread = read_impressions(config_for(tmp_path, table(), leave_out=["member"])).unread
    assert set(unread) == {"event_id", "at", "shopper", "member", "version", "click", "conversion"}


def test_conversion_is_foretold_among_clicks(tmp_path):
    given = table()
    impressions = read_impressions(config_for(tmp_path, given, outcome="conversion", among="click"))
    assert len(impressions) == sum(given["click"].to_pylist())
    assert impressions.happened.sum() == sum(given["conversion"].to_pylist())


def test_a_row_weighs_the_inverse_of_its_propensity_up_to_a_cap(tmp_path):
    given = table(1000).append_column("p", pa.array([0.001 if i == 0 else 0.5 if i % 2 else 0.25 for i in range(1000)]))
    weights = read_impressions(config_for(tmp_path, given, propensity="p", weight_cap=50)).weights
    assert weights.mean() == pytest.approx(1)
    assert weights[2] == pytest.approx(2 * weights[1])
    assert weights[0] / weights[1] == pytest.approx(50 * 3.996 / 2)  # 3.996 is the mean inverse propensity


def test_equal_rows_give_equal_levels_and_rare_ones_share_a_place(tmp_path):
    given = table(1000).append_column("brand", pa.array(["common", "other"] * 495 + [f"rare {i}" for i in range(10)]))
    encoding, *_ = examples(config_for(tmp_path, given))
    assert next(each for each in encoding.categories if each.name == "brand").levels == ("common", "other")
    assert encoding.categories[0].codes(["nobody"]).tolist() == [1]


# Tables that can't be learned from


def constant(given: pa.Table, name: str, value: object) -> pa.Table:
    return given.drop_columns([name]).append_column(name, pa.array([value] * given.num_rows))


def replaced(given: pa.Table, name: str, row: int, value: object) -> pa.Table:
    values = given[name].to_pylist()
    values[row - 1] = value
    return given.drop_columns([name]).append_column(name, pa.array(values))


PROPENSITY = pa.array([0.5] * 3000)


@pytest.mark.parametrize(
    ("given", "more", "message"),
    [
        (table().slice(0, 0), {}, "data = '.*': has no row; give a table"),
        (constant(table(), "click", 0), {}, "outcome = 'click': is 0 in all 3000 rows; give a table in which both"),
        (constant(table(), "click", 1), {}, "outcome = 'click': is 1 in all 3000 rows; give a table in which both"),
        (table(), {"outcome": "clicked"}, r"outcome = 'clicked': the table has no such column; name one of \['event_id'"),
        (table(), {"features": ["colour"]}, "features = 'colour': the table has no such column; name some of"),
        (table(), {"features": ["at"]}, r"features = 'at': holds timestamp.*; give text"),
        (table(), {"features": ["price", "click"]}, "features = 'click': is what is foretold.*leave it out"),
        (table(), {"features": []}, r"features = \[\]: nothing to read; name the columns"),
        (table().select(["event_id", "at", "shopper", "click"]), {}, "features = 'auto': no column of .* tells anything; name the columns"),
        (
            table().select(["at", "price", "click"]),
            {"features": "served", "cluster": None},
            "'served': no column .*; name columns as the graph",
        ),
        (replaced(table(), "click", 7, 2), {}, "outcome = 'click': row 7 holds 2; write 1 where it happened"),
        (replaced(table(), "click", 7, None), {}, "outcome = 'click': row 7 holds None; write 1 where it happened"),
        (replaced(table(), "at", 7, None), {}, "time = 'at': row 7 has none; fill it"),
        (constant(table(), "hour", float("nan")), {"time": "hour"}, "time = 'hour': row 1 holds NaN; fill it"),
        (table(), {"leave_out": ["chanel"]}, r"leave_out = 'chanel': the table has no such column; name some of \['event_id'"),
        (table(), {"time": "shopper"}, "time = 'shopper': holds string, which has no order in time; give instants"),
        (constant(table(), "conversion", 0), {"outcome": "click", "among": "conversion"}, "among = 'conversion': no row has 1 there"),
        (
            replaced(table().append_column("p", PROPENSITY), "p", 9, 0.0),
            {"propensity": "p"},
            "propensity = 'p': row 9 holds 0.0; write the",
        ),
        (replaced(table().append_column("p", PROPENSITY), "p", 9, -0.2), {"propensity": "p"}, "propensity = 'p': row 9 holds -0.2"),
        (replaced(table().append_column("p", PROPENSITY), "p", 9, 1.5), {"propensity": "p"}, "propensity = 'p': row 9 holds 1.5"),
        (replaced(table(), "price", 5, float("inf")), {}, "features = 'price': row 5 is infinite; write a number"),
        (table(60), {}, r"the training part of 48 rows has \d with click = 1 and \d+ with 0, 10 of each are needed; give more rows"),
        (
            table(600),
            {"test_share": 0.01},
            r"the test part of 6 rows has \d .* 5 of each are needed; .*change validation_share and test_share",
        ),
    ],
)
def test_a_table_that_can_not_be_learned_from_is_refused_with_key_value_and_remedy(tmp_path, given, more, message):
    with pytest.raises(ConfigError, match=message):
        make(config_for(tmp_path, given, **more))
    assert not (tmp_path / "response").exists()


def test_errors_count_rows_as_the_file_does(tmp_path):
    backwards = replaced(table(1000), "click", 1000, 3).take(pa.array(np.arange(999, -1, -1)))
    with pytest.raises(ConfigError, match="row 1 holds 3"):
        read_impressions(config_for(tmp_path, backwards))
