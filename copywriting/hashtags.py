"""Hashtags for a social post, made of facts only: the day, the brand, the kind of product. A model never writes one."""

import re
from collections.abc import Mapping

from copywriting.channels import Language
from copywriting.facts import Fact

_FROM = ("occasion", "category", "brand")
_AT_MOST = 3


def hashtags_of(facts: Mapping[str, Fact], language: Language, room: int) -> tuple[tuple[str, Fact], ...]:
    """(#tag, its fact) while there is room for them on a line of their own, in characters."""
    tags: list[tuple[str, Fact]] = []
    for fact in (facts[slot] for slot in _FROM if slot in facts):
        tag = "#" + _as_tag(fact.text, language)
        room -= len(tag) + bool(tags)
        if room < 0 or len(tags) == _AT_MOST:
            break
        if len(tag) > 1 and tag not in [other for other, _ in tags]:
            tags.append((tag, fact))
    return tuple(tags)


def _as_tag(text: str, language: Language) -> str:
    words = re.findall(r"[\w]+", text.removeprefix("the ").replace("'s", "s").replace("’s", "s"))
    return "".join(words) if language == "zh" else "".join(word[:1].upper() + word[1:] for word in words)
