"""Lines of copy as sentences, in both languages, slots filled or not."""

import re
from collections.abc import Sequence

from copywriting.channels import Language

_END = re.compile(r"(?<=[。！？!?；])|(?<=[.!?;])\s+")


def sentences_of(line: str) -> list[str]:
    """The sentences of a line, each with its end."""
    return [sentence for sentence in _END.split(line) if sentence]


def finished(text: str) -> str:
    """The beginning of a growing text that ends with a sentence or a line: what no later letter changes."""
    end = max([text.rfind("\n"), *(match.start() - 1 for match in _END.finditer(text))])
    return text[: end + 1].rstrip("\n")


def joined(sentences: Sequence[str], language: Language) -> str:
    """Sentences as one line."""
    return (" " if language == "en" else "").join(sentences)


def sentence_at(line: str, place: int) -> str:
    """The sentence of a line that holds a place; the last one for a place beyond it."""
    begin, sentences = 0, sentences_of(line)
    for sentence in sentences:
        begin = line.index(sentence, begin)
        if place < begin + len(sentence):
            return sentence
        begin += len(sentence)
    return sentences[-1] if sentences else line
