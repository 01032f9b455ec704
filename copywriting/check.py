"""From a draft with slots to copy that may leave: fill, bind every claim, apply the law, check language, length and wishes; one verdict.

A draft with a fault is repaired where that leaves a good piece: a sentence of its body is left out, a headline or a button gives way to a
plain one, a word is replaced as the law's pack says, a closing date or a risk line is added. Else it is refused, with every reason.
`strict` repairs nothing but length. Finding claims is `claims.py`, the law `law.py`, other faults `faults.py`, repair `repair.py`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from copywriting.brief import Brief
from copywriting.channels import Language, typed_plainly
from copywriting.claims import Finding, claims_in, ungrounded
from copywriting.facts import Fact, phrase_facts
from copywriting.faults import length_faults, length_of, shape_faults, text_faults, wish_faults, word_faults
from copywriting.hashtags import hashtags_of
from copywriting.law import Verdict
from copywriting.reading import disguises
from copywriting.repair import additions, fitted, mended
from copywriting.roles import misused
from copywriting.second_reader import suspects
from copywriting.sentences import sentences_of
from copywriting.slots import CLAIM_KINDS, GAP, fill, literals, slots_in, with_gaps
from copywriting.voices import spoken

_REPAIRS = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """A span of the text and the fact behind it: `text[start:end]` says `value`, proved by `source` at `version`. `slot` is None for a word
    that a text of the product proves; `derivation` is the arithmetic of a value that no column holds."""

    slot: str | None
    start: int
    end: int
    value: str
    source: str
    version: int
    kind: str = "name"
    derivation: str = ""


@dataclass(frozen=True, slots=True)
class Copy:
    """Checked copy. `text` is the parts joined by newlines; claim spans are offsets into it. `template` still has its slots. `verdicts` are
    what the law said and what was done about it, advice included."""

    template: str
    text: str
    parts: dict[str, str]
    claims: tuple[Claim, ...]
    repairs: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A draft that may not leave, every reason, and those of the law as verdicts."""

    template: str
    reasons: tuple[str, ...]
    verdicts: tuple[Verdict, ...] = ()


def check(
    template: str, brief: Brief, facts: Mapping[str, Fact], must_not_include: Sequence[str] = (), *, strict: bool = False
) -> Copy | Refusal:
    """Fill and prove one draft. Returns Copy, or Refusal with the reasons."""
    facts = {**facts, **phrase_facts(brief.must_include)}
    lines, worded = _in_the_brands_words(template, brief)
    template = "\n".join(lines)
    if faults := shape_faults(lines, brief, facts):
        verdicts = _verdicts(lines, brief, facts)
        return Refusal(template, tuple(dict.fromkeys((*faults, *map(str, verdicts)))), tuple(verdicts))
    before, held = lines, _lawful(lines, brief, facts, strict)
    if isinstance(held, Refusal):
        return held
    lines, done = held
    added = additions(lines, brief, facts)
    facts |= added.facts
    lines, repairs = fitted(added.lines, brief, facts, added.fixed)
    done += added.verdicts
    if repairs and (left := _verdicts(lines, brief, facts, added.fixed)):  # what was left out may have been the evidence for what stays
        return Refusal(template, tuple(map(str, left)), tuple(left))
    if lines != before and (faults := shape_faults(lines, brief, facts)):
        return Refusal(template, tuple(faults))
    text, spans = fill("\n".join(lines), {slot: fact.text for slot, fact in facts.items()})
    if faults := text_faults(text, brief, must_not_include):
        return Refusal(template, tuple(faults), tuple(done))
    claims = [_claim(span.slot, span.start, span.end, facts[span.slot]) for span in spans]
    claims = sorted([*claims, *_word_claims(text, lines, claims, brief)], key=lambda claim: claim.start)
    repairs = (*worded, *(f"{verdict.action} {verdict.text!r}: {verdict.rule}" for verdict in done if verdict.action != "advice"), *repairs)
    parts: dict[str, str] = dict(zip(brief.channel.parts, text.split("\n"), strict=True))
    return _with_hashtags(Copy("\n".join(lines), text, parts, tuple(claims), repairs, tuple(done)), brief, facts)


def _in_the_brands_words(template: str, brief: Brief) -> tuple[list[str], list[str]]:
    lines = [line.strip() for line in template.strip().split("\n")]
    return spoken(lines, brief.manner, brief.language) if brief.manner else (lines, [])


def check_unfinished(template: str, brief: Brief, facts: Mapping[str, Fact], must_not_include: Sequence[str] = ()) -> str | None:
    """The filled text of a draft that is still being written, where all of it so far may be read; None where it may not, or not yet.
    Nothing is repaired, and a claim that the law wants another line beside waits for that line. What only a whole piece can lack (a part,
    the product's name, a phrase) is not asked for."""
    facts = {**facts, **phrase_facts(brief.must_include)}
    lines = [typed_plainly(line, brief.channel, brief.language) for line in _in_the_brands_words(template, brief)[0]]
    if not all(lines) or len(lines) > len(brief.channel.parts):
        return None
    if word_faults(lines, brief, facts) or _verdicts(lines, brief, facts):
        return None
    owed = additions([*lines, *[""] * (len(brief.channel.parts) - len(lines))], brief, facts)
    if any(verdict.action == "added" for verdict in owed.verdicts):
        return None
    text, _ = fill("\n".join(lines), {slot: fact.text for slot, fact in facts.items()})
    return None if length_faults(text, brief) or wish_faults(text, brief, must_not_include) else text


