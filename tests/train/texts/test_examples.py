"""Training examples: what one piece may be paired with."""

from dataclasses import replace
from random import Random

import pytest
from transformers import AutoTokenizer

from copywriting.channels import CHANNELS
from copywriting.copybook import fits
from copywriting.principles import PRINCIPLES, supported
from copywriting.prompt import COPY_TAG, compact, compact_tags
from copywriting.slots import SLOTS
from copywriting.taxonomy import GENERAL, VERTICALS
from train.generator import collate, encode_example
from train.texts.examples import Shelf, available, example, nearness, random_brief, split
from train.texts.fillers import flat_statement, slot_values
from train.texts.judged_copy import LABELS, damaged, examination, flat, intact
from train.writing.faults import faults_of

DRAWS = 60


def test_split_is_seeded_and_holds_out_at_least_one_piece(pieces):
    training, held_out = split(pieces, 0.25, seed=3)
    assert (training, held_out) == split(pieces, 0.25, seed=3)
    assert {*training, *held_out} == {*pieces}
    assert len(training) + len(held_out) == len(pieces)
    assert len(split(pieces, 1e-9, seed=3)[1]) == 1
    assert {tuple(split(pieces, 0.25, seed=seed)[1]) for seed in range(5)} != {tuple(held_out)}


def test_a_growing_copybook_moves_no_piece_between_training_and_held_out(pieces):
    before, after = split(pieces[:8], 0.3, seed=1), split(pieces, 0.3, seed=1)
    assert {*before[0]} <= {*after[0]}
    assert {*before[1]} <= {*after[1]}


def test_the_same_seed_gives_the_same_example(pieces):
    assert example(pieces[0], Random(5)) == example(pieces[0], Random(5))


def test_a_brief_offers_every_slot_of_its_piece_in_the_vocabulary_order(pieces):
    for piece in pieces:
        for draw in range(DRAWS):
            brief = example(piece, Random(draw)).brief
            assert piece.slots | {"name"} <= set(brief.slots)
            assert list(brief.slots) == [slot for slot in SLOTS if slot in brief.slots]


def test_a_brief_names_the_principles_of_its_piece_and_only_provable_ones(pieces):
    for piece in pieces:
        for draw in range(DRAWS):
            brief = example(piece, Random(draw)).brief
            assert set(piece.principles) <= set(brief.principles) <= set(supported(brief.slots))


def test_a_brief_is_answered_by_a_piece_that_may_be_used_for_it(pieces):
    shelf = Shelf(pieces)
    known = {piece.template: piece for piece in pieces}
    for draw in range(200):
        one = shelf.example(draw % len(pieces), Random(draw))
        piece = known[one.copy]
        assert piece.slots <= set(one.brief.slots)
        assert piece.channel == one.brief.channel.name
        assert piece.kind in (None, one.brief.kind)
        assert piece.occasion in ("everyday", one.brief.occasion)


def test_a_piece_without_its_slots_or_for_another_day_does_not_fit(pieces):
    festive = next(piece for piece in pieces if piece.occasion == "christmas")
    brief = replace(random_brief(Random(1), "en", ["food"]), occasion="christmas", slots=("name", "occasion"), intent=None)
    assert fits(festive, brief)
    assert not fits(festive, replace(brief, slots=("name",)))
    assert not fits(festive, replace(brief, occasion="winter"))
    assert not fits(festive, replace(brief, vertical="toys"))


def test_a_piece_made_for_the_day_and_tone_is_nearer_than_one_that_merely_fits(pieces):
    festive = next(piece for piece in pieces if piece.occasion == "christmas")
    brief = replace(random_brief(Random(1), "en", ["food"]), occasion="christmas", tone=festive.tone, principles=festive.principles)
    other = replace(brief, tone="expert", principles=("authority",))
    assert nearness(festive, brief) > nearness(festive, other) > nearness(festive, replace(other, occasion="winter"))


def test_a_piece_for_one_kind_is_used_for_that_kind_only(pieces):
    tea = next(piece for piece in pieces if piece.kind == "tea")
    assert {example(tea, Random(draw)).brief.kind for draw in range(DRAWS)} == {"tea"}


def test_a_piece_without_a_kind_serves_the_kinds_of_its_vertical(pieces):
    any_kind = next(piece for piece in pieces if piece.kind is None)
    briefs = [example(any_kind, Random(draw)).brief for draw in range(300)]
    assert {brief.kind for brief in briefs if brief.vertical == "food"} == {*VERTICALS["food"], None}
    assert {brief.vertical for brief in briefs} == {"food", GENERAL}


