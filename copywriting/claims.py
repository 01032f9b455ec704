"""Find what a reader could hold us to in the words between slots, and bind it to a fact or report it as ungrounded.

The ledger of kinds is in `claim_patterns.py` (phrases) and `word_claims.py` (materials, origins, functions). Text is read as a reader sees
it (`reading.py`): folded, and once more with every disguise undone. A phrase is proved by a slot that the same piece writes, a word by a
text of the product that says the same. Slots in the wrong place are in `roles.py`; what the law of a country says of a kind in `law.py`.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import yaml

from copywriting.channels import Language
from copywriting.claim_patterns import PATTERNS, Pattern
from copywriting.reading import fold, spelt, unhyphenated, unmask
from copywriting.sieve import Sieve
from copywriting.word_claims import WordClaim, word_claims

INNOCENT = Path(__file__).with_name("innocent.yaml")
CURRENCY_SIGNS = "$€£¥₹₽₩"
_SIGNS = re.compile(rf"\d[\d.,]*|[%‰{CURRENCY_SIGNS}]")
OF_THE_PRODUCT = ("material", "origin", "function")
"""Kinds of claim that a text of the product proves, by its words."""
SPELT_OUT = ("最好", "最低", "最佳", "最优", "最强", "最大", "最便宜", "最高级", "最新款", "第一", "顶级", "顶尖", "极致", "极品", "国家级", "世界级", "唯一", "首选", "独家", "全网", "免费", "包邮", "半价", "打折", "保本", "稳赚", "假一赔十", "百分百", "永久", "根治", "治疗", "特效", "销冠", "冠军", "史上", "绝对", "无敌", "秒杀", "王牌", "最安全", "最划算", "最低价")  # fmt: skip
"""Words that advertisers spell in pinyin to pass a filter."""


_IN_PINYIN = re.compile(
    r"\b(?:zui ?(?:hao|di|jia|gao|qiang|da)|quan ?wang(?: ?zui)? ?di\w*|di ?yi|ding ?ji|guo ?jia ?ji|mian ?fei|bao ?you)\b|\btseb\b|\bdeetnaraug\b"
)
"""Chinese absolutes in an English text, and English ones backwards."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A text of the product that can prove a word: which field says it, and the row and version that it is from."""

    field: str
    text: str
    source: str
    version: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim in words: what it says, where it stands in the folded text, and which slots of the same piece would prove it. `word` is set
    where a text of the product can prove it instead."""

    kind: str
    text: str
    start: int
    end: int
    needs: tuple[str, ...] = ()
    word: WordClaim | None = None

    def __str__(self) -> str:
        if self.word is not None:
            return f"ungrounded {self.kind} {self.text!r}: nothing in the product's row says so"
        remedy = f"needs one of {list(self.needs)}" if self.needs else "no fact can prove it; it may only come from a slot"
        return f"ungrounded {self.kind} {self.text!r}: {remedy}"

    def ground(self, grounds: Sequence[Ground]) -> Ground | None:
        """The first text of the product that proves it."""
        return next((ground for ground in grounds if self.word is not None and self.word.proved_by(ground.text)), None)


def numbers_in(text: str) -> Iterator[re.Match[str]]:
    """Digits, percent and currency signs of folded text: what only a slot may bring."""
    return _SIGNS.finditer(text)


@lru_cache(maxsize=16384)
def claims_in(literal: str, language: Language) -> tuple[Finding, ...]:
    """Every claim in a run of text between slots, proved or not. Chinese copy is read for English claims too. Cached: pieces of one
    copybook say the same things again and again."""
    text = fold(literal)
    found = [Finding("number", match.group(), match.start(), match.end()) for match in numbers_in(text)]
    found += _plainly(text, language)
    hidden = unmask(literal)
    if hidden != text.casefold():
        said = {(finding.kind, finding.text.casefold()) for finding in found}
        found += [finding for finding in _plainly(hidden, language) if (finding.kind, finding.text) not in said]
    elif language == "en" and (closed := unhyphenated(hidden)) != hidden:
        found += [finding for finding in _plainly(closed, language) if finding.text not in hidden]
    if language == "en":
        found += [Finding("superlative", match.group(), match.start(), match.end()) for match in _IN_PINYIN.finditer(hidden)]
    if language == "zh":
        found += [Finding("superlative", word, 0, 0) for word in spelt(hidden, SPELT_OUT)]
    return tuple(found)


@cache
def _innocent() -> dict[Language, re.Pattern[str]]:
    """Everyday words in which a pattern would err, as one pattern per language."""
    held = yaml.safe_load(INNOCENT.read_text(encoding="utf-8"))
    return {language: re.compile("|".join(held[language]), re.IGNORECASE) for language in ("zh", "en")}


def _blanked(text: str, language: Language) -> str:
    """The text with innocent words blanked, every character in its place."""
    return _innocent()[language].sub(lambda match: re.sub(r"[^\ue000]", "\u3000", match.group()), text)


def _said_and_denied(text: str, match: re.Match[str]) -> bool:
    """打折不打折: a word that is said with and without its no asks, and claims nothing."""
    said = match.group()
    return text[match.end() :].startswith(f"不{said}") or text[: match.start()].endswith(f"{said}不")


@cache
def _sieve(language: Language) -> Sieve[Pattern]:
    """Every pattern that copy in this language is read with: Chinese copy is read for English claims too."""
    return Sieve([(pattern.regex, pattern) for pattern in PATTERNS if pattern.language in (language, "en")])


def _plainly(text: str, language: Language) -> list[Finding]:
    found = []
    text = _blanked(text, language)
    languages: tuple[Language, ...] = ("zh", "en") if language == "zh" else ("en",)
    for regex, pattern in _sieve(language).passing(text):
        matches = (match for match in regex.finditer(text) if not _said_and_denied(text, match))
        found += [Finding(pattern.kind, m.group(), m.start(), m.end(), pattern.evidence, _as_word(pattern.kind, m)) for m in matches]
    for each in languages:
        if each == language or re.search("[A-Za-z]{3}", text):
            found += [Finding(word.kind, word.text, word.start, word.end, word=word) for word in word_claims(text, each)]
    return found


def _as_word(kind: str, match: re.Match[str]) -> WordClaim | None:
    """A phrase of a kind that a text of the product proves by saying the same."""
    if kind not in OF_THE_PRODUCT:
        return None
    return WordClaim(kind, match.group(), match.start(), match.end(), re.compile(re.escape(match.group()), re.IGNORECASE))


def ungrounded(literal: str, language: Language, written: Collection[str], grounds: Sequence[Ground] = ()) -> tuple[Finding, ...]:
    """Claims that neither a slot which the piece writes nor a text of the product proves."""
    found = claims_in(literal, language)
    proved = [finding for finding in found if finding.ground(grounds) is not None]
    return tuple(
        finding
        for finding in found
        if set(finding.needs).isdisjoint(written) and finding not in proved and not any(_says_less(finding, other) for other in proved)
    )


def _says_less(finding: Finding, proved: Finding) -> bool:
    """Is it the same words about the product, which another way of reading them has proved?"""
    within = proved.start <= finding.start and finding.end <= proved.end
    overlap = finding.start < proved.end and proved.start < finding.end
    return (
        finding.kind in OF_THE_PRODUCT
        and proved.kind in OF_THE_PRODUCT
        and (within or (overlap and finding.kind == proved.kind == "function"))
    )
