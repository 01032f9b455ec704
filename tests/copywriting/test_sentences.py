"""Lines as sentences."""

import pytest

from copywriting.sentences import joined, sentence_at, sentences_of


@pytest.mark.parametrize(
    ("line", "language", "sentences"),
    [
        ("天冷了。{name}到了！来看看", "zh", ["天冷了。", "{name}到了！", "来看看"]), ("It is cold. {name} is here! Come, see", "en", ["It is cold.", "{name} is here!", "Come, see"]),
        ("At 3.5 out of 5", "en", ["At 3.5 out of 5"]), ("", "en", []),
    ],
)  # fmt: skip
def test_a_line_is_its_sentences(line, language, sentences):
    assert sentences_of(line) == sentences
    assert joined(sentences, language) == line


def test_a_place_lies_in_a_sentence():
    line = "It is cold. {name} is here. It is cold."
    assert [sentence_at(line, place) for place in (0, 10, 12, 30, 99)] == [
        "It is cold.",
        "It is cold.",
        "{name} is here.",
        "It is cold.",
        "It is cold.",
    ]
