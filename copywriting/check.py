"""From a draft with slots to copy that may leave: fill, bind every claim, check language, length and wishes; one verdict.

A draft that runs over its limit is repaired by leaving out closing sentences of its body. Any other fault refuses it, with the
reason. Law packs and finer repair are not here.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from copywriting.agreement import disagreement
from copywriting.brief import Brief
from copywriting.claims import fold, misused, ungrounded
from copywriting.facts import Fact, phrase_facts
from copywriting.intents import ANSWERS
from copywriting.slots import fill, literals, slots_in, with_gaps

_SENTENCE_END = re.compile(r"(?<=[。！？!?；])|(?<=[.!?;])\s+")
_HAN = re.compile(r"[\u3005\u3007\u3400-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ſ]")
_DANGLING = re.compile(r"[,，、:：(（\-—]$|(?:^|\s)(?:a|an|the|and|or|of)$", re.IGNORECASE)
_STUTTER = re.compile(r"(\S{4,}?)\s*\1", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Claim:
    """A filled span of the text and the fact behind it: `text[start:end]` says `value`, proved by `source` at `version`."""

    slot: str
    start: int
    end: int
    value: str
    source: str
    version: int


@dataclass(frozen=True, slots=True)
class Copy:
    """Checked copy. `text` is the parts joined by newlines; claim spans are offsets into it. `template` still has its slots."""

    template: str
    text: str
    parts: dict[str, str]
    claims: tuple[Claim, ...]
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A draft that may not leave, and every reason."""

    template: str
    reasons: tuple[str, ...]


def check(template: str, brief: Brief, facts: Mapping[str, Fact], must_not_include: Sequence[str] = ()) -> Copy | Refusal:
    """Fill and prove one draft. Returns Copy, or Refusal with the reasons."""
    facts = {**facts, **phrase_facts(brief.must_include)}
    lines = [line.strip() for line in template.strip().split("\n")]
    template = "\n".join(lines)
    if faults := _shape_faults(lines, brief, facts):
        return Refusal(template, tuple(faults))
    fitted, repairs = _fit(lines, brief, facts)
    if repairs and (faults := _shape_faults(fitted, brief, facts)):  # what was left out may have been the evidence for what stays
        return Refusal(template, tuple(faults))
    fitted = _with_phrases(fitted, brief, facts)
    text, spans = fill("\n".join(fitted), {slot: fact.text for slot, fact in facts.items()})
    if faults := _text_faults(text, "\n".join(fitted), brief, must_not_include):
        return Refusal(template, tuple(faults))
    claims = tuple(_claim(span.slot, span.start, span.end, facts[span.slot]) for span in spans)
    return Copy("\n".join(fitted), text, dict(zip(brief.channel.parts, text.split("\n"), strict=True)), claims, repairs)


def _claim(slot: str, start: int, end: int, fact: Fact) -> Claim:
    return Claim(slot, start, end, fact.value, fact.source, fact.version)


def _shape_faults(lines: list[str], brief: Brief, facts: Mapping[str, Fact]) -> list[str]:
    """Faults that make filling impossible or pointless."""
    parts = brief.channel.parts
    if len(lines) != len(parts) or not all(lines):
        return [f"{len(lines)} part(s), {brief.channel.name} has {list(parts)}"]
    faults = [f"slot {{{slot}}} has no fact" for slot in dict.fromkeys(slots_in("\n".join(lines))) if slot not in facts]
    if "name" not in slots_in("\n".join(lines)):
        faults.append("does not name the product")
    written = set(slots_in("\n".join(lines)))  # "with a gift" needs the gift itself in the text, not only in the warehouse
    faults += _sense_faults("\n".join(lines), written, brief, facts)
    for line in lines:
        said = with_gaps(line)
        faults += [str(claim) for claim in (*ungrounded(said, brief.language, written), *misused(line, brief.language))]
        faults += ["a brace outside a slot" for literal in literals(line) if set("{}") & set(fold(literal))]
        if _DANGLING.search(line):
            faults.append(f"breaks off: …{line[-20:]!r}")
        if any(_STUTTER.search(literal) for literal in literals(line)):
            faults.append("repeats itself")
    return faults


