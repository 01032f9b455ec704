"""What `copywriting/copybook.py` promises, one behaviour a test."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from copywriting.channels import CHANNELS
from copywriting.check import Copy
from copywriting.check import check as check_draft
from copywriting.copybook import Piece, check, load
from copywriting.facts import Fact
from copywriting.slots import SLOTS
from copywriting.taxonomy import GENERAL, INTENTS, VERTICALS
from tests.fakes import COPYBOOK, brief_for, make_product

GOOD = {
    "channel": "banner", "tone": "warm", "occasion": "everyday",
    "principles": ["benefit"], "headline": "{name} for the walk home", "cta": "See it",
}  # fmt: skip


@pytest.fixture(scope="module")
def pieces() -> tuple[Piece, ...]:
    return load(COPYBOOK)


def write(directory: Path, *entries: object, vertical: str = "fashion", locale: str = "en") -> Path:
    document = {"vertical": vertical, "locale": locale, "pieces": list(entries)}
    (directory / "fashion.en.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return directory


def test_there_are_at_least_a_thousand_pieces_half_in_each_language(pieces):
    counts = Counter(piece.language for piece in pieces)
    assert len(pieces) >= 1000
    assert min(counts["zh"], counts["en"]) > 0.45 * len(pieces)


def test_every_vertical_has_every_channel_in_both_languages(pieces):
    there = {(piece.vertical, piece.language, piece.channel) for piece in pieces}
    assert {(v, lang, c) for v in (*VERTICALS, GENERAL) for lang in ("zh", "en") for c in CHANNELS} <= there


def test_every_intent_is_answered_in_every_vertical_that_chats(pieces):
    there = {(piece.vertical, piece.language, piece.intent) for piece in pieces if piece.channel == "chat_reply"}
    assert {(GENERAL, language, intent) for language in ("zh", "en") for intent in INTENTS} <= there


def test_every_piece_passes_the_check_when_its_slots_have_values(pieces):
    refused = {}
    for piece in pieces:
        column = 0 if piece.language == "zh" else 1
        facts = {slot: Fact(slot, "x" * SLOTS[slot].width[column], "x", "test", 1) for slot in piece.slots}
        product = make_product(locale="zh-CN" if piece.language == "zh" else "en-US", vertical=piece.vertical)
        brief = brief_for(product, facts, channel=piece.channel, tone=piece.tone, occasion=piece.occasion, intent=piece.intent)
        verdict = check_draft(piece.template, brief, facts)
        if not isinstance(verdict, Copy) or verdict.repairs:
            refused[piece.piece_id] = verdict
    assert refused == {}


def test_no_piece_of_the_copybook_has_a_fault_or_a_twin():
    assert check(COPYBOOK) == []


def test_a_good_piece_has_no_fault(tmp_path):
    write(tmp_path, GOOD)
    assert check(tmp_path) == []
    (piece,) = load(tmp_path)
    assert (piece.piece_id, piece.template, piece.slots) == ("fashion.en#1", "{name} for the walk home\nSee it", {"name"})


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"body": "more"}, "key 'body' does not belong in a banner piece; remove it"),
        ({"cta": " "}, "cta is empty"),
        ({"tone": "loud"}, "tone 'loud'; use one of"),
        ({"occasion": "easter"}, "occasion 'easter'; use one of"),
        ({"kind": "tea"}, "kind 'tea'; use one of"),
        ({"intent": "price"}, "intent 'price'; chat_reply needs one of"),
        ({"channel": "chat_reply", "headline": None, "cta": None, "body": "{name} it is"}, "intent None; chat_reply needs one of"),
        ({"principles": []}, "name one or more of"),
        ({"principles": ["fear"]}, "principles ['fear']"),
        ({"headline": "{name} with {surprise}"}, "unknown slot {surprise}"),
        ({"headline": "{name} at 9"}, "'9' in ' at 9'"),
        ({"headline": "{name} at ９"}, "digits, currency, percent and braces only inside slots"),
        ({"headline": "{name} for €"}, "'€'"),
        ({"headline": "{name} {Price}"}, "'{'"),
        ({"principles": ["scarcity"]}, "principle scarcity without its evidence; use one of ('stock', 'offer.ends')"),
        ({"cta": "Take a long slow look at it"}, "banner allows 25"),
        ({"headline": "{name} 回家"}, "text is not in en"),
    ],
)
def test_each_fault_of_a_piece_is_named(tmp_path, change, fault):
    entry = {key: value for key, value in (GOOD | change).items() if value is not None}
    write(tmp_path, GOOD, entry)
    faults = [line for line in check(tmp_path) if "alike" not in line]
    assert len(faults) == 1, faults
    assert faults[0].startswith("fashion.en#2: ")
    assert fault in faults[0]
    with pytest.raises(ValueError, match=r"fashion\.en#2: "):
        load(tmp_path)


def test_twins_are_named(tmp_path):
    write(tmp_path, GOOD, GOOD | {"cta": "See it now"})
    (fault,) = check(tmp_path)
    assert fault.startswith("fashion.en#1 and fashion.en#2 are ")
    assert fault.endswith("alike; rewrite one")


@pytest.mark.parametrize("entry", [{**GOOD, "channel": "fax"}, {"tone": "warm"}, "not a piece"])
def test_an_entry_without_a_known_channel_is_refused(tmp_path, entry):
    with pytest.raises(ValueError, match=r"fashion\.en#1: channel must be one of"):
        load(write(tmp_path, entry))


@pytest.mark.parametrize(("vertical", "locale"), [("boats", "en"), ("fashion", "fr")])
def test_a_file_of_an_unknown_vertical_or_language_is_refused(tmp_path, vertical, locale):
    with pytest.raises(ValueError, match=f"fashion.en.yaml: vertical '{vertical}', locale '{locale}'; use one of"):
        load(write(tmp_path, GOOD, vertical=vertical, locale=locale))


@pytest.mark.parametrize(
    "text", ["", "just text", "vertical: fashion", "vertical: fashion\nlocale: en\n", "- a list", "vertical: [fashion"]
)
def test_a_file_that_is_no_copybook_is_refused_by_name(tmp_path, text):
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"broken\.yaml"):
        load(tmp_path)


def test_a_directory_without_a_copybook_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no \*\.yaml files; name a directory that holds a copybook"):
        load(tmp_path)
