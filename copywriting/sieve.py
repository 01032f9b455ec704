"""Regular expressions over copy that rarely match: RE2 looks first, in one pass and in linear time, with a looser pattern.

Python's engine tries every alternative of a long list at every character; RE2 does not, but has no lookaround. So each pattern is loosened
(lookarounds and word boundaries left out, classes widened) to one that matches whenever the real one does; only then is the real one asked.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Generic, TypeVar

import re2

_ZERO_WIDTH = frozenset("bBAZ")
_WIDER = {"w": r"0-9A-Za-z_\x{80}-\x{10FFFF}", "s": r"\s\pZ\x1c-\x1f\x85", "d": r"0-9\x{660}-\x{10FFFF}"}
"""Python's classes know all of Unicode, RE2's the ASCII of it. Everything beyond ASCII is a quarter of the automaton that \\pL is."""
_ANY = "(?s:.)"
_MEMORY = 256 << 20
"""Bytes that RE2 may keep of what it has worked out."""

Of = TypeVar("Of")


def loosened(regex: str) -> str:
    """A pattern for RE2 that matches in every text in which `regex` does. Raises ValueError for what it can't loosen."""
    regex = re.sub(r"\\u([0-9a-f]{4})", lambda match: re.escape(chr(int(match.group(1), 16))), regex)
    out: list[str] = []
    at = 0
    while at < len(regex):
        if regex.startswith(("(?=", "(?!", "(?<=", "(?<!"), at):
            at = _end_of_group(regex, at)
        elif named := re.compile(r"\(\?P<\w+>|\((?!\?)").match(regex, at):
            out.append("(?:")  # RE2 finds groups for a price, and a name only once
            at = named.end()
        elif regex[at] == "[":
            end = _end_of_class(regex, at)
            out.append(_class(regex[at:end]))
            at = end
        elif regex[at] == "\\":
            out.append(_escape(regex[at + 1]))
            at += 2
        elif regex[at] in "^$":
            at += 1
        else:
            out.append(regex[at])
            at += 1
    return "".join(out)


def _escape(letter: str) -> str:
    if letter in _ZERO_WIDTH:
        return ""
    if letter.isdigit():
        raise ValueError(f"\\{letter}: a reference to a group can't be loosened; use re.compile")
    if letter in "WSD":
        return _ANY
    return f"[{_WIDER[letter]}]" if letter in _WIDER else f"\\{letter}"


def _class(held: str) -> str:
    if "\\" not in held:
        return held
    if held.startswith("[^"):
        return _ANY
    letters = re.findall(r"\\(.)", held)
    if set(letters) & set("WSD"):
        return _ANY
    return re.sub(r"\\(.)", lambda match: _WIDER.get(match.group(1), match.group()), held)


def _end_of_class(regex: str, at: int) -> int:
    place = at + (2 if regex.startswith("[^", at) else 1) + 1  # a bracket that comes first is a member
    while regex[place] != "]":
        place += 2 if regex[place] == "\\" else 1
    return place + 1


def _end_of_group(regex: str, at: int) -> int:
    depth, place = 0, at
    while True:
        if regex[place] == "\\":
            place += 1
        elif regex[place] == "[":
            place = _end_of_class(regex, place) - 1
        elif regex[place] == "(":
            depth += 1
        elif regex[place] == ")":
            depth -= 1
            if depth == 0:
                return place + 1
        place += 1


class Sieved:
    """A pattern as `re` has it, and a looser one for RE2. With `words` it matches whole words of Latin letters only."""

    def __init__(self, regex: str, *, words: bool = False, ignore_case: bool = False) -> None:
        bounded = rf"(?<![A-Za-z])(?:{regex})(?![A-Za-z])" if words else regex
        self._regex = re.compile(bounded, re.IGNORECASE if ignore_case else 0)
        case = "(?i)" if ignore_case else ""
        looser = loosened(regex)
        self.looser = f"(?:{case}(?:^|[^A-Za-z])(?:{looser})(?:$|[^A-Za-z]))" if words else f"(?:{case}{looser})"

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Every match, as `re` finds them. For a text that passed the sieve."""
        return self._regex.finditer(text)


class Sieve(Generic[Of]):
    """Many patterns, each of something: one pass over a text tells which of them may match."""

    def __init__(self, patterns: Sequence[tuple[Sieved, Of]]) -> None:
        self._patterns = tuple(patterns)
        self._any = _re2("|".join(pattern.looser for pattern, _ in patterns))
        self._each = re2.Set.SearchSet(_options())
        for pattern, _ in patterns:
            self._each.Add(pattern.looser)
        self._each.Compile()

    def passing(self, text: str) -> Iterator[tuple[Sieved, Of]]:
        """Those that may match, in order; all others don't."""
        if self._any.search(text) is None:
            return
        which = self._each.Match(text)  # empty where it ran out of memory
        for number in sorted(which) if which else range(len(self._patterns)):
            yield self._patterns[number]


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    return options


@cache
def _re2(regex: str) -> "re2._Regexp":
    return re2.compile(regex, options=_options())
