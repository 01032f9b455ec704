"""What is wrong with a draft whatever the law says, each fault in words: shape, language, length, manners, the wishes of its caller."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from copywriting.agreement import disagreement, is_plural
from copywriting.brief import Brief
from copywriting.channels import Language, units_of
from copywriting.facts import Fact
from copywriting.intents import ANSWERS
from copywriting.reading import fold
from copywriting.roles import of_a_pair, unpaired
from copywriting.slots import literals, slots_in

_HAN = re.compile(r"[\u3005\u3007\u3400-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ſ]")
_DANGLING = re.compile(r"[,，、:：(（\-—]$|(?:^|\s)(?:a|an|the|and|or|of)$", re.IGNORECASE)
_STUTTER = re.compile(r"(\S{4,}?)\s*\1", re.IGNORECASE)
_TRIPLED = re.compile(r"([\u4e00-\u9fff])(?<![哈啊呵嘿啦嘻嘀嗒])\1\1")
_SAID_AGAIN = re.compile(r"(\{[a-z_.]+\})[,，、:： ]{0,2}(?:with|and|in|by|from|for|at|配|和|与|加|还有)? ?\1")
"""{name}, with {name}: the second stands where another fact should."""
_BRACKETS = ("【】", "「」", "『』", "《》", "（）", "()", "“”")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PAIR = 2
_SHOUTED = re.compile(r"(?<![A-Za-z])[A-Z]{5,}(?![A-Za-z])")


def shape_faults(lines: Sequence[str], brief: Brief, facts: Mapping[str, Fact]) -> list[str]:
    """Faults that make filling impossible or pointless."""
    parts = brief.channel.parts
    if len(lines) != len(parts) or not all(lines):
        return [f"{len(lines)} part(s), {brief.channel.name} has {list(parts)}"]
    template = "\n".join(lines)
    written = frozenset(slots_in(template))
    faults = [] if "name" in written else ["does not name the product"]
    faults += [f"breaks off: …{line[-20:]!r}" for line in lines if _DANGLING.search(line)]
    faults += [f"opens or closes {pair!r} alone" for pair in _BRACKETS for line in lines if line.count(pair[0]) != line.count(pair[1])]
    return faults + word_faults(lines, brief, facts) + _sense_faults(template, written, brief, facts)


def word_faults(lines: Sequence[str], brief: Brief, facts: Mapping[str, Fact]) -> list[str]:
    """Faults of the words that are there, whatever else a draft has or lacks."""
    template = "\n".join(lines)
    faults = [f"slot {{{slot}}} has no fact" for slot in dict.fromkeys(slots_in(template)) if slot not in facts]
    if not in_language(template, brief.language):
        faults.append(f"not in {brief.language}")
    said = fold("".join(literals(template))).casefold()
    faults += [f"repeats {mark!r}, words of others" for mark in sorted(brief.withheld) if mark in said]
    faults += _competitors(template, brief)
    faults += [f"slot {{{slot}}} without {{also}}, the product that it is about" for slot in unpaired(frozenset(slots_in(template)))]
    if brief.together > _PAIR and "also" in slots_in(template):
        faults += [f"{word!r} of {brief.together} products" for word in of_a_pair("\n".join(literals(template)), brief.language)]
    for line in lines:
        faults += ["a brace outside a slot" for literal in literals(line) if set("{}") & set(fold(literal))]
        if any(_STUTTER.search(literal) or _TRIPLED.search(literal) for literal in literals(line)) or _SAID_AGAIN.search(line):
            faults.append("repeats itself")
        if "  " in line:
            faults.append("leaves something out: two blanks in a row")
        if any(_SHOUTED.search(literal) for literal in literals(line)):
            faults.append("shouts: a word in capitals")
        if _CONTROL.search(line):
            faults.append("holds a control character")
    return faults


def _sense_faults(template: str, written: frozenset[str], brief: Brief, facts: Mapping[str, Fact]) -> list[str]:
    """What would leave a reader without an answer, or wince."""
    faults = []
    answers = set(ANSWERS.get(brief.intent or "", ())) & facts.keys()
    if answers and written.isdisjoint(answers):
        faults.append(f"the shopper asked about {brief.intent}: no {sorted(answers)} in the reply")
    for slot in _plural_names(brief, facts):
        if verb := disagreement(template, slot):
            faults.append(f"{verb!r} after the plural {facts[slot].text!r}")
    return faults


def _plural_names(brief: Brief, facts: Mapping[str, Fact]) -> list[str]:
    """Slots of English names in the plural, a list of several among them. A book's title is singular: "Corner Noodles is"."""
    if brief.language != "en":
        return []
    names = {slot: facts[slot].text for slot in ("name", "also") if slot in facts and brief.vertical != "books"}
    return [slot for slot, name in names.items() if is_plural(name) or (slot == "also" and brief.together > _PAIR)]


def text_faults(text: str, brief: Brief, must_not_include: Sequence[str]) -> list[str]:
    """Faults of a whole filled text: its length, and the caller's wishes."""
    folded = fold(text).casefold()
    faults = length_faults(text, brief) + wish_faults(text, brief, must_not_include)
    return faults + [f"must include {phrase!r}" for phrase in brief.must_include if fold(phrase).casefold() not in folded]


def length_faults(text: str, brief: Brief) -> list[str]:
    """What is longer than the channel allows, in a whole text or an unfinished one."""
    faults = []
    length = units_of(text.replace("\n", ""), brief.channel, brief.language)
    if length > brief.max_chars:
        faults.append(f"{length} characters, {brief.channel.name} allows {brief.max_chars}")
    for part, line in zip(brief.channel.parts, text.split("\n"), strict=False):  # of an unfinished draft there are fewer lines
        if len(line) > (limit := brief.channel.limit_of(part, brief.language)):
            faults.append(f"{part} of {len(line)} characters, {brief.channel.name} allows {limit}")
    return faults


def wish_faults(text: str, brief: Brief, must_not_include: Sequence[str]) -> list[str]:
    """What the caller, the brand or decency towards competitors does not want said."""
    folded = fold(text).casefold()
    faults = [f"must not include {phrase!r}" for phrase in must_not_include if fold(phrase).casefold() in folded]
    if brief.manner:
        faults += [f"the brand never says {word!r}" for word in brief.manner.never if _says(folded, fold(word).casefold(), brief.language)]
    return _competitors(text, brief) + faults


def _competitors(text: str, brief: Brief) -> list[str]:
    folded = fold(text).casefold()
    return [f"names the competitor {name!r}" for name in brief.unnamable if _names(folded, fold(name).casefold())]


def _says(folded: str, word: str, language: Language) -> bool:
    return word in folded if language == "zh" else _names(folded, word)


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
    other = _LATIN.sub("", _HAN.sub("", words))
    foreign = not other.isascii() and any(unicodedata.category(c)[0] in "LM" for c in other)
    return not foreign and (han == 0 and latin > 0 if language == "en" else han > 0 and han * 2 > latin)
