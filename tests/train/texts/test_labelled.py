"""Labelled texts out of a table: columns and labels found, repeats left out and counted, the same share held out of every group."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from train.run.settings import ConfigError
from train.texts.labelled import Columns, Labelled, check_labels, distinct, from_table, hold_out, leaks

NAMES = ("negative", "neutral", "positive")
PATH = Path("reviews.csv")


def table(**columns):
    return pa.table(columns)


def test_the_usual_names_of_columns_are_known_and_0_and_1_are_negative_and_positive():
    found = from_table(table(cat=["tea", "tea"], label=[1, 0], review=["好", "\ufeff差 "]), PATH, Columns(), NAMES)
    assert found.rows == (Labelled("好", "positive", "tea"), Labelled("差", "negative", "tea"))
    assert found.files == (PATH,)


def test_columns_and_meanings_can_be_named():
    columns = Columns(text="Review Text", label="Recommended", group=("Class",), meaning={"yes": "positive", "no": "negative"})
    data = pa.table({"Review Text": ["fits", "itches"], "Recommended": ["yes", "no"], "Class": ["Knits", "Knits"], "text": ["x", "y"]})
    assert [(row.text, row.label, row.group) for row in from_table(data, PATH, columns, NAMES).rows] == [
        ("fits", "positive", "Knits"),
        ("itches", "negative", "Knits"),
    ]


def test_a_column_that_is_not_there_and_a_label_that_means_nothing_are_named_with_the_remedy():
    with pytest.raises(
        ConfigError, match=r"no column is called text, review, sentence .*has \['words', 'label'\].*columns='\{text: NAME\}'"
    ):
        from_table(table(words=["a"], label=["neutral"]), PATH, Columns(), NAMES)
    with pytest.raises(ConfigError, match=r"columns.label = 'stars': 'reviews.csv' has no such column"):
        from_table(table(text=["a"], label=["neutral"]), PATH, Columns(label="stars"), NAMES)
    with pytest.raises(ConfigError, match=r"label 'great' is none of \('negative', 'neutral', 'positive'\); say what it means with"):
        from_table(table(text=["a"], label=["great"]), PATH, Columns(), NAMES)
    with pytest.raises(ConfigError, match="label '0' is none of"):  # with a 2 beside them, 0 and 1 may mean anything
        from_table(table(text=["a", "b", "c"], label=[2, 1, 0]), PATH, Columns(), NAMES)


def test_what_is_empty_repeated_or_labelled_in_two_ways_is_left_out_and_counted():
    texts = ["Good!", "ＧＯＯＤ!", "good !", "bad", "bad", None, " "]
    found = from_table(table(text=texts, label=[1, 1, 1, 0, 1, 1, 0]), PATH, Columns(), NAMES)
    assert [row.text for row in found.rows] == ["Good!"]
    assert found.left_out == {"empty": 2, "repeated": 2, "labelled in two ways": 2}
    assert found.told() == "2 empty, 2 repeated, 2 labelled in two ways"


def test_the_order_of_a_file_changes_nothing():
    rows = [Labelled(f"text {number}", NAMES[number % 3]) for number in range(30)]
    assert distinct(rows, (), {}) == distinct(rows[::-1], (), {})


def test_the_same_share_of_every_label_and_group_is_held_out():
    rows = [Labelled(f"{number}", NAMES[number % 2], f"group {number % 5}") for number in range(1000)]
    kept, held_out = hold_out(rows, 0.1, 3)
    assert set(Counter((row.label, row.group) for row in held_out).values()) == {10}
    assert len(kept) == 900 and not leaks(kept, held_out)
    assert hold_out(rows, 0.1, 3) == (kept, held_out) != hold_out(rows, 0.1, 4)


def test_of_many_small_groups_their_share_is_held_out_as_well():
    rows = [Labelled(f"{number}", "positive", f"group {number // 2}") for number in range(200)]
    assert len(hold_out(rows, 0.1, 0)[1]) == 20


def test_rows_that_say_they_are_held_out_are_the_ones_held_out():
    rows = [Labelled("a", "negative", held_out=True), Labelled("b", "neutral"), Labelled("c", "positive", held_out=True)]
    assert hold_out(rows, 0.1, 1) == ([rows[1]], [rows[0], rows[2]])


def test_a_leak_is_seen_through_width_case_and_space():
    again = Labelled("ｖery good", "positive")
    assert leaks([Labelled("Very  GOOD", "positive")], [again, Labelled("bad", "negative")]) == [again]
    assert not leaks([Labelled("Very  GOOD", "positive", context="How was it?")], [again])  # said after something else


def test_one_label_or_too_few_texts_are_refused():
    rows = [Labelled(f"{number}", "positive") for number in range(12)]
    with pytest.raises(ConfigError, match="every text is 'positive'; give texts of at least two labels"):
        check_labels(rows, PATH, fewest=10)
    with pytest.raises(ConfigError, match=r"has 12 labelled texts \(left out: 3 repeated\); give at least 20"):
        check_labels(rows, PATH, fewest=20, left_out="3 repeated")
