"""Nearness to a reference and variety, against figures that can be worked out by hand."""

import pytest

from train.exams.text_metrics import nearness, variety, words

ZH = "这件大衣很暖和，适合冬天穿。"


@pytest.mark.parametrize(("text", "language"), [(ZH, "zh"), ("A warm coat for a cold day.", "en")])
def test_a_text_that_is_its_reference_has_the_whole_score(text, language):
    figures = nearness([text], [text], language)
    assert figures == pytest.approx(dict.fromkeys(figures, 100.0), abs=1e-3)


def test_texts_with_nothing_in_common_score_next_to_nothing():
    figures = nearness(["茶园清晨"], [ZH], "zh")
    assert figures["rouge_1"] == figures["rouge_2"] == figures["rouge_l"] == 0
    assert figures["bleu_4"] < 1


def test_rouge_counts_words_and_is_the_harmonic_mean():
    figures = nearness(["a warm coat"], ["a warm winter coat"], "en")
    precision, recall = 3 / 3, 3 / 4
    assert figures["rouge_1"] == pytest.approx(100 * 2 * precision * recall / (precision + recall), abs=0.01)
    assert figures["rouge_2"] == pytest.approx(100 * 2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3), abs=0.01)


def test_the_figures_are_means_over_the_texts():
    first, second = nearness([ZH], [ZH], "zh"), nearness(["茶园清晨"], [ZH], "zh")
    both = nearness([ZH, "茶园清晨"], [ZH, ZH], "zh")
    assert both["bleu_4"] == pytest.approx((first["bleu_4"] + second["bleu_4"]) / 2)
    assert both["rouge_l"] == pytest.approx(50, abs=0.01)


def test_a_text_that_says_nothing_scores_nothing():
    assert nearness(["  "], [ZH], "zh")["rouge_l"] == 0
    assert nearness(["暖"], [ZH], "zh")["bleu_4"] == 0


@pytest.mark.parametrize(("texts", "references"), [([], []), (["a"], []), (["a"], ["b", "c"]), (["a"], [" "])])
def test_every_text_needs_a_reference(texts, references):
    with pytest.raises(ValueError, match="reference"):
        nearness(texts, references, "en")


def test_chinese_is_counted_by_jiebas_words():
    assert words("羊毛大衣很暖和", "zh") == ["羊毛", "大衣", "很", "暖和"]


def test_equal_texts_have_no_variety_and_different_ones_have_all():
    same, other = variety(["一件大衣很暖和"] * 3, "zh"), variety(["甲乙丙丁戊己", "子丑寅卯辰巳"], "zh")
    assert same["self_bleu"] == pytest.approx(100)
    assert same["distinct_4"] == pytest.approx(1 / 3)
    assert other["distinct_1"] == other["distinct_2"] == other["distinct_4"] == 1
    assert other["self_bleu"] < 10
