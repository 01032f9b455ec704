"""What `serve/answer.py` promises, one behaviour a test."""

import time

from copywriting.check import Copy, Refusal, check
from copywriting.principles import PRINCIPLES
from copywriting.shopper import Shopper
from serve.answer import build_answer
from serve.exchange import Drafts, Found, ImageMatch, PersuasionScore, SentimentScore
from serve.messages import CopyAnswer, CopyRequest
from serve.ranking import judge
from serve.trace import Candidate, Trace
from tests.fakes import brief_for, facts_for, full_product

PRODUCT = full_product("en-US")


def make_answer(request: CopyRequest | None = None, *, scored: bool = True) -> CopyAnswer:
    facts = facts_for(PRODUCT)
    brief = brief_for(PRODUCT, facts, channel="sms")
    copies = [check(template, brief, facts) for template in ("{name} is {discount}", "Put on {name}")]
    persuasion = PersuasionScore(0.812345, dict.fromkeys(PRINCIPLES, 0.2) | {"value": 0.9, "benefit": 0.6})
    scores = (persuasion, SentimentScore(0.1, 0.2, 0.7), ImageMatch("media/a.jpg", 0.61239)) if scored else (None, None, None)
    judgement = judge(*scores, "warm", None)
    trace = Trace(time.monotonic() + 1, {"total": 12.0}, ["fusion: gone"], Drafts(("a", "b", "c"), 40, 20), [Refusal("c", ("bad",))])
    found = Found(Shopper("ann", None, True), "en-US", ((PRODUCT, 0.123456, "your behaviour"),), None)
    ranked = [(Candidate(copy, "model"), judgement) for copy in copies if isinstance(copy, Copy)]
    return build_answer(request or CopyRequest(channel="sms"), "r", "event", found, brief, ranked, trace, {"clip": "x"})


def test_the_answer_is_what_its_schema_says():
    """It is put together without validation, for speed; this validates it once."""
    answer = make_answer()
    assert CopyAnswer.model_validate_json(answer.model_dump_json()) == answer
    assert CopyAnswer.model_validate_json(make_answer(scored=False).model_dump_json()) == make_answer(scored=False)


def test_the_first_choice_is_chosen_and_variants_have_their_own_ids():
    answer = make_answer()
    assert [choice.variant_id for choice in answer.choices] == ["event-1", "event-2"]
    assert answer.chosen == "event-1"
    assert [choice.probability for choice in answer.choices] == [1.0, 0.0]


def test_claims_travel_with_their_source():
    claim = make_answer().choices[0].claims[1]
    assert (claim.slot, claim.value, claim.source, claim.version) == ("discount", "20%", "products/coat/en-US", 7)


def test_scores_are_rounded_and_reasons_are_the_principles_shown_best_first():
    choice = make_answer().choices[0]
    assert (choice.scores.persuasion, choice.scores.image_fit, choice.scores.sentiment) == (0.8123, 0.6124, 0.8)
    assert choice.reasons == ["persuades by value (0.90)", "persuades by benefit (0.60)"]
    assert choice.image == "media/a.jpg"


def test_without_scores_there_are_no_reasons_and_no_image():
    choice = make_answer(scored=False).choices[0]
    assert (choice.reasons, choice.image, choice.scores.persuasion, choice.scores.sentiment_label) == ([], None, None, None)


def test_the_account_of_the_request():
    answer = make_answer()
    assert answer.usage.model_dump() == {"prompt_tokens": 40, "output_tokens": 20, "cached": False, "drafts": 3, "refused": 1, "alike": 0}
    assert (answer.degraded, answer.versions, answer.timings_ms, answer.personalised) == (
        ["fusion: gone"],
        {"clip": "x"},
        {"total": 12.0},
        True,
    )
    assert answer.label == "AI-generated"
    assert answer.products[0].score == 0.1235


def test_refused_drafts_are_shown_only_on_request():
    assert make_answer().explanation is None
    explained = make_answer(CopyRequest(channel="sms", explain=True)).explanation
    assert [(refused.draft, refused.reasons) for refused in explained.refused] == [("c", ["bad"])]
    assert explained.self_bleu is not None and 0 <= explained.self_bleu <= 100
