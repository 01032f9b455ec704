"""What `serve/pipeline.py` promises of a whole answer, one behaviour a test."""

import asyncio
import subprocess
import sys
from dataclasses import replace

import pytest

from copywriting.shopper import Shopper
from serve.errors import Problem
from serve.exchange import Drafts
from serve.messages import CopyRequest
from tests.fake_stages import FakeStages
from tests.fakes import NOW, ROOT, full_product, make_product
from tests.serve.pipelinekit import COAT, GOOD, answer_of, make_pipeline, written


async def test_an_answer_has_everything_that_was_asked_for():
    stages = FakeStages(COAT, GOOD)
    answer = await answer_of(stages)
    assert len(answer.choices) == 4
    assert answer.degraded == answer.notices == []
    assert (answer.request_id, answer.locale, answer.channel, answer.personalised) == ("request-1", "zh-CN", "sms", False)
    assert answer.chosen == answer.choices[0].variant_id
    assert {choice.origin for choice in answer.choices} == {"model"}
    assert answer.versions == {"generator": "abc"}
    assert (answer.usage.drafts, answer.usage.refused, answer.usage.prompt_tokens) == (4, 0, 40)
    assert answer.timings_ms.keys() == {"retrieval", "retrieval_search", "generation", "check", "scoring", "total"}
    assert answer.explanation is None
    (first,) = [choice for choice in answer.choices if "8折" in choice.text]
    assert first.text == "云杉羊毛大衣，8折，到1月31日"
    assert [first.text[claim.start : claim.end] for claim in first.claims] == ["云杉羊毛大衣", "8折", "1月31日"]
    assert (first.image, first.scores.image_fit, first.scores.sentiment_label) == ("media/coat.jpg", 0.6, "positive")


async def test_the_more_persuasive_copy_comes_first():
    answer = await answer_of(FakeStages(COAT, GOOD, persuasive={"路灯": 0.99, "镜子": 0.01}))
    assert "路灯" in answer.choices[0].text
    assert [choice.probability for choice in answer.choices] == [1, 0, 0, 0]
    assert answer.choices[0].scores.persuasion == 0.99


@pytest.mark.parametrize("n", [1, 2, 8])
async def test_at_most_n_choices(n):
    answer = await answer_of(FakeStages(COAT, GOOD), n=n)
    assert len(written(answer)) == min(n, len(GOOD))
    assert len(answer.choices) == min(n, len(GOOD) + 2)  # the copybook has two pieces for the places that are left


async def test_a_shopper_never_seen_is_answered_with_a_notice():
    answer = await answer_of(FakeStages(COAT, GOOD, new_shopper=True), shopper_id="zed")
    (notice,) = answer.notices
    assert (notice.field, notice.value) == ("shopper_id", "zed")
    assert notice.remedy


async def test_a_principle_that_no_fact_proves_is_said_so():
    answer = await answer_of(FakeStages(make_product(stock=500), GOOD[1:3]), principles=["scarcity", "benefit"], explain=True)
    (notice,) = answer.notices
    assert (notice.field, notice.value) == ("principles", "scarcity")
    assert "stock" in notice.remedy
    assert answer.explanation.principles == ["benefit"]


async def test_an_explanation_tells_the_brief():
    answer = await answer_of(FakeStages(COAT, GOOD), explain=True, tone="plain", occasion="spring_festival", channel="sms")
    explanation = answer.explanation
    assert (explanation.tone, explanation.occasion, explanation.intent) == ("plain", "spring_festival", None)
    assert {"name", "price", "discount", "occasion"} <= set(explanation.slots)
    assert "stock" not in explanation.slots


async def test_the_occasion_is_the_shoppers_calendars():
    answer = await answer_of(FakeStages(COAT, GOOD), explain=True)
    assert answer.explanation.occasion == "winter"


async def test_a_chat_is_answered_to_its_intent():
    stages = FakeStages(COAT, ["{name}现在{price}，慢慢看"])
    answer = await answer_of(stages, channel="chat_reply", conversation=[{"role": "shopper", "text": "多少钱？"}], explain=True)
    assert answer.explanation.intent == "price"
    assert "<|intent:price|>" in stages.calls["generator"][0].prompts[0]


async def test_an_inline_shopper_without_consent_is_nobody():
    stages = FakeStages(COAT, GOOD)
    await answer_of(stages, shopper={"name": "林", "city": "苏州", "interests": ["tea"]})
    assert stages.calls["retrieval"][0].shopper == Shopper(None, None)
    await answer_of(stages, shopper={"name": "林", "interests": ["tea"], "consent": True})
    assert stages.calls["retrieval"][1].shopper == Shopper(None, None, True, {"name": "林"}, ("tea",))


async def test_a_shopper_who_consents_is_greeted_and_the_model_never_learns_the_name():
    shopper = Shopper("lin", "zh-CN", True, {"name": "林晓月"})
    stages = FakeStages(COAT, ["{shopper.name}，{name}在等你"], shopper=shopper)
    answer = await answer_of(stages)
    assert answer.choices[0].text == "林晓月，云杉羊毛大衣在等你"
    assert answer.personalised
    assert "林晓月" not in repr(stages.calls["generator"])


