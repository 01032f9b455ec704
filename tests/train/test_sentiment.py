"""What the sentiment scorer learns from: labelled texts and reviews, of shoppers who consent, and what is held out of them."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # train_fakes: a module that workers import by name

from train_fakes import NOW, write_reviews

from train.sentiment import read_rows, split
from train.settings import ConfigError

ROOT = Path(__file__).parents[2]


def test_labelled_lines_are_read(tmp_path):
    lines = tmp_path / "data.jsonl"
    rows = [{"locale": "en-US", "text": f"text {i}", "label": ("negative", "neutral", "positive")[i % 3]} for i in range(12)]
    lines.write_text("\n".join(map(json.dumps, rows)))
    found = read_rows(lines, NOW)
    assert ("text 2", 2, False) in found.rows
    assert (found.files, found.without_consent) == ((lines,), 0)


def test_a_shop_s_reviews_are_labelled_by_their_stars(tmp_path):
    found = read_rows(write_reviews(tmp_path), NOW)
    labels = {text: label for text, label, _ in found.rows}
    assert [labels[f"好 yes {i}"] for i in range(5)] == [0, 0, 1, 2, 2]
    training, held_out = split(found.rows, 0.2, 1)
    assert (len(training), len(held_out)) == (32, 8)


def test_reviews_of_shoppers_who_do_not_consent_or_no_longer_do_are_left_out_and_counted(tmp_path):
    found = read_rows(write_reviews(tmp_path), NOW)
    assert {text.split()[1] for text, _, _ in found.rows} == {"yes", "still"}
    assert found.without_consent == 41
    assert found.files == (tmp_path / "events.parquet", tmp_path / "shoppers.parquet")
    later = read_rows(tmp_path / "events.parquet", NOW + timedelta(days=2))
    assert {text.split()[1] for text, _, _ in later.rows} == {"yes"}


def test_reviews_whose_writers_consent_is_not_known_are_refused(tmp_path):
    path = write_reviews(tmp_path)
    (tmp_path / "shoppers.parquet").write_bytes(b"no table")
    with pytest.raises(ConfigError, match=r"data = '.*events\.parquet': who consented is not known .*put the shop's shoppers\.parquet"):
        read_rows(path, NOW)
    (tmp_path / "shoppers.parquet").unlink()
    with pytest.raises(ConfigError, match=r"data = '.*events\.parquet': who consented is not known .*put the shop's shoppers\.parquet"):
        read_rows(path, NOW)
    pq.write_table(pq.read_table(path).drop_columns("shopper_id"), path)
    with pytest.raises(ConfigError, match=r"lacks column 'shopper_id'"):
        read_rows(path, NOW)


def test_too_few_reviews_of_consenting_shoppers_are_refused_with_their_number(tmp_path):
    with pytest.raises(ConfigError, match=r"has 8 labelled texts, 9 more are of shoppers who do not consent; give at least ten"):
        read_rows(write_reviews(tmp_path, count=4), NOW)


def test_rows_that_say_they_are_held_out_are_the_ones_held_out():
    rows = [("a", 0, True), ("b", 1, False), ("c", 2, True)]
    assert split(rows, 0.1, 1) == ([rows[1]], [rows[0], rows[2]])


def test_data_that_can_t_be_used_is_named(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "a"}')
    with pytest.raises(ConfigError, match=r"lacks column\(s\) \['label', 'locale'\]"):
        read_rows(path, NOW)
    path.write_text('{"locale": "en", "text": "a", "label": "great"}')
    with pytest.raises(ConfigError, match=r"label 'great'; use"):
        read_rows(path, NOW)
    path.write_text('{"locale": "en", "text": "a", "label": "neutral"}')
    with pytest.raises(ConfigError, match="at least ten"):
        read_rows(path, NOW)


@pytest.mark.parametrize(("name", "form"), [("data.csv", "Parquet"), ("data.parquet", "Parquet"), ("data.jsonl", "JSON lines")])
def test_data_in_another_form_is_refused_with_the_forms_that_are_read(tmp_path, name, form):
    path = tmp_path / name
    path.write_text("locale,text,label\nen,fine,neutral\n")
    with pytest.raises(ConfigError, match=rf"data = '.*{name}': not {form} .*name a Parquet table, or JSON lines"):
        read_rows(path, NOW)


def test_the_command_says_what_is_wrong_with_its_data_without_a_traceback(tmp_path, tokenizer_directory):
    path = tmp_path / "data.csv"
    path.write_text("no table")
    settings = ("--set", f"data={path}", "--set", f"tokenizer={tokenizer_directory}", "--out", str(tmp_path / "out"))
    ended = subprocess.run([sys.executable, "-m", "train.sentiment", *settings], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: data = ") and "Traceback" not in ended.stderr
