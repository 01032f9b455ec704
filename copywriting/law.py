"""Advertising law as data: rule packs per country in `rules/*.yaml`, and what they say of one piece of copy.

    python -m copywriting.law [CN|US|GB|EU]      prints every rule

A rule speaks of kinds of claim (`kinds`), of words (`words`), of what must be there (`needs_slot`, `disclose`) or of people (`caps`,
`forbid_audience`). Each verdict names rule, law, words and remedy. Packs are summaries for a machine, not legal advice.
"""

import re
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from copywriting.channels import CHANNELS, Language
from copywriting.claim_patterns import KINDS
from copywriting.claims import Finding, claims_in
from copywriting.principles import PRINCIPLES
from copywriting.reading import fold
from copywriting.slots import SLOTS
from copywriting.taxonomy import INTENTS, VERTICALS

RULES = Path(__file__).with_name("rules")
HOUSE = "HOUSE"
Jurisdiction = Literal["CN", "US", "GB", "EU"]
JURISDICTIONS: tuple[Jurisdiction, ...] = ("CN", "US", "GB", "EU")
_MARKETS: dict[str, tuple[Jurisdiction, ...]] = {"zh-CN": ("CN",), "en-US": ("US",), "en-GB": ("GB",)}
Audience = Literal["minor", "older"]
_AGE = re.compile(r"\d+")
ADULT, OLDER = 18, 65
_SENTENCE = re.compile(r"[^。！？!?；;\n.]*[。！？!?；;\n.]?")
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
    needs_slot: NeedsSlot | None = None
    disclose: Text = {}
    caps: tuple[str, ...] = ()
    forbid_slots: tuple[str, ...] = ()
    forbid_audience: tuple[Audience, ...] = ()
    forbid_product: bool = False
    advise: bool = False

    @field_validator("kinds")
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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of some words of a piece. `action` is `refused`, `cut`, `replaced`, `added` or `advice`; `start` is the place in
    its line of the template, -1 where the rule is about the whole piece."""

    rule: str
    law: str
    kind: str
    text: str
    start: int
    remedy: str
    action: str = "refused"

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.text!r}: {self.remedy} [{self.rule}: {self.law}]"
            if self.text
            else f"{self.remedy} [{self.rule}: {self.law}]"
        )


@dataclass(frozen=True, slots=True)
class Case:
    """What of a brief the law looks at. `product` is the product's own words (title, name, category) for rules about goods."""

    language: Language
    channel: str
    vertical: str
    kind: str | None
    intent: str | None = None
    audience: frozenset[str] = frozenset()
    product: str = ""


def jurisdictions_of(locale: str, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Whose law holds: what the caller names, else the locale's market."""
    return tuple(wanted) or _MARKETS.get(locale, ())


def audience_of(age_band: str | None) -> frozenset[str]:
    """`minor` or `older` by an age band such as 25-34, under 18, 65+ or 12; empty where it tells neither."""
    numbers = [int(each) for each in _AGE.findall(age_band or "")]
    if not numbers:
        return frozenset()
    below = any(word in (age_band or "").lower() for word in ("under", "below", "<", "岁以下", "以下"))
    if max(numbers) < ADULT or (below and max(numbers) <= ADULT):
        return frozenset({"minor"})
    return frozenset({"older"}) if min(numbers) >= OLDER or (min(numbers) >= 60 and "+" in (age_band or "")) else frozenset()


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
            f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['input']!r}: {first['msg']}; see copywriting/law.py"
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