def _sense_faults(template: str, written: set[str], brief: Brief, facts: Mapping[str, Fact]) -> list[str]:
    """What would leave a reader without an answer, or wince."""
    faults = []
    answers = set(ANSWERS.get(brief.intent or "", ())) & facts.keys()
    if answers and written.isdisjoint(answers):
        faults.append(f"the shopper asked about {brief.intent}: no {sorted(answers)} in the reply")
    name = facts["name"].text if "name" in facts and brief.vertical != "books" else ""  # a title is singular: "Corner Noodles is"
    if brief.language == "en" and (verb := disagreement(template, name)):
        faults.append(f"{verb!r} after the plural {name!r}")
    return faults


def _fit(lines: list[str], brief: Brief, facts: Mapping[str, Fact]) -> tuple[list[str], tuple[str, ...]]:
    """Leave out closing sentences of the body while the filled text is too long and the product stays named."""
    if "body" not in brief.channel.parts:
        return lines, ()
    at = brief.channel.parts.index("body")
    values = {slot: fact.text for slot, fact in facts.items()}
    removed = 0
    while length_of(fill("\n".join(_with_phrases(lines, brief, facts)), values)[0]) > brief.max_chars:
        sentences = [s for s in _SENTENCE_END.split(lines[at]) if s]
        shorter = [*lines[:at], (" " if brief.language == "en" else "").join(sentences[:-1]), *lines[at + 1 :]]
        if len(sentences) < 2 or "name" not in slots_in("\n".join(shorter)):
            break
        lines, removed = shorter, removed + 1
    return lines, (f"left out {removed} closing sentence(s) to fit {brief.max_chars} characters",) if removed else ()


def _with_phrases(lines: list[str], brief: Brief, facts: Mapping[str, Fact]) -> list[str]:
    """Phrases that the caller wants and the draft lacks, at the end of the body or of the only part, each as a slot of its own."""
    at = brief.channel.parts.index("body") if "body" in brief.channel.parts else 0
    text = fold(fill("\n".join(lines), {slot: fact.text for slot, fact in facts.items()})[0]).casefold()
    missing = [slot for slot, fact in phrase_facts(brief.must_include).items() if fold(fact.text).casefold() not in text]
    comma, stop = ("，", "。") if brief.language == "zh" else (", ", ".")
    ended = lines[at].endswith(tuple("。！？!?.…"))
    for slot in missing:
        joint = comma if not ended else " " if brief.language == "en" else ""
        text_so_far = lines[at] + joint + f"{{{slot}}}" + (stop if ended else "")
        lines = [*lines[:at], text_so_far, *lines[at + 1 :]]
    return lines


def _text_faults(text: str, template: str, brief: Brief, must_not_include: Sequence[str]) -> list[str]:
    faults = []
    if length_of(text) > brief.max_chars:
        faults.append(f"{length_of(text)} characters, {brief.channel.name} allows {brief.max_chars}")
    if not in_language(template, brief.language):
        faults.append(f"not in {brief.language}")
    folded = fold(text).casefold()
    faults += [f"names the competitor {name!r}" for name in brief.unnamable if _names(folded, fold(name).casefold())]
    faults += [f"must include {phrase!r}" for phrase in brief.must_include if fold(phrase).casefold() not in folded]
    faults += [f"must not include {phrase!r}" for phrase in must_not_include if fold(phrase).casefold() in folded]
    return faults


def _names(text: str, name: str) -> bool:
    """Does the text hold the name as whole words? Chinese has no spaces between them."""
    at_word = r"(?<![a-z0-9])", r"(?![a-z0-9])"
    return re.search(at_word[0] + re.escape(name.strip()) + at_word[1], text) is not None


def length_of(text: str) -> int:
    """Characters, part breaks not counted: what a channel's limit bounds."""
    return len(text) - text.count("\n")


def in_language(template: str, language: str) -> bool:
    """Are the words between slots written in the letters of this language, and of no other? Slots may hold foreign brands. A Cyrillic а
    in "hаlf" is a foreign letter, and so is an accent that stands by itself."""
    words = fold("".join(literals(template.replace("\n", " "))))
    han, latin = len(_HAN.findall(words)), len(_LATIN.findall(words))
    foreign = any(unicodedata.category(c)[0] in "LM" for c in words if not _HAN.match(c) and not _LATIN.match(c))
    return not foreign and (han == 0 and latin > 0 if language == "en" else han > 0 and han * 2 > latin)


def with_parts_joined(copy: Copy, separator: str) -> Copy:
    """The same copy with its parts joined by another separator of one character, so that spans stay valid."""
    if len(separator) != 1:
        raise ValueError(f"separator {separator!r} must be one character, or claim spans would shift")
    return replace(copy, text=copy.text.replace("\n", separator))
