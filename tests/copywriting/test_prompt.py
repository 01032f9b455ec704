"""What `copywriting/prompt.py` promises, one behaviour a test."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest

from copywriting.brief import Turn
from copywriting.channels import CHANNELS
from copywriting.product import Offer
from copywriting.prompt import COPY_TAG, chat, compact, compact_tags, render
from copywriting.shopper import Shopper
from tests.fakes import NOW, brief_for, facts_for, full_product, make_product, percent_off, write_brief

LIN = Shopper("lin", "zh-CN", True, {"name": "林晓月", "city": "苏州"})


def everything(messages) -> str:
    return "\n".join(message["content"] for message in messages)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_every_tag_of_a_compact_prompt_is_in_the_vocabulary(channel: str, locale: str):
    brief, _ = write_brief(locale, channel=channel, intent="price" if channel == "chat_reply" else None, occasion="spring_festival")
    prompt = compact(brief)
    tags = re.findall(r"<\|[^|]+\|>", prompt)
    assert "".join(tags) == prompt
    assert set(tags) <= set(compact_tags())
    assert tags[-1] == COPY_TAG


def test_tags_are_unique():
    assert len(set(compact_tags())) == len(compact_tags())


def test_a_kind_of_another_vertical_is_any_kind():
    product = make_product(kind="tea")
    assert "<|kind:any|>" in compact(brief_for(product, facts_for(product)))


@pytest.mark.parametrize("style", ["compact", "chat"])
def test_no_price_no_offer_and_no_personal_data_reach_the_model(style: str):
    offer = Offer("percent_off", Decimal(30), "格纹披肩", NOW, NOW + timedelta(days=9))
    product = full_product(stock=17, offer=offer, certificates=("金羊毛证书",), price=Decimal(730))
    facts = facts_for(product, shopper=LIN, recent=make_product("scarf", name="格纹长围巾"))
    prompt = render(brief_for(product, facts), style)
    text = prompt if isinstance(prompt, str) else everything(prompt)
    hidden = {"name", "price", "list_price", "discount", "saving", "offer.ends", "gift", "stock", "certificate", "shopper.name", "recent"}
    assert not {slot for slot in hidden if facts[slot].text in text}


def test_equal_briefs_of_two_prices_and_two_shoppers_give_one_prompt():
    prompts = set()
    for percent, name in ((20, "林"), (30, "周")):
        product = make_product(offer=percent_off(percent))
        prompts.add(compact(brief_for(product, facts_for(product, shopper=Shopper("s", "zh-CN", True, {"name": name})))))
    assert len(prompts) == 1


def test_a_chat_prompt_offers_only_slots_that_have_values():
    product = make_product(stock=500)
    system = chat(brief_for(product, facts_for(product)))[0]["content"]
    assert "{name}" in system
    assert "{stock}" not in system


def test_a_chat_prompt_carries_the_request():
    product = make_product(locale="en-US")
    turns = (Turn("shopper", "Is it warm?"), Turn("shop", "Yes."), Turn("shopper", "How much?"))
    messages = chat(
        brief_for(
            product,
            facts_for(product),
            channel="chat_reply",
            intent="price",
            conversation=turns,
            interests=("wool",),
            must_include=("hello",),
        )
    )
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user", "user"]
    for words in ("at most 320 characters", "body, one per line", "interested in: wool", "word for word: hello", "who wants: price"):
        assert words in messages[-1]["content"]


def test_a_request_may_lower_the_length_but_not_raise_it():
    product = make_product()
    facts = facts_for(product)
    assert brief_for(product, facts, channel="sms", max_chars=30).max_chars == 30
    assert brief_for(product, facts, channel="sms", max_chars=600).max_chars == CHANNELS["sms"].max_chars["zh"]
