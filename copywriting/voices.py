"""How a brand speaks: a guide that a marketer writes, in YAML. A writer that reads follows its description; the check holds every writer
to its words.

    name: almanac
    tone: elegant                      # where a request names none
    says: {en: "Short sentences …", zh: "短句 …"}
    samples: {en: ["…"], zh: ["…"]}    # lines that sound right
    instead: {en: {cheap: affordable}, zh: {便宜: 实惠}}
    never: {en: [bargain], zh: [抢购]}
    always: {en: [], zh: []}           # phrases that every piece has
    exclamations: 0                    # how many a piece may have; left out: any number

`python -m copywriting.voices GUIDE` checks one.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from copywriting.channels import Language
from copywriting.plain import is_plain
from copywriting.slots import literals

GUIDE = "guide.yaml"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
"""What a voice may be called."""
_MARKS = re.compile(r"[!！]+")
_FULL_STOP: dict[Language, str] = {"zh": "。", "en": "."}


@dataclass(frozen=True, slots=True)
class Manner:
    """A guide in one language."""

    says: str
    samples: tuple[str, ...] = ()
    instead: tuple[tuple[str, str], ...] = ()
    never: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    exclamations: int | None = None


class Guide(BaseModel):
    """A guide as its file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=f"^{NAME.pattern}$")
    tone: Literal["warm", "playful", "elegant", "urgent", "plain", "expert"] | None = None
    says: dict[Language, str]
    samples: dict[Language, tuple[str, ...]] = {}
    instead: dict[Language, dict[str, str]] = {}
    never: dict[Language, tuple[str, ...]] = {}
    always: dict[Language, tuple[str, ...]] = {}
    exclamations: int | None = Field(default=None, ge=0)

    @field_validator("always")
    @classmethod
    def _is_said_plainly(cls, always: dict[Language, tuple[str, ...]]) -> dict[Language, tuple[str, ...]]:
        for phrase in (phrase for phrases in always.values() for phrase in phrases):
            if not is_plain(phrase):
                raise ValueError(f"{phrase!r} is no short plain phrase; leave out braces, links and line breaks")
        return always

    def in_language(self, language: Language) -> Manner:
        """What holds for copy in this language."""
        return Manner(
            self.says.get(language, ""),
            self.samples.get(language, ()),
            tuple(self.instead.get(language, {}).items()),
            self.never.get(language, ()),
            self.always.get(language, ()),
            self.exclamations,
        )


def read_guide(path: Path) -> Guide:
    """Read one. Raises ValueError that names file, key, value and remedy."""
    try:
        return Guide.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: can't be read as a guide ({error}); write YAML as copywriting/voices.py shows") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))} = {fault['input']!r}: {fault['msg']}" for fault in error.errors())
        raise ValueError(f"{path}: {faults}; correct it as copywriting/voices.py shows") from error


def spoken(lines: Sequence[str], manner: Manner, language: Language) -> tuple[list[str], list[str]]:
    """The lines in the brand's own words, and what was changed. Slots are left alone."""
    done: list[str] = []
    spoken_lines = [_worded(line, manner, language, done) for line in lines]
    if manner.exclamations is not None:
        spoken_lines = _calm(spoken_lines, manner.exclamations, language, done)
    return spoken_lines, done


def _worded(line: str, manner: Manner, language: Language, done: list[str]) -> str:
    for word, better in manner.instead:
        pattern = re.compile(re.escape(word) if language == "zh" else rf"\b{re.escape(word)}\b", re.IGNORECASE)
        if any(pattern.search(literal) for literal in literals(line)):
            line = _in_literals(line, pattern, better)
            done.append(f"the brand says {better!r} for {word!r}")
    return line


def _in_literals(line: str, pattern: re.Pattern[str], better: str) -> str:
    def cased(match: re.Match[str]) -> str:
        return better[:1].upper() + better[1:] if match.group()[:1].isupper() else better

    pieces = re.split(r"(\{[^{}]*\})", line)
    return "".join(piece if number % 2 else pattern.sub(cased, piece) for number, piece in enumerate(pieces))


def _calm(lines: list[str], allowed: int, language: Language, done: list[str]) -> list[str]:
    """Exclamation marks beyond the allowed number become full stops."""
    left = allowed

    def calmer(match: re.Match[str]) -> str:
        nonlocal left
        marks = match.group()[: max(left, 0)]
        left -= len(match.group())
        return marks or _FULL_STOP[language]

    calmed = [_MARKS.sub(calmer, line) for line in lines]
    if left < 0:
        done.append(f"the brand exclaims {allowed} time(s) at most")
    return calmed


def main() -> None:
    """Command line: check a guide."""
    try:
        guide = read_guide(Path(sys.argv[1]))
    except ValueError as error:
        sys.exit(f"error: {error}")
    print(f"{guide.name}: no faults")


if __name__ == "__main__":
    main()
