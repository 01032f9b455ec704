"""What `benchmarks/concerns.py` counts, one behaviour a test."""

from pathlib import Path

from benchmarks.concerns import agreement, composed, hand_labelled, is_summary, precision_recall, real_reviews, stances
from copywriting.lexicon import aspects


def test_precision_and_recall_are_counted_for_all_and_for_each_stance():
    liked, doubted = ("size", "liked"), ("fabric", "doubted")
    figures = precision_recall([(frozenset({liked, doubted}), frozenset({liked})), (frozenset(), frozenset({doubted}))], "x")
    assert (figures["x_all_precision"], figures["x_all_recall"], figures["x_all_count"]) == (0.5, 0.5, 2)
    assert (figures["x_liked_precision"], figures["x_doubted_recall"]) == (1.0, 0.0)
    assert "x_size_recall" not in figures  # too few to say anything


def test_agreement_is_with_the_side_of_the_review():
    figures = agreement(["The fabric is thin"] * 30, ["The fabric is soft"] * 20 + ["The fabric is thin"] * 10, "x")
    assert (figures["x_reviews"], figures["x_found_in"], figures["x_all_count"]) == (60, 1.0, 60)
    assert figures["x_fabric_agreement"] == round(50 / 60, 3)


def test_what_a_text_says_on_balance_counts_once():
    assert stances("The fabric is soft. The fabric is very thin.") == {("fabric", "doubted")}


def test_own_and_composed_sentences_are_measured_without_any_data():
    figures = hand_labelled() | composed()
    assert figures["hand_en_all_precision"] > 0.9
    assert figures["demo_zh_all_recall"] > 0.8
    kept = {key for key in figures if is_summary(key)}
    assert "demo_zh_doubted_recall" in kept
    assert not [key for key in kept for name in aspects() if f"_{name}_" in key]


def test_missing_data_is_one_line_and_no_figure(tmp_path: Path, capsys):
    assert real_reviews(tmp_path) == {}
    assert capsys.readouterr().out.count("left out: ") == 2
