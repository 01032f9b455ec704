"""The judge of the 200 answers can say no: it believes nothing that an answer says of itself."""

from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.answers import faults_of, figures_of, template_of
from copywriting.diversity import distinct
from copywriting.facts import facts_of
from copywriting.slots import fill
from retrieval.catalogue import Catalogue
from tests.fakes import make_piece, make_product, product_rows

COAT = make_product(locale="en-US", stock=7, rating=4.8, rating_count=1284)


@pytest.fixture
def catalogue(tmp_path) -> Catalogue:
    return Catalogue(product_rows([COAT]), tmp_path)


def answer_of(*choices: dict[str, Any]) -> dict[str, Any]:
    usage = {"drafts": 6, "refused": 0}
    return {
        "locale": "en-US",
        "channel": "sms",
        "products": [{"product_id": "coat"}],
        "choices": list(choices),
        "usage": usage,
        "degraded": [],
    }


def choice_of(template: str, origin: str = "model") -> dict[str, Any]:
    """A choice as the graph writes it."""
    facts = facts_of(COAT, locale="en-US", now=datetime.now(UTC))
    text, spans = fill(template, {slot: fact.text for slot, fact in facts.items()})
    claims = [
        {
            "slot": s.slot,
            "start": s.start,
            "end": s.end,
            "value": facts[s.slot].value,
            "source": facts[s.slot].source,
            "version": facts[s.slot].version,
        }
        for s in spans
    ]
    return {"text": text, "claims": claims, "origin": origin, "reasons": []}


def test_what_the_catalogue_says_is_no_fault(catalogue):
    choice = choice_of("{name}, {price}: {stock} left, rated {rating} by {rating_count} shoppers.")
    assert faults_of(answer_of(choice), choice, catalogue) == []


@pytest.mark.parametrize("changed", [{"value": "1"}, {"source": "products/other/en-US"}, {"version": 99}, {"slot": "stock"}])
def test_a_claim_that_the_catalogue_does_not_make_proves_nothing(catalogue, changed):
    choice = choice_of("{name}, {price}.")
    choice["claims"][1] |= changed
    assert faults_of(answer_of(choice), choice, catalogue) == ["ungrounded_number"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Spruce wool coat: 95% off, only $1 today!", "ungrounded_number"),
        ("Spruce wool coat, {price}", "unfilled_slot"),
        ("A coat for the winter", "product_not_named"),
        ("Spruce wool coat 大衣", "wrong_language"),
        ("Spruce wool coat" + " and so on" * 20, "over_limit"),
    ],
)
def test_each_fault_is_found_whatever_the_claims_cover(catalogue, text, fault):
    whole = {"slot": "price", "start": 0, "end": len(text), "value": "500.00", "source": "products/coat/en-US", "version": 7}
    choice = {"text": text, "claims": [whole], "origin": "model", "reasons": []}
    assert fault in faults_of(answer_of(choice), choice, catalogue)


def test_a_fault_of_any_choice_counts_and_recited_pieces_are_counted(catalogue):
    piece = make_piece("Put on {name} and go, for {price}", "en")
    recited, own, bad = choice_of(piece.template), choice_of("{name} is {price}"), choice_of("{name}", "template")
    bad["text"] += " 9"
    figures = figures_of([answer_of(recited, own, bad)], catalogue, [piece])
    assert (figures["ungrounded_number_answers"], figures["verbatim_percent"], figures["choices_per_answer"]) == (1, 50.0, 3.0)


def test_the_template_of_a_choice_is_what_was_filled():
    template = "{name}, {price}: {stock} left"
    assert template_of(choice_of(template)) == template


def test_distinct_n_is_one_where_no_pair_comes_twice_and_less_where_one_does():
    assert distinct(["a b c"], "en") == 1
    assert distinct(["a b", "a b"], "en") == 0.5


@pytest.mark.parametrize(("name", "faults"), [("wool coat", []), ("coat wool", ["product_not_named"]), ("fur coat", ["product_not_named"])])
def test_a_name_may_be_shorter_but_of_its_own_words_in_their_order(catalogue, name, faults):
    claim = {"slot": "name", "start": 0, "end": len(name), "value": COAT.name, "derivation": f"shortened from {COAT.name!r}"}
    choice = {"text": f"{name}, for walks", "claims": [claim], "origin": "model", "reasons": []}
    assert faults_of(answer_of(choice), choice, catalogue) == faults
