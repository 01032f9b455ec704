"""What the pipeline asks of the generator, and which of its drafts become choices."""

from decimal import Decimal

import pytest

from serve.exchange import Drafts
from serve.messages import CopyRequest
from serve.pipeline import Pipeline
from serve.templates import Templates
from tests.fake_stages import FakeStages
from tests.fakes import NOW, make_piece, make_product
from tests.serve.pipelinekit import COAT, GOOD, PIECES, answer_of, make_pipeline, written


async def test_the_generator_is_asked_for_spare_drafts_under_the_briefs_grammar():
    stages = FakeStages(COAT, GOOD)
    await answer_of(stages, n=3, seed=7)
    (query,) = stages.calls["generator"]
    assert (len(query.prompts), query.n, query.seed) == (3, 2, 7)  # 3 and 2 spare, two of each variation
    assert len(set(query.prompts)) == 3
    assert '"{discount}"' in query.grammar
    assert '"{stock}"' not in query.grammar
    assert query.prompts[0].endswith("<|zh|><|channel:sms|><|vertical:fashion|><|kind:outerwear|><|copy|>")


async def test_the_model_is_given_a_chat_where_it_was_trained_for_one():
    stages = FakeStages(COAT, GOOD)
    await make_pipeline(stages, prompt_style="chat").answer(CopyRequest(channel="sms"), "r", NOW)
    assert stages.calls["generator"][0].prompts[0][0]["role"] == "system"


async def test_places_that_no_draft_fills_go_to_the_copybook_after_the_drafts():
    answer = await answer_of(FakeStages(COAT, GOOD[:2], persuasive={"镜子": 0.99, "衣架": 0.98}))
    assert [choice.origin for choice in answer.choices] == ["model", "model", "template", "template"]
    assert "镜子" in answer.choices[2].text
    assert answer.degraded == []


async def test_a_piece_that_the_model_wrote_by_heart_is_not_given_twice():
    answer = await answer_of(FakeStages(COAT, ["出门前看一眼镜子里的{name}"]))
    assert [choice.text for choice in answer.choices] == ["出门前看一眼镜子里的云杉羊毛大衣", "衣架上给云杉羊毛大衣留个位置吧"]


async def test_a_draft_that_recites_copy_for_another_product_is_refused():
    tea = make_piece("水开了。{name}该醒了。", vertical="food", kind="tea")
    pipeline = Pipeline(
        FakeStages(COAT, ["水开了。{name}也该出门了。", GOOD[1]]).stages(),
        Templates([*PIECES, tea]),
        prompt_style="compact",
        spare_drafts=0,
        versions={},
    )
    answer = await pipeline.answer(CopyRequest(channel="sms", product_id="coat", seed=1, n=1, explain=True), "r", NOW)
    assert written(answer) == ["今天的风有点凉，云杉羊毛大衣在等你出门"]
    assert answer.explanation.refused[0].reasons == ["'水开了' belongs to food/tea, everyday"]


async def test_a_draft_that_came_twice_is_one_choice():
    answer = await answer_of(FakeStages(COAT, [GOOD[0], GOOD[0], f" {GOOD[0]} ", GOOD[1]]))
    assert len(written(answer)) == 2


@pytest.mark.parametrize(
    "draft",
    [
        "{name}只要99元", "{name}，８折", "{name}打三折", "{name}全网最低",
        "{name}，仅剩几件", "{name}配{surprise}", "{name}还有{stock}件", "暖和的大衣",
        "The {name} is here", "{name}\n两行", "{name}，全国销量第一", "{name}{", "", "{name}包邮",
    ],
)  # fmt: skip
async def test_an_unsafe_draft_never_reaches_the_answer(draft):
    answer = await answer_of(FakeStages(COAT, [draft, GOOD[1]]), explain=True)
    assert written(answer) == ["今天的风有点凉，云杉羊毛大衣在等你出门"]
    assert answer.usage.refused == len(answer.explanation.refused) == 1
    assert answer.explanation.refused[0].reasons
    assert answer.degraded == []


async def test_words_that_the_caller_forbids_are_never_written():
    answer = await answer_of(FakeStages(COAT, GOOD), must_not_include=["路灯", "8折"])
    assert len(written(answer)) == 2
    assert not any(word in choice.text for choice in answer.choices for word in ("路灯", "8折"))


async def test_drafts_from_the_cache_show_the_price_of_now():
    texts = []
    for price in (500, 730):
        stages = FakeStages(make_product(price=Decimal(price)))
        stages.drafts = Drafts(("{name}现在{price}",), cached=True)
        answer = await answer_of(stages)
        assert answer.usage.cached
        texts.append(answer.choices[0].text)
    assert texts == ["云杉羊毛大衣现在¥500", "云杉羊毛大衣现在¥730"]


async def test_where_the_only_draft_does_not_pass_more_are_asked_for_at_once():
    stages = FakeStages(COAT, ["暖和的大衣"])
    await answer_of(stages, n=1)
    first, again = stages.calls["generator"]
    assert (first.n + first.more, again.n, again.more > 0) == (1, first.n, True)
    assert again.seed != first.seed


async def test_a_long_foreign_name_is_shortened_where_the_channel_is_tight():
    product = make_product(name="Pantry Paper Doilies with a Vintage Flower Rim", brand=None)
    stages = FakeStages(product, ["{name}，看一眼就想带走\n去看看"])
    tight = await answer_of(stages, channel="banner")
    assert written(tight) == ["Pantry Paper Doilies，看一眼就想带走\n去看看"]
    claim = tight.choices[0].claims[0]
    assert (claim.slot, claim.value, claim.source) == ("name", product.name, "products/coat/zh-CN")
    assert claim.derivation == f"shortened from {product.name!r}"
    roomy = await answer_of(FakeStages(product, ["{name}，看一眼就想带走。"]), channel="social")
    assert product.name in roomy.choices[0].text
