"""What a buyer says of which side of a product, in Chinese and English: "the fit is perfect but the fabric itches" is a liked fit and
a doubted fabric.

A lexicon (`aspects.yaml`) and a few rules: clauses end at punctuation and contrast; an opinion belongs to the side that is named
nearest in its clause, else to the one that it implies; negation and wishes turn it; stars weigh it. Irony, comparisons between
products and anything the lexicon lacks are not here. `python -m benchmarks.concerns` measures it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from copywriting.channels import Language
from copywriting.lexicon import Lexicon, Word, language_in, lexicon

Stance = Literal["liked", "doubted"]

_PLAIN = 0.6
_VERY, _LITTLE, _TURNED = 1.3, 0.6, 0.8
_PRIOR = 0.3
"""How far stars of 1 or 5 raise an opinion that agrees with them, and lower one that doesn't."""
FAINT = 0.3
"""Below this strength nothing has been said."""

_STOPS = re.compile(r"[.!?;:,\n()\u2014。！？；：，、～…]+|\s-\s")
_ZH_BETWEEN = re.compile(
    r"(?:太|很|那么|这么|怎么|想象中|想象的|想的|图片上|页面上|说的|描述的|那种|什么|任何|一点|一丝|一处|半点|特别|非常|明显|感觉|觉得|多少"
    r"|至于|出现|发现|宣传的|会|够|能|算|有|是|得|像|的|地|到|再|多|那|还|啥|都|也|让我|闻到|异样的|过){0,5}$"
)
_EN_BETWEEN = re.compile(r"(?:\W+[\w']+){0,4}\W*$")


@dataclass(frozen=True, slots=True)
class Opinion:
    """One thing said: `strength` in (0, 1], and the clause that says it, `text[start:end]`."""

    aspect: str
    stance: Stance
    strength: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Clause:
    """A run of text between stops, in lower case, and where it starts; `joined` if it goes on a sentence."""

    text: str
    start: int
    joined: bool


def opinions_in(text: str, stars: float | None = None) -> tuple[Opinion, ...]:
    """Every aspect that each clause likes or doubts. `stars`, 1 to 5, only weigh what the words say: alone they say nothing."""
    language = language_in(text)
    words = lexicon(language)
    found: list[Opinion] = []
    pending: tuple[str, ...] = ()
    for clause in _clauses(text, words):
        said = list(words.words(clause.text))
        scores, named = _scores(clause.text, said, pending if clause.joined else (), words, language)
        pending = () if scores else named
        end = clause.start + len(clause.text)
        for aspect, score in scores.items():
            weighed = _weighed(score, stars)
            if abs(weighed) >= FAINT:
                found.append(Opinion(aspect, "liked" if weighed > 0 else "doubted", min(1.0, abs(weighed)), clause.start, end))
    return tuple(found)


def _weighed(score: float, stars: float | None) -> float:
    if stars is None:
        return score
    prior = max(-1.0, min(1.0, (stars - 3) / 2))
    return score * (1 + _PRIOR * prior * (1 if score > 0 else -1))


def _clauses(text: str, words: Lexicon) -> Iterator[_Clause]:
    lowered = "".join(c if len(c.lower()) != 1 else c.lower() for c in text.replace("’", "'"))  # offsets stay those of the text
    start, joined = 0, False
    for stop in [*_STOPS.finditer(lowered), None]:
        end = stop.start() if stop else len(lowered)
        cuts = [start, *(start + match.start() for match in words.but.finditer(lowered[start:end])), end]
        for number, (one, other) in enumerate(pairwise(cuts)):
            if lowered[one:other].strip():
                yield _Clause(lowered[one:other], one, joined and number == 0)
        if stop:
            start, joined = stop.end(), stop.group().strip() in (",", "，", "、", ":", "：", "")


def _scores(
    clause: str, said: Sequence[Word], pending: tuple[str, ...], words: Lexicon, language: Language
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Aspect → signed strength, and the aspects that the clause names."""
    terms = [(aspect, word) for word in said for aspect in word.terms]
    named = tuple(dict.fromkeys(aspect for aspect, _ in terms)) or pending
    scores: dict[str, float] = defaultdict(float)
    general: list[float] = []
    for word in said:
        if not (word.own or word.beside or word.general):
            continue
        for aspect, sign in _aimed(word, terms, pending).items():
            scores[aspect] += _signed(sign, word, clause, words, language)
        if word.general:
            general.append(_signed(word.general, word, clause, words, language))
    if general and len({value > 0 for value in general}) == 1:
        for aspect in named:
            scores.setdefault(aspect, general[0])  # "the fit and the fabric are lovely": the nearer one has it already
    return {aspect: score for aspect, score in scores.items() if score}, named


def _aimed(word: Word, terms: Sequence[tuple[str, Word]], pending: tuple[str, ...]) -> dict[str, int]:
    """Which aspects a word speaks of: a side named in the clause before one that the word implies."""
    others = [(aspect, term) for aspect, term in terms if term is not word]
    near = [(abs(term.start - word.start), aspect) for aspect, term in others if aspect in word.beside]
    if near:
        aspect = min(near)[1]
        return {aspect: word.beside[aspect]}
    if held := [aspect for aspect in pending if aspect in word.beside and not terms]:
        return {held[0]: word.beside[held[0]]}
    if word.general and others:
        nearest = min((abs(term.start - word.start), aspect) for aspect, term in others)[0]
        return {aspect: word.general for aspect, term in others if abs(term.start - word.start) == nearest}
    named = {aspect: sign for aspect, sign in word.own.items() if any(aspect == other for other, _ in others)}
    return dict(named or word.own)


def _signed(sign: int, word: Word, clause: str, words: Lexicon, language: Language) -> float:
    """The sign with its strength, turned by a negation or a wish before it."""
    before = clause[: word.start]
    close = before[-6:] if language == "zh" else before[-24:]
    strength = _PLAIN * (_LITTLE if words.little.search(close) else _VERY if words.very.search(close) else 1.0)
    if _negated(before, words, language):
        return -sign * strength * _TURNED
    if sign > 0 and words.wish.search(clause if language == "zh" else before):
        return -sign * strength * _TURNED
    return sign * strength


def _negated(before: str, words: Lexicon, language: Language) -> bool:
    """Does a negation reach the end of these words? "Not only" and 不但 are none."""
    between = _ZH_BETWEEN if language == "zh" else _EN_BETWEEN
    masked = words.not_not.sub(lambda match: "\0" * len(match.group()), before)
    negations = list(words.negators.finditer(masked))
    return bool(negations) and bool(between.match(masked[negations[-1].end() :]))
