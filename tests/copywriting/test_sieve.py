"""The sieve before the patterns of claims: it may let too much through, never too little."""

import re
from pathlib import Path

import pytest
import yaml

from copywriting import copybook, word_claims
from copywriting.claims import _sieve
from copywriting.reading import fold
from copywriting.sieve import Sieve, Sieved, loosened
from copywriting.slots import with_gaps

DATA = Path(__file__).parent / "data"
COPYBOOK = Path(__file__).parents[2] / "demo" / "copybook"


@pytest.mark.parametrize(
    ("regex", "looser"),
    [
        ("a(?!b)c", "ac"),
        (r"(?<![(\])])x(?=\))y", "xy"),
        (r"\bnew\b", "new"),
        ("^a$", "a"),
        (r"\w+", r"[0-9A-Za-z_\x{80}-\x{10FFFF}]+"),
        (r"[\w-]", r"[0-9A-Za-z_\x{80}-\x{10FFFF}-]"),
        (r"[^\s]x", "(?s:.)x"),
        (r"\Sx", "(?s:.)x"),
        ("[^a-z]", "[^a-z]"),
        ("[]a]b", "[]a]b"),
        ("(?P<what>a|b)(c)", "(?:a|b)(?:c)"),
        (r"\ue000 ?x", "\ue000 ?x"),
        (r"\.\(", r"\.\("),
    ],
)
def test_a_loosened_pattern_has_no_lookaround_and_wider_classes(regex, looser):
    assert loosened(regex) == looser


def test_a_reference_to_a_group_can_not_be_loosened():
    with pytest.raises(ValueError, match="can't be loosened"):
        loosened(r"(a)\1")


def test_only_patterns_that_may_match_are_asked():
    sieve = Sieve([(Sieved("flu", words=True, ignore_case=True), "flu"), (Sieved("cold(?! tea)", words=True), "cold")])
    assert [name for _, name in sieve.passing("A Flu, a fluke")] == ["flu"]
    assert [name for _, name in sieve.passing("cold tea")] == ["cold"]  # too much, which the pattern itself then sorts out
    assert list(sieve.passing("influence, coldly")) == []


def texts() -> list[str]:
    """Every sentence of the published lists and of the copybook, as the patterns read them."""
    held = [
        yaml.safe_load((DATA / name).read_text(encoding="utf-8")) for name in ("untrue_claims.yaml", "lawful_copy.yaml", "evasions.yaml")
    ]

    def strings(value: object) -> list[str]:
        if isinstance(value, str):
            return [value]
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return [text for each in inner for text in strings(each)]

    return [fold(with_gaps(text)) for text in [*strings(held), *(part for piece in copybook.load(COPYBOOK) for part in piece.parts)]]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_pattern_matches_what_its_sieve_left_out(language):
    held = texts()
    assert len(held) > 8000
    matched = 0
    for sieve in (_sieve(language), word_claims._sieve(language)):
        patterns: list[re.Pattern[str]] = [pattern._regex for pattern, _ in sieve._patterns]
        for text in held[:: 3 if language == "zh" else 2]:
            passed = {pattern._regex for pattern, _ in sieve.passing(text)}
            left_out = [pattern.pattern for pattern in patterns if pattern not in passed and pattern.search(text)]
            assert left_out == [], text
            matched += bool(passed)
    assert matched > 200