class Law:
    """The packs that hold for one request, the country's before the house's. Made once for each set of jurisdictions: see `law_of`."""

    def __init__(self, jurisdictions: Sequence[str]) -> None:
        self.packs = tuple(pack(each) for each in (*jurisdictions, HOUSE))
        self.rules = tuple(rule for each in self.packs for rule in each.rules)
        self._versions = {rule.id: each.version for each in self.packs for rule in each.rules}

    @property
    def versions(self) -> dict[str, str]:
        """Jurisdiction → version of its pack."""
        return {each.jurisdiction: each.version for each in self.packs}

    def version_of(self, rule: Rule) -> str:
        """The version of the rule's pack."""
        return self._versions[rule.id]

    @property
    def reference_price(self) -> ReferencePrice | None:
        """The rule on reference prices with the longest look back, which satisfies the others too."""
        found = [each.reference_price for each in self.packs if each.reference_price]
        return max(found, key=lambda rule: rule.days, default=None)

    def applying(self, case: Case, written: Collection[str] = ()) -> Iterator[Rule]:
        """The rules that hold in this case for a piece that writes these slots."""
        return (rule for rule in self.rules if _applies(rule.when, case, written))

    def judge(self, line: str, findings: Sequence[Finding], case: Case) -> list[Verdict]:
        """Verdicts on one line of a template: on each ungrounded claim, and on words that are forbidden whatever proves them."""
        sentence_at = _sentences(line)
        verdicts = []
        for finding in findings:
            rules = [rule for rule in self.applying(case) if finding.kind in rule.kinds]
            sentence = sentence_at(finding.start)
            if any(rule.exemption(sentence, case.language) for rule in rules):
                continue
            rule = rules[0]
            verdicts.append(_verdict(rule, finding.kind, finding.text, finding.start, case.language, str(finding)))
        for rule in self.applying(case):
            for language in ("zh", "en") if case.language == "zh" else ("en",):
                pattern = rule.patterns.get(language)
                for match in pattern.finditer(line) if pattern else ():
                    if not rule.exemption(sentence_at(match.start()), case.language):
                        verdicts.append(_verdict(rule, "words", match.group(), match.start(), case.language))
        return verdicts

    def unfit(self, text: str, language: Language, case: Case) -> Verdict | None:
        """The rule that keeps a text of the catalogue out of copy even though it is the merchant's own statement; None where none does."""
        findings = [finding for finding in claims_in(text, language) if finding.kind != "number"]
        for rule in self.applying(case):
            if not rule.even_proved and rule.id != "house.contact":
                continue
            for finding in findings:
                if finding.kind in rule.kinds and finding.kind in ("superlative", "finance") and not rule.exemption(text, language):
                    return _verdict(rule, finding.kind, finding.text, finding.start, language)
            pattern = rule.patterns.get(language)
            if pattern and (match := pattern.search(fold(text))) and not rule.exemption(text, language):
                return _verdict(rule, "words", match.group(), match.start(), language)
        return None

    def caps(self, case: Case) -> tuple[str, ...]:
        """Principles that may not be used on these people."""
        return tuple(dict.fromkeys(each for rule in self.applying(case) for each in rule.caps))

    def closed(self, case: Case) -> frozenset[str]:
        """Slots that may not be written in this case."""
        return frozenset(slot for rule in self.applying(case) for slot in rule.forbid_slots)

    def barred(self, case: Case) -> Verdict | None:
        """The rule that forbids any copy for this product, or for it to these people; None where none does."""
        for rule in self.applying(case):
            if rule.forbid_product or case.audience & set(rule.forbid_audience):
                return _verdict(rule, "product", "", -1, case.language)
        return None

    def disclosures(self, case: Case) -> list[Rule]:
        """Rules whose sentence must stand in the piece."""
        return [rule for rule in self.applying(case) if rule.disclose]


def _applies(when: When, case: Case, written: Collection[str]) -> bool:
    product = when.product.get("zh"), when.product.get("en")
    return (
        (not when.verticals or case.vertical in when.verticals)
        and (not when.kinds or case.kind in when.kinds)
        and (not when.audience or bool(case.audience & set(when.audience)))
        and (not when.channels or case.channel in when.channels)
        and (not when.intents or case.intent in when.intents)
        and (not when.slots or not set(when.slots).isdisjoint(written))
        and (not when.product or any(each and re.search(each, case.product, re.IGNORECASE) for each in product))
    )


def _verdict(rule: Rule, kind: str, text: str, start: int, language: Language, detail: str = "") -> Verdict:
    remedy = rule.remedy[language] if not detail else f"{rule.remedy[language]} ({detail})"
    return Verdict(rule.id, rule.law, kind, text, start, remedy)


class _sentences:
    """Which sentence of a line holds a place."""

    def __init__(self, line: str) -> None:
        self._line = line

    def __call__(self, place: int) -> str:
        for match in _SENTENCE.finditer(self._line):
            if match.start() <= place < match.end():
                return match.group()
        return self._line


@cache
def law_of(jurisdictions: tuple[str, ...]) -> Law:
    """The law of these jurisdictions, read once."""
    return Law(jurisdictions)


def _main(names: Sequence[str]) -> int:
    for name in names or (*JURISDICTIONS, HOUSE):
        held = pack(name)
        print(f"\n{held.jurisdiction}  {held.name}  version {held.version}")
        for rule in held.rules:
            print(f"  {rule.id:26} {rule.law}\n{'':29}{rule.says.get('en', next(iter(rule.says.values())))}")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
