"""What `copywriting/reading.py` promises: a reader's eyes, and no disguise that hides a word from them."""

import pytest

from copywriting.reading import disguises, fold, in_pinyin, latin_twin, simplified, spelt, unmask


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("蕞好", "最好"), ("醉低价", "最低价"), ("最!好", "最好"), ("最隹", "最佳"), ("國家級", "国家级"), ("国 家 级", "国家级"), ("免.费", "免费"),
        ("第①", "第1"), ("ｂｅｓｔ", "best"), ("b e s t", "best"), ("b.e.s.t", "best"), ("gυaranteed", "guaranteed"),
        ("ʙᴇsᴛ", "best"), ("𝐛𝐞𝐬𝐭", "best"), ("t0p-rated", "top-rated"), ("fr€e", "free"), ("hаlf", "half"), ("be\u200bst", "best"),
        ("无與倫比", "无与伦比"),
    ],
)  # fmt: skip
def test_a_disguise_is_undone(text, plain):
    assert unmask(text) == plain
    assert disguises(text, "zh" if any("\u3400" <= c <= "\u9fff" for c in text) else "en")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("最近降温了，出门多带一件。", "zh"), ("“慢慢来”，她说——雨停了再走…", "zh"), ("T恤和DIY都行", "zh"), ("《小王子》里的狐狸", "zh"), ("咖啡｜牛奶", "zh"),
        ("Crème brûlée at the café", "en"), ("It's a well-known, half-empty room: yours.", "en"), ("“Quite so,” she said – and left.", "en"),
        ("A or B? I do.", "en"), ("e.g. tea", "en"),
    ],
)  # fmt: skip
def test_plain_writing_is_no_disguise(text, language):
    assert disguises(text, language) == ()


def test_folding_keeps_what_a_reader_sees():
    assert fold("ｆｕｌｌ\u200b　１２") == "full 12"


def test_a_dot_that_names_have_hides_nothing():
    assert disguises("全网·最低", "zh") == ()
    assert unmask("全网·最低") == "全网最低"


@pytest.mark.parametrize("text", ["zui好", "最hao", "zui hao", "z好", "zui-hao"])
def test_a_word_in_pinyin_is_found(text):
    assert list(spelt(unmask(text), ("最好",)))


@pytest.mark.parametrize("text", ["最近hao", "zh", "z h", "吃zuo饭"])
def test_letters_that_spell_something_else_are_left_alone(text):
    assert not list(spelt(unmask(text), ("最好",)))


def test_pinyin_has_its_own_ends():
    assert not in_pinyin("最好").search("azuihaob")


def test_an_accented_letter_is_a_letter_of_its_own():
    assert latin_twin("é") == "é"
    assert latin_twin("а") == "a"  # Cyrillic
    assert latin_twin("羊") == "羊"


def test_traditional_characters_become_simplified_ones():
    assert simplified("無與倫比") == "无与伦比"
    assert simplified("慢慢走") == "慢慢走"