def get_used_to(pieces: Iterable[tuple[str, Language]]) -> None:
    """Read (template, language) pairs as the check does, so that no request waits for what patterns and readers are made of, or work out
    when they first meet words of a kind. A second or two for a thousand pieces."""
    for template, language in pieces:
        for line in template.split("\n"):
            said = with_gaps(line)
            claims_in(said, language)
            _suspected(said, language)


def _claim(slot: str, start: int, end: int, fact: Fact) -> Claim:
    kind = CLAIM_KINDS.get(slot, "disclosure" if slot.startswith("disclosure") else "name")
    return Claim(slot, start, end, fact.value, fact.source, fact.version, kind, fact.derivation)


def _word_claims(text: str, lines: Sequence[str], filled: Sequence[Claim], brief: Brief) -> list[Claim]:
    """Words between slots that a text of the product proves, where they stand in the filled text."""
    claims = []
    for finding in {finding for line in lines for finding in claims_in(with_gaps(line), brief.language) if finding.word}:
        if (ground := finding.ground(brief.grounds)) is None:
            continue
        for match in re.finditer(re.escape(finding.text), text):
            if not any(claim.start < match.end() and match.start() < claim.end for claim in filled):
                claims.append(
                    Claim(None, match.start(), match.end(), match.group(), f"{ground.source}#{ground.field}", ground.version, finding.kind)
                )
    return claims


def _with_hashtags(copy: Copy, brief: Brief, facts: Mapping[str, Fact]) -> Copy:
    """A line of them where the channel has one and there is room."""
    tags = hashtags_of(facts, brief.language, brief.max_chars - length_of(copy.text)) if brief.channel.hashtags else ()
    if not tags:
        return copy
    text, claims = copy.text + "\n", list(copy.claims)
    for number, (tag, fact) in enumerate(tags):
        text += " " if number else ""
        claims.append(Claim(fact.slot, len(text), len(text) + len(tag), fact.value, fact.source, fact.version))
        text += tag
    return replace(copy, text=text, parts={**copy.parts, "hashtags": text[len(copy.text) + 1 :]}, claims=tuple(claims))


def _lawful(lines: list[str], brief: Brief, facts: Mapping[str, Fact], strict: bool) -> tuple[list[str], list[Verdict]] | Refusal:
    """The lines once every claim in them is proved and lawful, with what was done; a Refusal where no repair leads there."""
    template = "\n".join(lines)
    done: list[Verdict] = []
    for attempt in range(_REPAIRS + 1):
        verdicts = _verdicts(lines, brief, facts)
        if not verdicts:
            return lines, done
        repaired = None if strict or attempt == _REPAIRS else mended(lines, verdicts, brief, facts)
        if repaired is None or shape_faults(repaired.lines, brief, facts):
            return Refusal(template, tuple(dict.fromkeys(map(str, verdicts))), tuple(verdicts))
        lines = repaired.lines
        done += repaired.verdicts
    raise AssertionError("the last attempt returns")


def _verdicts(lines: Sequence[str], brief: Brief, facts: Mapping[str, Fact], fixed: Sequence[str] = ()) -> list[Verdict]:
    """Everything in the words, and in the use of slots, that no fact proves or a law forbids."""
    written = frozenset(slots_in("\n".join(lines)))  # "with a gift" needs the gift itself in the text, not only in the warehouse
    found: list[Verdict] = []
    for line in lines:
        said = with_gaps(line)
        for sentence in fixed:
            said = said.replace(with_gaps(sentence), "")
        found += brief.law.judge(said, ungrounded(said, brief.language, written, brief.grounds), brief.case)
        found += [_role(finding) for finding in misused(line, brief.language)]
        found += _suspected(said, brief.language) if not found else []
        found += [
            Verdict("house.disguise", "plain writing", "disguise", why, 0, "write it plainly")
            for literal in literals(line)
            for why in disguises(literal, brief.language)
        ]
    return found


def _suspected(said: str, language: Language) -> list[Verdict]:
    """Sentences that the second reader takes for a claim. Asked only of a line in which nothing else was found."""
    why, do = "reads like a claim", "say what a slot can prove, or leave it out"
    return [
        Verdict("house.second-reader", why, "suspicion", sentence.replace(GAP, "").strip(), said.index(sentence), do)
        for sentence in sentences_of(said)
        if suspects(sentence.strip(), language)
    ]


def _role(finding: Finding) -> Verdict:
    return Verdict("house.slot-role", "facts by reference", finding.kind, finding.text, finding.start, "say of a value only what it is")


def with_parts_joined(copy: Copy, separator: str) -> Copy:
    """The same copy with its parts joined by another separator of one character, so that spans stay valid."""
    if len(separator) != 1:
        raise ValueError(f"separator {separator!r} must be one character, or claim spans would shift")
    return replace(copy, text=copy.text.replace("\n", separator))
