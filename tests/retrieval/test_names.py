"""Titles and short names: readable case, no search-engine stuffing, the noun kept, never longer than allowed."""

import random

import pytest

from retrieval.names import MAX_CHARS, short_name, title_case


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "White Hanging Heart T-Light Holder"),
        ("SET OF 6 SOLDIER SKITTLES", "Set of 6 Soldier Skittles"),
        ("CHILDREN'S APRON DOLLY GIRL", "Children's Apron Dolly Girl"),
        ("PINK/WHITE CHRISTMAS TREE 30CM", "Pink/White Christmas Tree 30cm"),
        ("LED TORCH FOR THE UK", "LED Torch for the UK"),
        ("POLYESTER FILLER PAD 40x40cm", "Polyester Filler Pad 40x40cm"),
        ("ADIDAS Originals Men Jacket", "ADIDAS Originals Men Jacket"),
        ("iPhone charger", "iPhone charger"),
        ("双层防风羊毛大衣", "双层防风羊毛大衣"),
        ("", ""),
    ],
)
def test_shouted_titles_get_title_case_and_others_stay(title, expected):
    assert title_case(title) == expected


@pytest.mark.parametrize(
    ("title", "brand", "expected"),
    [
        ("White Hanging Heart T-Light Holder", None, "White Hanging Heart T-Light Holder"),
        ("Buy Alisha Shorts Online at Best Prices in India", None, "Alisha Shorts"),
        ("Polyester Filler Pad 45x45cm", None, "Polyester Filler Pad"),
        ("FOLK ART GREETING CARD,pack/12", None, "Folk Art Greeting Card"),
        ("Cotton Socks (Pack of 3)", None, "Cotton Socks"),
        ("Marvel DW100243 Digital Watch  - For Boys, Girls", None, "Marvel DW100243 Digital Watch"),
        ("Kielz Ladies Kielz Boots", "Kielz", "Kielz Ladies Boots"),
        ("Mynte Solid Women's Cycling Shorts, Gym Shorts, Swim Shorts", None, "Mynte Solid Women's Cycling Shorts"),
        ("United Colors of Benetton Women Solid Black Handbags", "United Colors of Benetton", "Women Solid Black Handbags"),
        ("Guess Women Sparkle Box Set Watch With Interchangeable Straps", None, "Guess Women Sparkle Box Set Watch"),
        ("【官方正品】2024新款 北欧风 双层防风羊毛大衣 包邮", None, "北欧风 双层防风羊毛大衣"),
    ],
)
def test_stuffing_goes_and_the_noun_stays(title, brand, expected):
    assert short_name(title, brand) == expected


def test_a_cut_never_leaves_a_promise_that_the_title_did_not_make():
    name = short_name("Riva Carpets Cotton Free Bath Mat Classic Shag Bathmat-RI-04")
    assert not name.lower().startswith("free")


def test_a_title_that_is_nothing_but_stuffing_names_itself():
    assert short_name("(Pack of 3)") == "(Pack of 3)"


def test_one_endless_word_is_cut_hard():
    assert short_name("x" * 90) == "x" * MAX_CHARS


def test_a_name_is_never_empty_nor_too_long_and_invents_no_word():
    rng = random.Random(7)
    words = ["Red", "MUG", "with", "(Pack of 2)", "and", "-", "Oak", ",", "30cm", "online", "Buy", "Free", "A-line", "羊毛", "【新】", "|"]
    for _ in range(3000):
        title = "x " + " ".join(rng.choices(words, k=rng.randint(1, 18)))
        limit = rng.choice([None, 12, 30, 60])
        name = short_name(title, rng.choice([None, "Oak"]), limit)
        assert name and len(name) <= (limit or MAX_CHARS)
        assert all(word in title.lower() for word in name.lower().split())
