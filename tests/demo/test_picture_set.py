"""Captions and copy for the drawn pictures."""

import random

import pyarrow.parquet as pq
import pytest

from demo.picture_set import Item, caption, copy_text, described, items, make, words
from demo.pictures import COLOURS, VIEWS
from train.pictures.captions import pools, read_pictures

_DRESS = Item("dresses", "red", "stripes", seed=1)


def test_words_name_every_colour_pattern_and_kind_in_both_languages():
    known = words()
    assert set(known["colours"]) == set(COLOURS) and len(known["kinds"]) == 60 and len(known["patterns"]) == 6
    for group in ("colours", "patterns", "kinds"):
        for entry in known[group].values():
            assert entry["en"] and entry["zh"]


@pytest.mark.parametrize(("language", "striped"), [("en", "striped"), ("zh", "条纹")])
def test_a_description_says_colour_pattern_and_kind(language, striped):
    known = words()
    for seed in range(30):
        text = described(_DRESS, language, random.Random(seed))
        assert striped in text
        assert any(word in text for word in known["colours"]["red"][language])
        assert any(word in text for word in known["kinds"]["dresses"][language])


def test_captions_say_where_a_product_is_seen_and_keep_english_articles():
    captions = [caption(Item("fruit", "orange", "plain", seed=3), view, "en", random.Random(seed)) for view in VIEWS for seed in range(40)]
    assert any("close" in text for text in captions)
    assert not any("a orange" in text or "  " in text for text in captions)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_copy_is_filled_and_in_its_language(language):
    for seed in range(20):
        text = copy_text(_DRESS, language, random.Random(seed))
        assert "{" not in text
        assert any("一" <= character <= "鿿" for character in text) == (language == "zh")


def test_held_out_combinations_are_about_a_tenth_and_never_trained_on():
    everything = items(1, 5040)
    assert len({(item.shape, item.colour, item.pattern) for item in everything}) == 5040
    assert 0.07 < sum(item.held_out for item in everything) / 5040 < 0.13
    assert all(item.held_out for item in items(2, 50, held_out=True))


def test_the_set_is_what_training_reads(tmp_path):
    table = make(tmp_path, seed=3, count=60)
    rows = pq.read_table(table).to_pylist()
    assert len(rows) == 60 * 6
    training, held_out = read_pictures(tmp_path, held_out=0.1, seed=0)
    assert len(training) + len(held_out) == 60
    assert not {picture.product for picture in training} & {picture.product for picture in held_out}
    assert {language for language, _ in pools(held_out)} == {"zh", "en"}
