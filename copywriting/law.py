"""What advertising law says of one piece of copy: verdicts that name rule, law, words and remedy, and what must or may not be there.

    python -m copywriting.law [CN|US|GB|EU]      prints every rule

Rules are data (`rules/*.yaml`, read by `rulebook.py`). Packs are summaries for a machine, not legal advice.
"""

import re
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from copywriting.channels import Language
from copywriting.claims import Finding, claims_in
from copywriting.reading import fold
from copywriting.rulebook import HOUSE, JURISDICTIONS, Jurisdiction, ReferencePrice, Rule, When, pack
from copywriting.sentences import sentence_at

_MARKETS: dict[str, tuple[Jurisdiction, ...]] = {"zh-CN": ("CN",), "en-US": ("US",), "en-GB": ("GB",)}
_AGE = re.compile(r"\d+")
ADULT, OLDER = 18, 65


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
        return (rule for rule in _in_case(self, case) if not rule.when.slots or not set(rule.when.slots).isdisjoint(written))

    def judge(self, line: str, findings: Sequence[Finding], case: Case) -> list[Verdict]:
        """Verdicts on one line of a template: on each ungrounded claim, and on words that are forbidden whatever proves them."""
        verdicts = []
        for finding in findings:
            rules = [rule for rule in self.applying(case) if finding.kind in rule.kinds]
            sentence = sentence_at(line, finding.start)
            if any(rule.exemption(sentence, case.language) for rule in rules):
                continue
            rule = rules[0]
            verdicts.append(_verdict(rule, finding.kind, finding.text, finding.start, case.language, str(finding)))
        for rule in self.applying(case):
            for language in ("zh", "en") if case.language == "zh" else ("en",):
                pattern = rule.patterns.get(language)
                for match in pattern.finditer(line) if pattern else ():
                    if not rule.exemption(sentence_at(line, match.start()), case.language):
                        verdicts.append(_verdict(rule, "words", match.group(), match.start(), case.language))
        return verdicts

    def unfit(self, text: str, language: Language, case: Case) -> Verdict | None:
        """The rule that keeps a text of the catalogue out of copy even though it is the merchant's own statement; None where none does."""
        findings = claims_in(text, language)
        for rule in self.applying(case):
            for finding in findings:
                if finding.kind in rule.kinds_even_proved and not rule.exemption(text, language):
                    return _verdict(rule, finding.kind, finding.text, finding.start, language)
            pattern = rule.patterns.get(language) if rule.even_proved else None
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


@lru_cache(maxsize=4096)
def _in_case(law: Law, case: Case) -> tuple[Rule, ...]:
    """Kept, since every line of every draft of a request asks it anew."""
    return tuple(rule for rule in law.rules if _applies(rule.when, case))


def _applies(when: When, case: Case) -> bool:
    product = when.product.get("zh"), when.product.get("en")
    return (
        (not when.verticals or case.vertical in when.verticals)
        and (not when.kinds or case.kind in when.kinds)
        and (not when.audience or bool(case.audience & set(when.audience)))
        and (not when.channels or case.channel in when.channels)
        and (not when.intents or case.intent in when.intents)
        and (not when.product or any(each and re.search(each, case.product, re.IGNORECASE) for each in product))
    )


def _verdict(rule: Rule, kind: str, text: str, start: int, language: Language, detail: str = "") -> Verdict:
    remedy = rule.remedy[language] if not detail else f"{rule.remedy[language]} ({detail})"
    return Verdict(rule.id, rule.law, kind, text, start, remedy)


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
