"""What `serve/pipeline.py` makes of a shopper's reviews and of the market, one behaviour a test."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from copywriting.market import MarketRow
from copywriting.shopper import Event, Shopper
from serve.messages import CopyRequest
from tests.fake_stages import FakeStages
from tests.fakes import NOW, make_product
from tests.serve.pipelinekit import COAT, GOOD, answer_of, make_pipeline

DOUBTFUL = (Event("review", "jacket", NOW - timedelta(days=3), 2.0, None, "面料太薄了，我很失望"),)
LIN = Shopper("lin", "zh-CN", True, events=DOUBTFUL)
RIVAL = MarketRow(date(2026, 1, 1), date(2026, 1, 31), "zh-CN", "competitor_promotion", "冬装上新", "北岭衣橱", "outerwear", 30.0)
ANNIVERSARY = MarketRow(date(2026, 1, 10), date(2026, 1, 20), "zh-CN", "holiday", "店庆周")


def with_found(stages: FakeStages, **changes) -> FakeStages:
    stages.found = replace(stages.found, **changes)
    return stages


def doubtful(shopper: Shopper = LIN) -> FakeStages:
    return with_found(FakeStages(COAT, GOOD, shopper=shopper), shelves={"jacket": ("fashion", "outerwear")})


async def test_copy_that_answers_a_doubt_with_a_proved_fact_says_so():
    answer = await answer_of(doubtful(), explain=True)
    assert answer.explanation.doubts == ["fabric"]
    reasons = {choice.text: choice.reasons for choice in answer.choices}
    answering = [text for text, given in reasons.items() if "answers the doubt about fabric and material with 羊毛" in given]
    assert answering == [text for text in reasons if text.startswith("羊毛的")]
    assert len(answering) == 1


async def test_copy_that_answers_a_doubt_comes_before_copy_as_good():
    drafts = ("{color}的{name}在等你", "{material}的{name}，{price}")
    settled = await answer_of(with_found(FakeStages(COAT, drafts), shopper=LIN, shelves={"jacket": ("fashion", "outerwear")}))
    unknown = await answer_of(FakeStages(COAT, drafts))
    assert settled.choices[0].text.startswith("羊毛")
    assert unknown.choices[0].text.startswith("藏青色")


async def test_without_consent_there_are_no_concerns():
    answer = await answer_of(doubtful(Shopper("lin", "zh-CN", False, events=DOUBTFUL)), explain=True)
    assert answer.explanation.doubts == answer.explanation.likings == []
    assert not [reason for choice in answer.choices for reason in choice.reasons if "doubt" in reason]


async def test_words_of_a_review_reach_neither_a_model_nor_the_answer():
    stages = doubtful()
    pipeline = make_pipeline(stages, prompt_style="chat")
    answer = await pipeline.answer(CopyRequest(channel="sms", product_id="coat", explain=True), "request-1", NOW)
    (query,) = stages.calls["generator"]
    prompt = "\n".join(message["content"] for message in query.prompts[0])
    assert "has doubted: fabric and material" in prompt
    for words in ("太薄", "失望"):
        assert words not in prompt + answer.model_dump_json()


async def test_a_merchants_holiday_takes_the_place_of_the_calendars_occasion():
    for market, occasion in (((), "winter"), ((ANNIVERSARY,), "店庆周")):
        answer = await answer_of(with_found(FakeStages(COAT, GOOD), market=market), explain=True)
        assert answer.explanation.occasion == occasion
    named = await answer_of(with_found(FakeStages(COAT, ["{occasion}，{name}在等你"]), market=(ANNIVERSARY,)), n=1)
    assert named.choices[0].text == "店庆周，云杉羊毛大衣在等你"
    assert [(claim.slot, claim.source) for claim in named.choices[0].claims] == [("occasion", "market"), ("name", "products/coat/zh-CN")]


async def test_an_occasion_in_the_request_comes_before_both():
    answer = await answer_of(with_found(FakeStages(COAT, GOOD), market=(ANNIVERSARY,)), explain=True, occasion="qixi")
    assert answer.explanation.occasion == "qixi"


async def test_the_row_holds_on_the_day_in_the_market():
    stages = with_found(FakeStages(COAT, GOOD), market=(ANNIVERSARY,))
    for hour, occasion in ((15, "店庆周"), (16, "spring_festival")):  # midnight in Shanghai; the festival's window opens on the 27th
        row = replace(ANNIVERSARY, until=date(2026, 1, 30))
        answer = await make_pipeline(with_found(stages, market=(row,))).answer(
            CopyRequest(channel="sms", product_id="coat", explain=True), "request-1", datetime(2026, 1, 30, hour, tzinfo=UTC)
        )
        assert answer.explanation.occasion == occasion


async def test_a_competitor_is_told_to_the_writer_without_a_name_and_never_in_copy():
    stages = with_found(FakeStages(COAT, ("比北岭衣橱暖，{name}", *GOOD)), market=(RIVAL,))
    pipeline = make_pipeline(stages, prompt_style="chat")
    answer = await pipeline.answer(CopyRequest(channel="sms", product_id="coat", explain=True), "request-1", NOW)
    (query,) = stages.calls["generator"]
    assert "a competitor promotes this category at 30 % off until 31 January" in query.prompts[0][-1]["content"]
    assert "北岭衣橱" not in str(query.prompts)
    assert answer.explanation.market == ["a competitor promotes this category at 30 % off until 31 January"]
    assert [refused.reasons for refused in answer.explanation.refused] == [["names the competitor '北岭衣橱'"]]
    assert not [choice for choice in answer.choices if "北岭" in choice.text or "30" in choice.text]
    discounted = next(choice for choice in answer.choices if "8折" in choice.text)
    assert "answers a competitor's promotion with 8折" in discounted.reasons


@pytest.mark.parametrize("kind", ["tea", None])
async def test_a_promotion_of_another_category_says_nothing(kind: str | None):
    product = make_product(vertical="food", kind=kind)
    answer = await answer_of(with_found(FakeStages(product, GOOD), market=(RIVAL,)), explain=True)
    assert answer.explanation.market == []
