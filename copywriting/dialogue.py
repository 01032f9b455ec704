"""What a reply in a chat has to do: answer from what is known, soothe, recommend, or say plainly that the shop does not know.

An answer is whole sentences of the shop's own (the `{answer}` slot), with their source: an attribute of the product, a sentence of its
description, or a passage of the merchant's knowledge that retrieval found. A model frames it; it never words it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from copywriting.brief import Turn, language_of
from copywriting.channels import Language
from copywriting.facts import Fact
from copywriting.intents import intent_of
from copywriting.plain import gives_orders
from copywriting.product import Product
from copywriting.sentences import joined, sentences_of

SOURCE = Path(__file__).with_name("questions.yaml")
MOST_CHARS: dict[Language, int] = {"zh": 90, "en": 200}
"""Of an answer: a reply has room for little more."""
_ASKS = {
    "zh": re.compile(
        r"[?？]|[吗呢么]\s*[。！~]?$|什么|怎么|多少|多久|多大|多重|几[个天时点号岁]|哪|是否|能不能|可不可以|会不会|有没有|谁|为什么|如何"
    ),
    "en": re.compile(
        r"\?|^\s*(?:what|how|when|where|who|why|which|is|are|do|does|did|can|could|will|would|may|should|has|have)\b|\b(?:wondering|tell me|i'd like to know)\b",
        re.IGNORECASE,
    ),
}
_SEEKS = {
    "zh": re.compile(
        r"推荐|有什么(?:好|适合|合适)|想(?:买|要|找|给|送)|送(?:给|爸|妈|女|男|朋|老|孩|同|人)|哪(?:款|个|种)(?:好|合适|适合|比较)|介绍一?下|挑|选(?:哪|一)|看看别的|还有别的"
    ),
    "en": re.compile(
        r"recommend|suggest|looking for|something for|gift for|present for|which (?:one|would)|any ideas|anything else|what do you have|help me (?:choose|pick)",
        re.IGNORECASE,
    ),
}
_LINKS = re.compile(r"://|www\.|[<>{}]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A text of the merchant's knowledge that retrieval found for a question: `score` is the similarity of the two, at most 1."""

    passage_id: str
    text: str
    version: int
    score: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What the reply is for, and the fact that it gives where the shopper asked something that is known."""

    intent: str
    answer: Fact | None = None


@cache
def _attributes() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    return document


def question_in(turns: Sequence[Turn]) -> str | None:
    """What the shopper said last; None where nobody has spoken."""
    return next((turn.text for turn in reversed(turns) if turn.role == "shopper"), None)


def reply_to(turns: Sequence[Turn], product: Product, passages: Sequence[Passage], locale: str) -> Reply:
    """A complaint is soothed first. A question is answered from the product's row, then from the first of `passages`, which are those that
    are near enough; one that neither answers is `unknown`, unless price, stock or quality is what facts of their own speak of."""
    language, intent, said = language_of(locale), intent_of(turns), question_in(turns) or ""
    if intent == "complaint" or not said:
        return Reply(intent)
    asks = _ASKS[language].search(said) is not None
    fact = _from_attributes(said, product, language) if asks else None
    if fact is None and intent in ("price", "stock"):
        return Reply(intent)
    if fact is None and asks and passages:
        fact = _from_passage(passages[0], language)
    if fact is not None:
        return Reply("question", fact)
    if intent in ("quality", "hesitation"):
        return Reply(intent)
    return Reply("recommend" if _SEEKS[language].search(said) or not asks else "unknown")


def _from_attributes(said: str, product: Product, language: Language) -> Fact | None:
    """A sentence that gives the attribute which the question asks for; only where the row is in the language of the answer."""
    if language_of(product.locale) != language:
        return None
    for key, entry in _attributes().items():
        value = product.attributes.get(key)
        if value and re.search(entry["asks"][language], said, re.IGNORECASE) and not gives_orders(value):
            label = entry["label"][language]
            text = f"{label}是{value}。" if language == "zh" else f"{label}: {value}."
            return _fact(text, value, f"products/{product.product_id}/{product.locale}#attributes.{key}", product.version, language)
    return None


def _from_passage(passage: Passage, language: Language) -> Fact | None:
    kept: list[str] = []
    for sentence in sentences_of(passage.text):
        if len(joined([*kept, sentence], language)) > MOST_CHARS[language]:
            break
        kept.append(sentence)
    return _fact(joined(kept, language), passage.passage_id, f"knowledge/{passage.passage_id}", passage.version, language)


def _fact(text: str, value: str, source: str, version: int, language: Language) -> Fact | None:
    if not text or len(text) > MOST_CHARS[language] or not text.isprintable() or _LINKS.search(text) or gives_orders(text):
        return None
    return Fact("answer", text, value, source, version)
