"""The published lists, a sample of each in every run; `python -m benchmarks.claims` goes through all of them."""

import random

import pytest

from copywriting.check import Copy, check
from tests.copywriting.mutations import COUNT, EVASIONS, brief_of, lawful, listed_untrue, page_of, written

BRIEFS = {(language, channel): brief_of(language, channel) for language in ("zh", "en") for channel in ("product_page", "sms")}


@pytest.mark.parametrize(("name", "count"), [("mutated.jsonl", COUNT), ("evaded.jsonl", EVASIONS)])
def test_what_is_published_does_not_escape(name, count):
    pieces = list(written(name))
    assert len(pieces) == count == len({piece.template for piece in pieces})
    for piece in random.Random(1).sample(pieces, 400):
        verdict = check(piece.template, *BRIEFS[piece.language, piece.channel])
        assert not (isinstance(verdict, Copy) and piece.text in verdict.template), piece


@pytest.mark.parametrize("language", ["zh", "en"])
def test_lawful_copy_is_left_alone(language):
    carrier = "{name}。" if language == "zh" else "Here is {name}. "
    bodies = [body if "{name}" in body else carrier + body for body in lawful(language)]
    verdicts = [check(page_of(body, language), *BRIEFS[language, "product_page"]) for body in bodies]
    changed = [v for v in verdicts if not isinstance(v, Copy) or any(each.action in ("cut", "replaced") for each in v.verdicts)]
    assert len(changed) <= 0.02 * len(bodies), changed


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_kind_of_claim_has_its_list(language):
    kinds = listed_untrue(language)
    assert len(kinds) == 16
    assert all(len(sentences) >= 70 for sentences in kinds.values())
