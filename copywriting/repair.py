"""Mend a draft: leave out what can't be proved, say what the law wants said, fit the channel. Works on templates, part by part.

Nothing is invented: a repair takes words away, puts the product's name or a plain button in a part's place, makes a replacement that the
rule itself names, or adds a sentence of the law's pack.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from copywriting.brief import Brief
from copywriting.channels import Language, Part, typed_plainly, units_of
from copywriting.facts import Fact, phrase_facts
from copywriting.law import Verdict
from copywriting.reading import fold
from copywriting.rulebook import Rule
from copywriting.sentences import joined, sentences_of
from copywriting.slots import GAP, fill, slots_in, with_gaps

_CTA: dict[Language, str] = {"zh": "看详情", "en": "See the details"}
_ENDS = tuple("。！？!?.…")
_SENTENCE_SLOT = re.compile(r"\{(?:answer|disclosure\d+)\}$")
"""A slot at the end whose value brings its own stop."""


@dataclass(frozen=True, slots=True)
class Mended:
    """Lines after a repair and what was done."""

    lines: list[str]
    verdicts: list[Verdict]


@dataclass(slots=True)
class Added:
    """Lines with what had to be said, the facts of the new slots, verdicts, and the sentences that may not be left out again."""

    lines: list[str]
    facts: dict[str, Fact] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)


def mended(lines: Sequence[str], verdicts: Sequence[Verdict], brief: Brief, facts: Mapping[str, Fact]) -> Mended | None:
    """The lines without what the verdicts speak of; None where nothing good would be left."""
    rules = {rule.id: rule for rule in brief.law.rules}
    after, done = list(lines), []
    for at, (part, line) in enumerate(zip(brief.channel.parts, lines, strict=True)):
        against = [verdict for verdict in verdicts if _is_of(verdict, line)]
        if not against:
            continue
        mend = _replaced(line, against, rules, brief.language) or _without(part, line, against, brief, facts, "\n".join(lines))
        if mend is None:
            return None
        after[at] = mend
        done += [_acted(verdict, "replaced" if _same_count(mend, line) else "cut") for verdict in against]
    return Mended(after, done) if done else None


def _same_count(one: str, other: str) -> bool:
    return len(sentences_of(one)) == len(sentences_of(other))


def _acted(verdict: Verdict, action: str) -> Verdict:
    return Verdict(verdict.rule, verdict.law, verdict.kind, verdict.text, verdict.start, verdict.remedy, action)


def _is_of(verdict: Verdict, line: str) -> bool:
    if not verdict.text or verdict.rule == "house.disguise":
        return True
    held = fold(line + with_gaps(line) + with_gaps(line).replace(GAP, "")).casefold()
    return fold(verdict.text).casefold() in held


def _replaced(line: str, against: Sequence[Verdict], rules: Mapping[str, Rule], language: Language) -> str | None:
    """With the replacements that the rules name; None where one of the verdicts has none."""
    for verdict in against:
        table = rules[verdict.rule].replace.get(language, {}) if verdict.rule in rules else {}
        pattern = next((pattern for pattern in table if re.search(pattern, verdict.text)), None)
        found = pattern or next((pattern for pattern in table if re.search(pattern, line)), None)
        if found is None:
            return None
        line = re.sub(found, table[found], line)
    return line


def _without(part: Part, line: str, against: Sequence[Verdict], brief: Brief, facts: Mapping[str, Fact], template: str) -> str | None:
    if part == "body":
        kept = [sentence for sentence in sentences_of(line) if not any(_is_of(verdict, sentence) for verdict in against)]
        return joined(kept, brief.language) if kept and len(kept) < len(sentences_of(line)) else None
    return plain_part(part, brief, facts, template) if len(brief.channel.parts) > 1 else None


def plain_part(part: Part, brief: Brief, facts: Mapping[str, Fact], template: str) -> str | None:
    """What can always be said in a headline or on a button: the product's name or its brand, or a plain call."""
    if part == "cta":
        return _CTA[brief.language]
    limit = brief.channel.limit_of(part, brief.language)
    fitting = [slot for slot in ("name", "brand") if slot in facts and len(facts[slot].text) <= limit]
    return f"{{{fitting[0]}}}" if fitting else None


