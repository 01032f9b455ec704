"""The second reader: what it sees of a sentence, what it suspects, and that nothing is read without it."""

import math

import pytest

from artifacts.card import ArtifactError
from copywriting.second_reader import SecondReader, bare, reader, suspects, vectorizer


@pytest.mark.parametrize(
    ("sentence", "language"),
    [
        ("设计师改了四十稿", "zh"),
        ("用过的都说值", "zh"),
        ("Scientists at MIT helped us design it", "en"),
    ],
)
def test_a_sentence_that_reads_like_a_claim_is_suspected_with_or_without_its_stop(sentence, language):
    assert suspects(sentence, language)
    assert suspects(sentence + ("。" if language == "zh" else "."), language)


@pytest.mark.parametrize(
    ("sentence", "language"),
    [
        ("天黑得早，灯先亮了。", "zh"),
        ("慢慢挑，不着急。", "zh"),
        ("The kettle is on.", "en"),
        ("Take the long way home.", "en"),
        ("", "en"),
        ("。", "zh"),
    ],
)
def test_an_everyday_sentence_is_not(sentence, language):
    assert not suspects(sentence, language)


def test_a_sentence_is_read_without_its_end():
    assert bare("  天冷了。 ") == "天冷了"


def test_suspicion_is_a_probability():
    assert 0 <= reader().suspicion("天冷了", "zh") <= 1


def test_without_its_directory_nothing_is_read(tmp_path):
    with pytest.raises(ArtifactError, match=str(tmp_path)):
        SecondReader(tmp_path)


@pytest.mark.parametrize(("sentence", "language"), [("比别家都暖和", "zh"), ("Warmer than \ue000 anything you own", "en"), ("a", "en")])
def test_serving_counts_n_grams_as_training_does(sentence, language):
    held = reader()
    row = vectorizer(language).transform([sentence])
    logit = float(row.data @ held._weights[language][row.indices]) + held._bias[language]
    assert held.suspicion(sentence, language) == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-6)