async def test_when_nothing_fits_the_request_the_caller_learns_which_wish_it_was():
    with pytest.raises(Problem) as raised:
        await answer_of(FakeStages(COAT, GOOD), must_include=["一句长得放不下的话" * 8], max_chars=60)
    assert (raised.value.status, raised.value.errors[0].field) == (422, "max_chars")
    with pytest.raises(Problem) as raised:
        await answer_of(FakeStages(COAT, GOOD), must_not_include=[COAT.name])
    assert raised.value.errors[0].field == "must_not_include"


async def test_when_no_product_is_found_the_query_is_named():
    stages = FakeStages(COAT, GOOD)
    stages.found = type(stages.found)(stages.found.shopper, "zh-CN", (), None)
    with pytest.raises(Problem) as raised:
        await answer_of(stages, product_id=None, query="yacht")
    assert (raised.value.status, raised.value.errors[0].field, raised.value.errors[0].value) == (422, "query", "yacht")


class TwoMarkets(FakeStages):
    """Finds the coat of the locale that is asked for; the Chinese one takes longer, so that requests overlap."""

    async def find(self, query):
        await asyncio.sleep(0.05 if query.locale == "zh-CN" else 0.01)
        product = COAT if query.locale == "zh-CN" else full_product("en-US")
        return replace(self.found, locale=query.locale, products=((product, 1.0, "asked for"),))

    async def draft(self, query):
        await asyncio.sleep(0.05)
        return Drafts((GOOD[1],) if "<|zh|>" in query.prompts[0] else ("Put on {name} and go",))


async def test_two_requests_at_once_do_not_mix():
    pipeline = make_pipeline(TwoMarkets(COAT))
    asked = [CopyRequest(channel="sms", locale=locale) for locale in ("zh-CN", "en-US", "zh-CN")]
    answers = await asyncio.gather(*(pipeline.answer(request, f"r{i}", NOW) for i, request in enumerate(asked)))
    assert [answer.locale for answer in answers] == ["zh-CN", "en-US", "zh-CN"]
    chinese, english = ["今天的风有点凉，云杉羊毛大衣在等你出门"], ["Put on Spruce wool coat and go"]
    assert [written(answer) for answer in answers] == [chinese, english, chinese]
    assert len({answer.event_id for answer in answers}) == 3


async def test_a_product_whose_name_can_not_be_said_is_passed_over():
    stages = FakeStages(make_product("odd", name="{price} coat"), GOOD)
    stages.found = replace(stages.found, products=(*stages.found.products, (COAT, 0.5, "next")))
    answer = await make_pipeline(stages).answer(CopyRequest(channel="sms"), "r", NOW)
    assert answer.products[0].product_id == "coat"


async def test_a_named_product_without_a_sayable_name_is_refused_with_the_remedy():
    with pytest.raises(Problem, match="its name can't stand in copy"):
        await answer_of(FakeStages(make_product(name="x" * 81), GOOD))


async def test_what_a_request_says_twice_or_cannot_have_is_noticed():
    stages = FakeStages(make_product(stock=0), GOOD)
    answer = await answer_of(stages, query="大衣", shopper_id="ann", shopper={"consent": False})
    assert {(notice.field, notice.value) for notice in answer.notices} == {("shopper_id", "ann"), ("query", "大衣"), ("product_id", "coat")}
    assert all(notice.detail and notice.remedy for notice in answer.notices)


def test_the_pipeline_knows_neither_ray_nor_torch_nor_vllm():
    code = "import sys, serve.pipeline; print({'ray', 'torch', 'vllm', 'faiss', 'transformers', 'open_clip'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "set()", done.stderr


async def test_the_versions_of_an_answer_are_those_that_served_it():
    stages = FakeStages(COAT, GOOD)
    stages.drafts = replace(stages.drafts, version="g2")
    stages.versions = {"persuasion": "p2", "sentiment": "s2", "fusion": "c2"}
    stages.found = replace(stages.found, index="i2")
    request = CopyRequest(channel="sms", product_id="coat", seed=1)
    answer = await make_pipeline(stages, versions={"claims": "k1"}).answer(request, "r", NOW)
    assert answer.versions == {"claims": "k1", "generator": "g2", "persuasion": "p2", "sentiment": "s2", "clip": "c2", "index": "i2"}


async def test_a_stage_that_did_not_serve_has_no_version_in_the_answer():
    stages = FakeStages(COAT, GOOD, failures={"generator": "too busy", "sentiment": "not running"})
    stages.drafts = replace(stages.drafts, version="g2")
    stages.versions = {"persuasion": "p2", "sentiment": "s2"}
    request = CopyRequest(channel="sms", product_id="coat", seed=1)
    assert (await make_pipeline(stages, versions={}).answer(request, "r", NOW)).versions == {"persuasion": "p2"}