def test_a_festive_piece_keeps_its_day_and_an_everyday_piece_moves(pieces):
    festive = next(piece for piece in pieces if piece.occasion == "christmas")
    everyday = next(piece for piece in pieces if piece.occasion == "everyday")
    assert {example(festive, Random(draw)).brief.occasion for draw in range(DRAWS)} == {"christmas"}
    assert len({example(everyday, Random(draw)).brief.occasion for draw in range(DRAWS)}) > 3


def test_prices_come_with_their_references_and_ratings_with_their_counts():
    for draw in range(200):
        slots = available(Random(draw), "everyday")
        assert "name" in slots
        assert "price" in slots or not slots & {"list_price", "offer", "offer.ends", "gift", "also.price", "total"}
        assert ("discount" in slots) == ("list_price" in slots) == ("saving" in slots)
        assert ("rating" in slots) == ("rating_count" in slots)
        assert "occasion" not in slots


def test_many_products_are_as_bare_as_a_merchants_catalogue():
    drawn = [available(Random(draw), "everyday") - {"shopper.name", "shopper.city", "recent"} for draw in range(500)]
    assert 30 < sum(slots <= {"name", "price", "brand"} for slots in drawn) < 250
    assert any(slots == {"name"} for slots in drawn)


def test_loss_is_on_the_copy_and_its_end_only(pieces, tokenizer_directory):
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_directory)
    one = example(pieces[0], Random(1))
    tokens, labels = encode_example(one, tokenizer=tokenizer, style="compact")
    learned = [label for label in labels if label >= 0]
    assert tokenizer.decode(tokens[: len(tokens) - len(learned)]) == compact(one.brief)
    assert tokenizer.decode(learned, skip_special_tokens=True) == one.copy
    assert learned[-1] == tokenizer.eos_token_id


def test_collate_pads_on_the_right_without_labels():
    batch = collate([([5, 6, 7], [-100, 6, 7]), ([5], [-100])], pad=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [5, 0, 0]]
    assert batch["labels"].tolist() == [[-100, 6, 7], [-100, -100, -100]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]


def test_tags_and_slots_are_one_token_each_and_slots_survive_decoding(pieces, tokenizer_directory):
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_directory)
    assert all(len(tokenizer(tag)["input_ids"]) == 1 for tag in compact_tags())
    assert all(len(tokenizer(f"{{{slot}}}")["input_ids"]) == 1 for slot in SLOTS)
    for piece in pieces:
        ids = tokenizer(COPY_TAG + piece.template)["input_ids"]
        assert tokenizer.decode(ids, skip_special_tokens=True) == piece.template


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_slot_can_be_filled_plausibly(language):
    values = slot_values(language, "christmas", Random(1))
    assert values.keys() == SLOTS.keys()
    assert all(values.values())
    assert values == slot_values(language, "christmas", Random(1))
    assert flat_statement(language, Random(1))


def test_intact_copy_carries_its_tags_and_flat_copy_none(pieces):
    whole, plain = intact(pieces[0], Random(1)), flat(pieces[0], Random(1))
    assert {name for name, label in zip(LABELS, whole.labels, strict=True) if label} == {*pieces[0].principles, "persuasive"}
    assert set(plain.labels) == {0.0}
    assert "{" not in whole.text + plain.text


def test_damage_changes_the_text_and_leaves_principles_unknown(pieces):
    for draw in range(DRAWS):
        one = damaged(pieces, draw % len(pieces), Random(draw))
        assert one.text
        assert one.labels == (-1.0,) * len(PRINCIPLES) + (0.0,)


def test_the_examination_is_always_the_same(pieces):
    assert examination(pieces, 1) == examination(pieces, 1)
    assert len(examination(pieces, 1)) == 2 * len(pieces)


def test_faults_of_a_sample_are_named():
    brief = random_brief(Random(2), "en")
    whole = "\n".join("{name} here" for _ in CHANNELS[brief.channel.name].parts)
    assert faults_of(brief, whole) == []
    assert "parts" in faults_of(brief, whole + "\nmore")
    assert "language" in faults_of(brief, whole.replace("here", "在这里"))
    assert "damaged" in faults_of(brief, whole.replace("here", "\ufffd"))
