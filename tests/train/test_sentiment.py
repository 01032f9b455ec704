"""What the sentiment scorer learns from: labelled texts and reviews, of shoppers who consent, and what is held out of them."""

import json
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # train_fakes: a module that workers import by name

from train_fakes import NOW, write_reviews

from tests import commands
from train.run.settings import ConfigError
from train.sentiment import SentimentConfig, labels_of, parts, read_texts
from train.texts.labelled import Columns, Labelled, hold_out

ROOT = Path(__file__).parents[2]


def test_labelled_lines_are_read(tmp_path):
    lines = tmp_path / "data.jsonl"
    rows = [{"locale": "en-US", "text": f"text {i}", "label": ("negative", "neutral", "positive")[i % 3]} for i in range(12)]
    lines.write_text("\n".join(map(json.dumps, rows)))
    found = read_texts(lines, Columns(), NOW)
    assert Labelled("text 2", "positive", "en-US") in found.rows
    assert (found.files, found.told()) == ((lines,), "")


def test_a_shop_s_reviews_are_labelled_by_their_stars(tmp_path):
    found = read_texts(write_reviews(tmp_path), Columns(), NOW)
    labels = {row.text: row.label for row in found.rows}
    assert [labels[f"好 yes {i}"] for i in range(5)] == ["negative", "negative", "neutral", "positive", "positive"]
    training, held_out = hold_out(found.rows, 0.2, 1)
    assert (len(training), len(held_out)) == (32, 8)


def test_reviews_of_shoppers_who_do_not_consent_or_no_longer_do_are_left_out_and_counted(tmp_path):
    found = read_texts(write_reviews(tmp_path), Columns(), NOW)
    assert {row.text.split()[1] for row in found.rows} == {"yes", "still"}
    assert found.left_out == {"of shoppers who do not consent": 41, "repeated": 0, "labelled in two ways": 0}
    assert found.files == (tmp_path / "events.parquet", tmp_path / "shoppers.parquet")
    later = read_texts(tmp_path / "events.parquet", Columns(), NOW + timedelta(days=2))
    assert {row.text.split()[1] for row in later.rows} == {"yes"}


def test_reviews_whose_writers_consent_is_not_known_are_refused(tmp_path):
    path = write_reviews(tmp_path)
    (tmp_path / "shoppers.parquet").write_bytes(b"no table")
    with pytest.raises(ConfigError, match=r"data = '.*events\.parquet': who consented is not known .*put the shop's shoppers\.parquet"):
        read_texts(path, Columns(), NOW)
    (tmp_path / "shoppers.parquet").unlink()
    with pytest.raises(ConfigError, match=r"data = '.*events\.parquet': who consented is not known .*put the shop's shoppers\.parquet"):
        read_texts(path, Columns(), NOW)
    pq.write_table(pq.read_table(path).drop_columns("shopper_id"), path)
    with pytest.raises(ConfigError, match=r"lacks column 'shopper_id'"):
        read_texts(path, Columns(), NOW)


def test_too_few_reviews_of_consenting_shoppers_are_refused_with_their_number(tmp_path):
    with pytest.raises(ConfigError, match=r"has 8 labelled texts \(left out: 9 of shoppers who do not consent\); give at least 10"):
        read_texts(write_reviews(tmp_path, count=4), Columns(), NOW)


def _write(path, rows):
    path.write_text("\n".join(json.dumps({"text": text, "label": label}) for text, label in rows))
    return path


def _config(tmp_path, **settings):
    return SentimentConfig(name="s", out=tmp_path / "out", data=tmp_path / "data.jsonl", **settings)


def test_what_stands_in_the_validation_table_is_left_out_of_the_training(tmp_path):
    rows = [(f"text {number}", ("negative", "positive")[number % 2]) for number in range(20)]
    _write(tmp_path / "data.jsonl", rows)
    apart = _write(tmp_path / "apart.jsonl", [*((f"Text  {number}", label) for number, (_, label) in enumerate(rows[:4])), *_other(12)])
    training, held_out, found = parts(_config(tmp_path, validation=apart))
    assert (len(training), len(held_out), found.left_out["held out as well"]) == (16, 16, 4)
    assert found.files == (tmp_path / "data.jsonl", apart)
    assert labels_of(found.rows) == ("negative", "positive")


def _other(count):
    return [(f"other {number}", ("negative", "positive")[number % 2]) for number in range(count)]


def test_a_held_out_part_of_one_label_is_refused(tmp_path):
    _write(tmp_path / "data.jsonl", _other(20))
    apart = _write(tmp_path / "apart.jsonl", [(f"fine {number}", "positive") for number in range(12)])
    with pytest.raises(ConfigError, match=r"apart.jsonl': every text is 'positive'; give texts of at least two labels"):
        parts(_config(tmp_path, validation=apart))


def test_data_that_can_t_be_used_is_named(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "a"}')
    with pytest.raises(ConfigError, match=r"no column is called label, sentiment, polarity"):
        read_texts(path, Columns(), NOW)
    path.write_text('{"locale": "en", "text": "a", "label": "great"}')
    with pytest.raises(ConfigError, match=r"label 'great' is none of"):
        read_texts(path, Columns(), NOW)
    path.write_text('{"locale": "en", "text": "a", "label": "neutral"}')
    with pytest.raises(ConfigError, match="has 1 labelled texts; give at least 10"):
        read_texts(path, Columns(), NOW)


@pytest.mark.parametrize(
    ("name", "form"),
    [("data.csv", "CSV"), ("data.tsv.gz", "TSV"), ("data.parquet", "Parquet"), ("data.txt", "Parquet"), ("data.jsonl", "JSON lines")],
)
def test_data_in_another_form_is_refused_with_the_forms_that_are_read(tmp_path, name, form):
    path = tmp_path / name
    path.write_text("text,label\nfine,neutral,3\n")
    with pytest.raises(ConfigError, match=rf"data = '.*{name}': not {form} .*name a Parquet table, JSON lines"):
        read_texts(path, Columns(), NOW)


def test_the_command_says_what_is_wrong_with_its_data_without_a_traceback(tmp_path, tokenizer_directory):
    path = tmp_path / "data.parquet"
    path.write_text("no table")
    settings = ("--set", f"data={path}", "--set", f"tokenizer={tokenizer_directory}", "--out", str(tmp_path / "out"))
    ended = commands.run("train.sentiment", *settings)
    assert ended.status == 1
    assert ended.err.startswith("error: data = ")