def additions(lines: Sequence[str], brief: Brief, facts: Mapping[str, Fact]) -> Added:
    """What the law and the caller want said: closing dates, risk lines, phrases. Advice is noted, not written."""
    added = Added([typed_plainly(line, brief.channel, brief.language) for line in lines])
    at = brief.channel.parts.index("body") if "body" in brief.channel.parts else 0
    written = slots_in("\n".join(lines))
    for rule in brief.law.applying(brief.case, written):
        if rule.needs_slot and rule.needs_slot.slot in facts and rule.needs_slot.slot not in written:
            sentence = rule.needs_slot.add[brief.language]
            longer = [*added.lines[:at], _and_then(added.lines[at], sentence, brief.language), *added.lines[at + 1 :]]
            if not rule.needs_slot.where_room or not too_long(longer, brief, facts):
                added.lines = longer
                added.fixed.append(sentence.rstrip("。."))
                added.verdicts.append(_added(rule, sentence, brief.language))
        if rule.advise:
            added.verdicts.append(Verdict(rule.id, rule.law, "advice", "", -1, rule.remedy[brief.language], "advice"))
    _disclose(added, at, brief)
    _add_phrases(added, at, brief, facts)
    return added


def _added(rule: Rule, sentence: str, language: Language) -> Verdict:
    return Verdict(rule.id, rule.law, "required", sentence, -1, rule.says.get(language, ""), "added")


def _disclose(added: Added, at: int, brief: Brief) -> None:
    for number, rule in enumerate(brief.law.disclosures(brief.case)):
        sentence, slot = rule.disclose[brief.language], f"disclosure{number}"
        if "body" not in brief.channel.parts:
            added.verdicts.append(Verdict(rule.id, rule.law, "advice", sentence, -1, "show it where this leads", "advice"))
            continue
        version = int(re.sub(r"\D", "", brief.law.version_of(rule)))
        added.facts[slot] = Fact(slot, sentence, sentence, f"law/{rule.id}", version)
        added.lines[at] = _and_then(added.lines[at], f"{{{slot}}}", brief.language)
        added.fixed.append(f"{{{slot}}}")
        added.verdicts.append(_added(rule, sentence, brief.language))


def _and_then(line: str, sentence: str, language: Language) -> str:
    if not line.endswith(_ENDS) and not _SENTENCE_SLOT.search(line):
        line += "。" if language == "zh" else "."
    return f"{line} {sentence}" if language == "en" else line + sentence


def _add_phrases(added: Added, at: int, brief: Brief, facts: Mapping[str, Fact]) -> None:
    """Phrases that the caller wants and the draft lacks, at the end of the body or of the only part, each as a slot of its own."""
    values = {slot: fact.text for slot, fact in {**facts, **added.facts}.items()}
    text = fold(fill("\n".join(added.lines), values)[0]).casefold()
    comma, stop = ("，", "。") if brief.language == "zh" else (", ", ".")
    for slot, fact in phrase_facts(brief.must_include).items():
        if fold(fact.text).casefold() in text:
            continue
        ended = added.lines[at].endswith(_ENDS)
        joint = comma if not ended else " " if brief.language == "en" else ""
        added.lines[at] += joint + f"{{{slot}}}" + (stop if ended else "")
        added.fixed.append(f"{{{slot}}}")


def too_long(lines: Sequence[str], brief: Brief, facts: Mapping[str, Fact]) -> bool:
    """Does the filled text exceed the channel, in whole or in a part?"""
    filled = [fill(line, {slot: fact.text for slot, fact in facts.items()})[0] for line in lines]
    whole = units_of("".join(filled), brief.channel, brief.language) > brief.max_chars
    return whole or any(
        len(line) > brief.channel.limit_of(part, brief.language) for part, line in zip(brief.channel.parts, filled, strict=True)
    )


def fitted(lines: Sequence[str], brief: Brief, facts: Mapping[str, Fact], fixed: Sequence[str] = ()) -> tuple[list[str], tuple[str, ...]]:
    """Leave out closing sentences of the body, and give plain words to a headline or button that is too long, while the product stays
    named and what has to be said stays said."""
    lines, repairs = list(lines), []
    for at, part in enumerate(brief.channel.parts):
        if part == "body" or len(lines) == 1:
            continue
        if len(fill(lines[at], {slot: fact.text for slot, fact in facts.items()})[0]) > brief.channel.limit_of(part, brief.language):
            shorter = plain_part(part, brief, facts, "\n".join(lines))
            if shorter is not None and shorter != lines[at]:
                lines[at] = shorter
                repairs.append(f"shortened the {part} to {shorter!r}")
    if "body" not in brief.channel.parts:
        return lines, tuple(repairs)
    at, removed = brief.channel.parts.index("body"), 0
    while too_long(lines, brief, facts):
        sentences = sentences_of(lines[at])
        loose = [number for number, sentence in enumerate(sentences) if not any(each in sentence for each in fixed)]
        if len(loose) < 1 or len(sentences) < 2:
            break
        shorter_lines = [*lines[:at], joined([s for n, s in enumerate(sentences) if n != loose[-1]], brief.language), *lines[at + 1 :]]
        if "name" not in slots_in("\n".join(shorter_lines)):
            break
        lines, removed = shorter_lines, removed + 1
    if removed:
        repairs.append(f"left out {removed} closing sentence(s) to fit {brief.max_chars} characters")
    return lines, tuple(repairs)
