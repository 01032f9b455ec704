"""The data card: counts, what leaks, and that it shows no personal data."""

import json
from pathlib import Path

import pytest

from artifacts.card import Card
from tests import commands
from train.reports.exhibits import Exhibits, read_exhibits, write_exhibits
from train.reports.report import write_report
from train.texts.data_card import data_card, script
from train.texts.labelled import Labelled, Texts
from train.texts.near_repeats import ALIKE, near_repeats, shingles, similarity

ROOT = Path(__file__).parents[3]
LONG = "the parcel came on a wet tuesday and the box had been opened, but nothing was missing from it"


def card(training, held_out, **more) -> str:
    found = Texts((*training, *held_out), (Path("reviews.csv"),), {"repeated": 3, "labelled in two ways": 2})
    return data_card(training, held_out, found, **{"name": "s", "about": "reviews", "hashed": "d" * 64} | more)


def test_the_card_counts_by_label_script_and_group_and_tells_what_was_left_out():
    training = [Labelled("很好用，喜欢", "positive", "zh"), Labelled("bad", "negative", "en"), Labelled("fine | good", "positive", "en")]
    told = card(training, [Labelled("不好", "negative", "zh")])
    assert "| label positive | 2 (66.7%) | 0 (0.0%) |" in told
    assert "| mostly Chinese characters | 1 (33.3%) | 1 (100.0%) |" in told
    assert "| group en | 2 (66.7%) | 0 (0.0%) |" in told
    assert "| repeated | 3 |" in told and "| labelled in two ways | 2 |" in told
    assert "| longest | 11 | 2 |" in told
    assert "reviews.csv" in told and "d" * 64 in told
    assert "nobody said" in card(training, training[:1], about="") and "not told" in card(training, training[:1], hashed="")


def test_the_same_text_and_nearly_the_same_text_in_both_parts_are_found():
    training = [
        Labelled(LONG, "negative"),
        Labelled("很好用，下次还会来买的，物流也很快，包装也不错", "positive"),
        Labelled("x", "negative"),
    ]
    held_out = [
        Labelled(LONG.upper() + "!", "positive"),
        Labelled("很好用，下次还会来买的，物流也很快，包装也不错哦", "positive"),
        Labelled("quite another matter altogether, and none of the above", "negative"),
        Labelled("Ｘ", "negative"),
    ]
    assert near_repeats([row.text for row in training], [row.text for row in held_out]) == [(0, 0), (1, 1), (3, 2)]
    told = card(training, held_out)
    assert "| the same text in both parts | 1 (25.0%) |" in told
    assert f"| nearly the same (Jaccard of at least {ALIKE}), the same included | 3 (75.0%) |" in told
    assert "| of these, with another label | 1 |" in told


def test_near_repeats_are_those_that_comparing_all_pairs_finds():
    words = LONG.split()
    texts = [" ".join([*words[: 6 + number % 14], f"w{number % 5}"]) for number in range(60)]
    training, held_out = texts[:40], texts[40:]
    expected = {
        number for number, text in enumerate(held_out) if any(similarity(shingles(text), shingles(other)) >= ALIKE for other in training)
    }
    assert {number for number, _ in near_repeats(training, held_out)} == expected and expected


def test_personal_data_is_counted_and_not_shown():
    rows = [
        Labelled("write to ann.lee@example.org", "positive"),
        Labelled("打13812345678找我", "negative"),
        Labelled("12345 pieces", "negative"),
    ]
    told = card(rows, rows[2:])
    assert "| e-mail addresses | 1 |" in told and "| telephone numbers | 1 |" in told and "| card numbers | 0 |" in told
    assert "example.org" not in told and "138" not in told


@pytest.mark.parametrize(
    ("text", "said"), [("很好", "Chinese"), ("iPhone很好用", "Chinese"), ("so good 好", "an alphabet"), ("12", "an alphabet")]
)
def test_the_script_is_that_of_most_letters(text, said):
    assert script(text).startswith(said)


def test_the_command_describes_a_table_and_refuses_one_that_is_not_there(tmp_path):
    for name, texts in (("a", ("good one", "bad one", LONG)), ("b", (LONG, "bad two"))):
        rows = [json.dumps({"text": text, "label": ("positive", "negative")[i % 2]}) for i, text in enumerate(texts)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows))
    told = commands.run("train.data_card", tmp_path / "a.jsonl", "--validation", tmp_path / "b.jsonl")
    assert told.status == 0 and "| the same text in both parts | 1 (50.0%) |" in told.out
    refused = commands.run("train.data_card", tmp_path / "a.jsonl", "--validation", tmp_path / "c.jsonl")
    assert refused.status == 1 and refused.err.startswith("error: TABLE =")


def test_pages_of_a_run_lie_beside_its_report(tmp_path):
    write_exhibits(Exhibits(pages={"data_card.md": "# Data card: s\n"}), tmp_path)
    told = write_report(tmp_path, Card("sentiment", "s", "0", "2026-01-15", "abc", "python", 7), read_exhibits(tmp_path))
    assert "- [data_card.md](data_card.md)" in told.read_text()
    assert (told.parent / "data_card.md").read_text() == "# Data card: s\n"
