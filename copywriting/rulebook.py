"""Rule packs: how a rule of advertising law is written down in `rules/*.yaml`, and read with errors that say what to mend.

A rule speaks of kinds of claim (`kinds`), of words (`words`), of what must be there (`needs_slot`, `disclose`) or of people (`caps`,
`forbid_audience`). What a pack says of a piece of copy is `law.py`.
"""

import re
from collections.abc import Collection
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from copywriting.channels import CHANNELS, Language
from copywriting.claim_patterns import KINDS
from copywriting.principles import PRINCIPLES
from copywriting.slots import SLOTS
from copywriting.taxonomy import INTENTS, VERTICALS

RULES = Path(__file__).with_name("rules")
HOUSE = "HOUSE"
Jurisdiction = Literal["CN", "US", "GB", "EU"]
JURISDICTIONS: tuple[Jurisdiction, ...] = ("CN", "US", "GB", "EU")
Audience = Literal["minor", "older"]
Text = dict[Language, str]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Exemption(_Data):
    """Where a rule does not apply: `by` says which article; the patterns are searched for in the sentence."""

    by: str
    zh: str | None = None
    en: str | None = None

    def covers(self, sentence: str, language: Language) -> bool:
        """Does it apply to this sentence?"""
        pattern = self.zh if language == "zh" else self.en
        return pattern is not None and re.search(pattern, sentence, re.IGNORECASE) is not None


class When(_Data):
    """What must all hold for a rule to apply; what is not named is anything."""

    verticals: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    audience: tuple[Audience, ...] = ()
    channels: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    product: Text = {}


class NeedsSlot(_Data):
    """A slot that must be written where its fact exists; `add` is the sentence that repairs it. `where_room`: only where it fits."""

    slot: str
    add: Text
    where_room: bool = False


class Rule(_Data):
    """One rule of a pack."""

    id: str
    law: str
    says: Text
    remedy: Text
    kinds: tuple[str, ...] = ()
    words: dict[Language, tuple[str, ...]] = {}
    exempt: tuple[Exemption, ...] = ()
    replace: dict[Language, dict[str, str]] = {}
    when: When = When()
    even_proved: bool = False
    """Do the words stay forbidden where a fact of the product says so?"""
    kinds_even_proved: tuple[str, ...] = ()
    """Kinds of claim that stay forbidden where a fact of the product makes them."""
    needs_slot: NeedsSlot | None = None
    disclose: Text = {}
    caps: tuple[str, ...] = ()
    forbid_slots: tuple[str, ...] = ()
    forbid_audience: tuple[Audience, ...] = ()
    forbid_product: bool = False
    advise: bool = False

    @field_validator("kinds", "kinds_even_proved")
    @classmethod
    def _known_kinds(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        return _known(kinds, KINDS)

    @field_validator("caps")
    @classmethod
    def _known_principles(cls, caps: tuple[str, ...]) -> tuple[str, ...]:
        return _known(caps, PRINCIPLES)

    @field_validator("forbid_slots")
    @classmethod
    def _known_slots(cls, slots: tuple[str, ...]) -> tuple[str, ...]:
        return _known(slots, SLOTS)

    @cached_property
    def patterns(self) -> dict[Language, re.Pattern[str]]:
        """The words of the rule as one pattern per language."""
        return {language: re.compile("|".join(words), re.IGNORECASE) for language, words in self.words.items()}

    def exemption(self, sentence: str, language: Language) -> str | None:
        """The article that exempts this sentence; None where none does."""
        return next((exempt.by for exempt in self.exempt if exempt.covers(sentence, language)), None)


def _known(given: tuple[str, ...], known: Collection[str]) -> tuple[str, ...]:
    for each in given:
        if each not in known:
            raise ValueError(f"{each!r} is not known; use one of {list(known)}")
    return given


class ReferencePrice(_Data):
    """Whose lowest price of how many days before a reduction is the reference that may be named."""

    days: int = Field(gt=0)
    law: str
    rule: str


class RulePack(_Data):
    """The rules of one country."""

    jurisdiction: str
    name: str
    version: str
    rules: tuple[Rule, ...]
    reference_price: ReferencePrice | None = None

    @field_validator("rules")
    @classmethod
    def _unlike(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        ids = [rule.id for rule in rules]
        for each in ids:
            if ids.count(each) > 1:
                raise ValueError(f"two rules are called {each!r}; rename one")
        return rules


def read_pack(path: Path) -> RulePack:
    """One pack. Raises ValueError that names file, rule, key, value and remedy."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        pack = RulePack.model_validate(document)
        for rule in pack.rules:
            _compile(rule)
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name}: not YAML ({error}); correct it") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(
            f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['input']!r}: {first['msg']}; see copywriting/rulebook.py"
        ) from None
    except re.error as error:
        raise ValueError(f"{path.name}: {error.pattern!r} is no regular expression ({error.msg}); correct it") from error
    return pack


def _compile(rule: Rule) -> None:
    assert rule.patterns is not None
    for exempt in rule.exempt:
        re.compile(exempt.zh or ""), re.compile(exempt.en or "")
    for table in rule.replace.values():
        for pattern in table:
            re.compile(pattern)
    for pattern in rule.when.product.values():
        re.compile(pattern)
    _known(rule.when.verticals, VERTICALS)
    _known(rule.when.kinds, [kind for kinds in VERTICALS.values() for kind in kinds])
    _known(rule.when.channels, CHANNELS)
    _known(rule.when.intents, INTENTS)


@cache
def pack(jurisdiction: str) -> RulePack:
    """The pack of one jurisdiction. Raises ValueError for one that there is no pack for."""
    path = RULES / f"{jurisdiction.lower()}.yaml"
    if not path.is_file():
        raise ValueError(f"jurisdiction {jurisdiction!r} has no rules; use one of {list(JURISDICTIONS)} or add rules/{path.name}")
    return read_pack(path)
