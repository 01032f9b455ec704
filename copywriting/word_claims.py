"""Claims made by a single word: a material, an origin, a function. The words are in `words.yaml`; here they become matchers.

Only finds them. Whether the product's facts say the same is decided in `claims.py`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from babel import Locale

from copywriting.channels import Language
from copywriting.sieve import Sieve, Sieved

SOURCE = Path(__file__).with_name("words.yaml")
_HAN = re.compile("[\u3400-\u9fff]")
_HERE = r"\ue001"
_AMBIGUOUS: dict[str, set[str]] = {"en": {"Jersey", "Turkey"}, "zh": set()}
_HOME = {"CN", "US", "GB"}
_WORDS = {"Chad", "Georgia", "Jordan", "Mali", "Guinea", "China", "Niger", "Oman"}
_NEGATED = re.compile(r"(?:不|非|没有|无法|未|不能|并不|not|non|isn't|never|no|without)[ -]?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WordClaim:
    """`text[start:end]` claims `kind`; a fact proves it where `proof` matches in it."""

    kind: str
    text: str
    start: int
    end: int
    proof: re.Pattern[str]

    def proved_by(self, fact: str) -> bool:
        """Does this text of the product say so, and not the contrary?"""
        return any(not _NEGATED.search(fact[: match.start()]) for match in self.proof.finditer(fact))


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(SOURCE.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    return document


def _either(words: Sequence[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


def _compiled(regex: str, language: Language) -> Sieved:
    return Sieved(regex, words=language == "en", ignore_case=True)


@cache
def _places(language: Language) -> str:
    own = set(_document()["places"][language])
    territories = {
        name
        for code, name in Locale(language).territories.items()
        if len(code) == 2 and name not in _AMBIGUOUS[language] and "(" not in name
    }
    return _either([re.escape(name) for name in (*own, *territories)])


@cache
def _countries(language: Language) -> Sieved:
    """A country's name wherever it stands, but for scenery. Names of one's own market are at home in any copy."""
    names = [name for code, name in Locale(language).territories.items() if len(code) == 2 and code not in _HOME and "(" not in name]
    names += ["苏格兰", "英格兰", "威尔士"] if language == "zh" else ["Scotland", "England", "Wales"]
    names = [name for name in names if name not in _AMBIGUOUS[language] | _WORDS and len(name) > 1]
    if language == "zh":
        return Sieved(f"(?<![去到在飞回])(?P<what>{_either(list(map(re.escape, names)))})(?!{_document()['country_scenery']['zh']})")
    return Sieved(rf"(?<!to )(?<!around )(?<!of )(?P<what>{_either(list(map(re.escape, names)))})", words=True)


@cache
def _plain_materials(language: Language) -> Sieved:
    return _compiled(_either(_document()["materials"][language]), language)


@cache
def _materials_in_context(language: Language) -> tuple[Sieved, ...]:
    named = f"(?P<what>{_either(_document()['materials_in_context'][language])})"
    return tuple(_compiled(context.replace(_HERE, named), language) for context in _document()["contexts"][language])


@cache
def _figurative(language: Language) -> re.Pattern[str]:
    return re.compile(_document()["figurative"][language], re.IGNORECASE)


@cache
def _origins(language: Language) -> tuple[Sieved, ...]:
    words = _document()["demonyms"]
    named = f"(?P<what>{_places(language)})"
    if language == "zh":
        first, second, *bare = _split(words["zh_context"])
        patterns = [first.replace(_HERE, named), second.replace(_HERE, named), *bare]
        return tuple(_compiled(pattern, "zh") for pattern in patterns)
    demonym = rf"(?P<what>{_either(words['en'])}){words['en_scenery'].replace('(?:', '(?!', 1)}"
    made, quality = _split(words["en_context"])
    return tuple(_compiled(pattern, "en") for pattern in (demonym, made.replace(_HERE, named), quality.replace(_HERE, named)))


def _split(regex: str) -> list[str]:
    """The alternatives at the top level of a pattern."""
    parts, depth, begin, in_set = [], 0, 0, False
    for place, character in enumerate(regex):
        if regex[place - 1 : place] == "\\":
            continue
        if in_set:
            in_set = character != "]"
        elif character == "[":
            in_set = True
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "|" and depth == 0:
            parts.append(regex[begin:place])
            begin = place + 1
    return [*parts, regex[begin:]]


@cache
def _functions(language: Language) -> tuple[tuple[Sieved, re.Pattern[str]], ...]:
    """(how copy says it in this language, how a fact of any language may say it), for each function."""
    found = []
    for line in _document()["functions"]:
        said = [word for word in line if bool(_HAN.search(word)) == (language == "zh")]
        if said:
            every = {each: _either([word for word in line if bool(_HAN.search(word)) == (each == "zh")]) for each in ("zh", "en")}
            proof = "|".join(filter(None, (every["zh"], rf"(?<![A-Za-z])(?:{every['en']})(?![A-Za-z])" if every["en"] else "")))
            found.append((_compiled(_either(said), language), re.compile(proof, re.IGNORECASE)))
    return tuple(found)


def word_claims(text: str, language: Language) -> Iterator[WordClaim]:
    """Every such claim in folded text, read in one language."""
    for pattern, (kind, proof) in _sieve(language).passing(text):
        for match in pattern.finditer(text):
            if kind == "material" and pattern is _plain_materials(language) and _figurative(language).search(text[: match.start()]):
                continue
            what = match.groupdict().get("what") or match.group()
            yield WordClaim(kind, match.group(), match.start(), match.end(), proof or re.compile(re.escape(what), re.IGNORECASE))


@cache
def _sieve(language: Language) -> Sieve[tuple[str, re.Pattern[str] | None]]:
    """Every matcher with its kind, and with its proof where that is not the word itself."""
    materials = (_plain_materials(language), *_materials_in_context(language))
    origins = (*_origins(language), _countries(language))
    return Sieve(
        [
            *((pattern, ("material", None)) for pattern in materials),
            *((pattern, ("origin", None)) for pattern in origins),
            *((said, ("function", proof)) for said, proof in _functions(language)),
        ]
    )
