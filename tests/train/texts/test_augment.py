"""Noise and paraphrase: seeded, harmless to the label, never an empty text."""

import re
from random import Random

import pytest

from train.texts.augment import CopyNoise, Noise, Sisters, noisy

TEXTS = ("The box came late, and it was broken.", "很好用，下次还会来买的！", "ok", "好", "iPhone 13 很好用，喜欢")


def letters(text: str) -> list[str]:
    return sorted(text.replace(" ", ""))


def test_no_noise_changes_nothing_and_the_same_seed_gives_the_same_text():
    everything = Noise(delete=0.5, swap=0.5, marks=0.5, width=0.5, case=0.5)
    for text in TEXTS:
        assert noisy(text, Noise(), Random(0)) == text
        assert noisy(text, everything, Random(3)) == noisy(text, everything, Random(3))
    assert len({noisy(TEXTS[0], everything, Random(seed)) for seed in range(20)}) > 10


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_ever_becomes_empty(text):
    assert all(noisy(text, Noise(delete=1, swap=1, marks=1, width=1, case=1), Random(seed)).strip() for seed in range(40))


@pytest.mark.parametrize("text", TEXTS)
def test_a_swap_keeps_every_letter_and_the_white_space_in_its_place(text):
    for seed in range(10):
        swapped = noisy(text, Noise(swap=1), Random(seed))
        assert letters(swapped) == letters(text) and len(swapped.split()) == len(text.split())
    if len(text) > 5:
        assert any(noisy(text, Noise(swap=1), Random(seed)) != text for seed in range(10))


def test_a_deletion_leaves_out_a_word_or_a_character():
    assert len(noisy(TEXTS[0], Noise(delete=1), Random(0)).split()) == 7
    assert re.fullmatch("很?好?用?", noisy("很好用", Noise(delete=1), Random(1))) and len(noisy("很好用", Noise(delete=1), Random(1))) == 2


def test_marks_go_or_change_their_width_and_words_stay():
    found = {noisy("很好，真的!", Noise(marks=1), Random(seed)) for seed in range(10)}
    assert found == {"很好真的", "很好,真的！"}


def test_width_and_case_change_nothing_that_a_reader_would_call_another_text():
    wide = {noisy("iPhone 13 很好", Noise(width=1), Random(seed)) for seed in range(10)}
    assert wide == {"ｉＰｈｏｎｅ １３ 很好", "iPhone 13 很好"}
    assert {noisy("So Good", Noise(case=1), Random(seed)) for seed in range(30)} == {"so good", "SO GOOD", "So good"}


def test_the_share_says_how_many_texts_are_changed():
    changed = sum(noisy(TEXTS[0], Noise(case=0.3), Random(seed)) != TEXTS[0] for seed in range(400))
    assert 50 < changed < 110  # a third of the changes of case leave this text as it is


def test_a_paraphrase_takes_one_part_of_a_sister_with_the_same_tags(pieces):
    piece = next(each for each in pieces if len(each.parts) > 1)
    sister = type(piece)(
        **{name: getattr(piece, name) for name in piece.__slots__} | {"piece_id": "s", "parts": ("別的{name}",) * len(piece.parts)}
    )
    stranger = type(piece)(**{name: getattr(sister, name) for name in piece.__slots__} | {"principles": ("liking", "value")})
    found = {Sisters([piece, sister, stranger]).paraphrase(piece, Random(seed)) for seed in range(20)}
    assert all(sum(own == new for own, new in zip(piece.parts, each.parts, strict=True)) == len(piece.parts) - 1 for each in found)
    assert all(each.principles == piece.principles for each in found) and len(found) == len(piece.parts)
    assert Sisters([piece, stranger]).paraphrase(piece, Random(0)) == piece


def test_a_share_above_one_and_an_unknown_kind_are_refused():
    with pytest.raises(ValueError, match="less than or equal to 1"):
        CopyNoise(paraphrase=2)
    with pytest.raises(ValueError, match="Extra inputs"):
        Noise.model_validate({"synonyms": 0.1})
