"""What `copywriting/check.py` promises, one behaviour a test."""

import pytest

from copywriting.check import Copy, Refusal, check, get_used_to, with_parts_joined
from copywriting.claims import claims_in
from copywriting.faults import in_language, length_of
from copywriting.slots import with_gaps
from tests.fakes import brief_for, facts_for, make_product, percent_off, write_brief

PAGE = "{name}，冬天的一句话\n出门前摸一摸{material}的温度，{feature}会记得把风关在外面。\n去看看"


def passed(template, brief, facts, *rest) -> Copy:
    verdict = check(template, brief, facts, *rest)
    assert isinstance(verdict, Copy), verdict
    return verdict


def refused(template, brief, facts, *rest) -> str:
    verdict = check(template, brief, facts, *rest)
    assert isinstance(verdict, Refusal), verdict
    assert verdict.reasons
    return "; ".join(verdict.reasons)


def test_slots_are_filled_and_parts_are_named():
    brief, facts = write_brief(channel="product_page")
    copy = passed(PAGE, brief, facts)
    assert copy.text == "云杉羊毛大衣，冬天的一句话\n出门前摸一摸羊毛的温度，双层防风门襟会记得把风关在外面。\n去看看"
    assert copy.parts == dict(zip(("headline", "body", "cta"), copy.text.split("\n"), strict=True))
    assert (copy.template, copy.repairs) == (PAGE, ())


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_each_claim_stands_exactly_where_it_says(locale):
    brief, facts = write_brief(locale)
    template = (
        "今天{name}{discount}，只要{price}，到{offer.ends}"
        if locale == "zh-CN"
        else "Today {name} is {discount}: {price} until {offer.ends}"
    )
    copy = passed(template, brief, facts)
    assert [claim.slot for claim in copy.claims] == (["name", "discount", "price", "offer.ends"])
    for claim in copy.claims:
        assert copy.text[claim.start : claim.end] == facts[claim.slot].text
        assert (claim.value, claim.source, claim.version) == (facts[claim.slot].value, facts[claim.slot].source, facts[claim.slot].version)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{name} costs 99 dollars", "ungrounded number '99'"),
        ("{name} is half price", "ungrounded discount 'half price'"),
        ("{name} is the best coat", "ungrounded superlative"),
        ("Take {name} home with {surprise}", "slot {surprise} has no fact"),
        ("{name.__class__} is warm", "slot {name.__class__} has no fact"),
        ("A coat for the cold walk home", "does not name the product"),
        ("{name} is warm {really}}", "a brace outside a slot"),
        ("{name} is warm ｛price｝", "a brace outside a slot"),
        ("{name} is made for the", "breaks off"),
        ("{name} is warm,", "breaks off"),
        ("{name} is really really warm", "repeats itself"),
        ("{name} 很暖和", "not in en"),
        ("{name}", "not in en"),
        ("{name} is hаlf price", "not in en"),
        ("{name} is hаlf price", "a twin of a letter"),  # with a Cyrillic а
        ("{name}\nfor cold days", "2 part(s), sms has ['body']"),
        ("", "part(s)"),
        ("\n", "part(s)"),
    ],
)
def test_a_fault_refuses_a_draft_with_its_reason(template, reason):
    brief, facts = write_brief("en-US")
    assert reason in refused(template, brief, facts)


def test_every_reason_is_given_at_once():
    brief, facts = write_brief("en-US")
    reasons = refused("99 {surprise} for the", brief, facts)
    assert all(reason in reasons for reason in ("'99'", "{surprise}", "name the product", "breaks off"))


def test_an_empty_part_is_refused():
    brief, facts = write_brief(channel="product_page")
    assert "part(s)" in refused("{name}\n\n去看看", brief, facts)


def test_white_space_around_a_draft_is_forgiven():
    brief, facts = write_brief("en-US")
    assert passed("  \n {name} for the walk home \n", brief, facts).text == "Spruce wool coat for the walk home"


def test_a_slot_that_others_have_but_this_product_lacks_is_refused():
    product = make_product(locale="en-US", stock=500)
    facts = facts_for(product)
    assert "slot {stock} has no fact" in refused("{name}, {stock} to go", brief_for(product, facts, channel="sms"), facts)


def test_words_of_scarcity_need_the_fact_itself_in_the_text():
    plenty, few = make_product(locale="en-US", stock=500), make_product(locale="en-US", stock=7)
    for product, template, verdict in (
        (plenty, "{name} is selling fast", Refusal),
        (few, "{name} is selling fast", Refusal),
        (few, "{name} is selling fast, {stock} to go", Copy),
        (plenty, "{name} is selling fast, {stock} to go", Refusal),
    ):
        facts = facts_for(product)
        assert isinstance(check(template, brief_for(product, facts, channel="sms"), facts), verdict)


def test_a_new_price_shows_in_an_old_draft():
    template = "{name}现在{price}"
    for percent, price in ((20, "¥400"), (30, "¥350")):
        product = make_product(offer=percent_off(percent))
        facts = facts_for(product)
        assert price in passed(template, brief_for(product, facts, channel="sms"), facts).text


def test_a_body_that_is_too_long_loses_its_closing_sentences():
    brief, facts = write_brief("en-US", max_chars=60)
    copy = passed("Meet {name}. It hangs quite well here. Come and see it. It waits by the door.", brief, facts)
    assert copy.text == "Meet Spruce wool coat. It hangs quite well here."
    assert copy.repairs == ("left out 2 closing sentence(s) to fit 60 characters",)
    assert copy.template == "Meet {name}. It hangs quite well here."


def test_a_sentence_that_names_the_product_is_never_left_out():
    brief, facts = write_brief("zh-CN", max_chars=20)
    assert "characters, sms allows 20" in refused("冬天来了，风也跟着来了，走路回家要快一点。穿上{name}吧。", brief, facts)


def test_a_headline_that_is_too_long_is_refused():
    brief, facts = write_brief("zh-CN", channel="email_subject", max_chars=20)
    assert "allows 20" in refused("{name}，" + "风吹过来，叶落下去" * 1 + "，把门关好再喝茶", brief, facts)


def test_length_is_of_the_filled_text_without_part_breaks():
    assert length_of("ab\ncd") == 4
    brief, facts = write_brief("en-US", max_chars=len("Spruce wool coat for walks"))
    passed("{name} for walks", brief, facts)
    assert "27 characters" in refused("{name}, for walks", brief, facts)


@pytest.mark.parametrize("phrase", ["walk home", "WALK home", "ｗａｌｋ home", "wool coat"])
def test_must_include_is_met_in_any_case_and_width_and_by_slots(phrase):
    brief, facts = write_brief("en-US", must_include=(phrase,))
    assert passed("{name} for the walk home", brief, facts).text == "Spruce wool coat for the walk home"  # nothing is added


@pytest.mark.parametrize(
    ("locale", "template", "text"),
    [
        ("en-US", "{name} for cold days", "Spruce wool coat for cold days, now 3 colours"),
        ("en-US", "{name} for cold days.", "Spruce wool coat for cold days. now 3 colours."),
        ("zh-CN", "{name}等你。", "云杉羊毛大衣等你。now 3 colours。"),
    ],
)
def test_a_phrase_that_the_draft_lacks_is_added_as_the_callers_own_claim(locale, template, text):
    brief, facts = write_brief(locale, must_include=("now 3 colours",))
    copy = passed(template, brief, facts)
    assert copy.text == text
    (claim,) = [claim for claim in copy.claims if claim.source == "request/must_include"]
    assert copy.text[claim.start : claim.end] == "now 3 colours"


def test_a_phrase_that_does_not_fit_refuses():
    brief, facts = write_brief("en-US", max_chars=40, must_include=("a very long phrase that will not fit here",))
    assert "characters" in refused("{name} for cold days", brief, facts)


@pytest.mark.parametrize("phrase", ["home", "HOME", "ｈｏｍｅ", "wool coat", "wool"])
def test_must_not_include_reads_the_filled_text(phrase):
    brief, facts = write_brief("en-US")
    assert f"must not include {phrase!r}" in refused("{name} for the walk home", brief, facts, [phrase])
    passed("{name} for the walk home", brief, facts, ["cheap"])


@pytest.mark.parametrize(
    ("template", "language", "yes"),
    [
        ("穿上{name}出门", "zh", True), ("Put on {name}", "zh", False),
        ("穿上 Spruce {name}", "zh", False), ("T恤和牛仔裤配{name}", "zh", True),
        ("Put on {name}", "en", True), ("Put on 大衣 {name}", "en", False),
        ("café {name}", "en", True), ("{name}", "zh", False), ("Ρut on {name}", "en", False),
        ("穿上{name}これ", "zh", False), ("Take {name} 안녕 home", "en", False),
            ("Put o\u0336n {name}", "en", False), ("穿上{name}，OK", "zh", True),
    ],
)  # fmt: skip
def test_language_is_judged_by_the_words_between_slots(template, language, yes):
    assert in_language(template, language) is yes


def test_parts_joined_keep_their_claims_in_place():
    brief, facts = write_brief(channel="product_page")
    copy = passed(PAGE, brief, facts)
    joined = with_parts_joined(copy, " ")
    assert "\n" not in joined.text
    assert all(joined.text[claim.start : claim.end] == facts[claim.slot].text for claim in joined.claims)
    with pytest.raises(ValueError, match="one character"):
        with_parts_joined(copy, " · ")


def test_a_repair_that_takes_the_evidence_away_refuses_the_draft():
    brief, facts = write_brief("en-US", channel="push", max_chars=80)
    english = "Meet\n{name}, almost gone, a real gem for the cold walk home. Now {stock} remain in the warehouse today."
    verdict = check(english, brief, facts)
    assert isinstance(verdict, Refusal) and "almost gone" in verdict.reasons[0]


def test_a_claim_that_a_slot_splits_is_found():
    brief, facts = write_brief("zh-CN")
    verdict = check("买一件{name}送一件，{price}。", brief, facts)
    assert isinstance(verdict, Refusal) and "discount" in verdict.reasons[0]


def test_a_value_in_another_values_place_refuses_the_draft():
    brief, facts = write_brief("en-US")
    verdict = check("{name} is {price} off.", brief, facts)
    assert isinstance(verdict, Refusal) and "wrong role" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("intent", "template", "missing"),
    [
        ("price", "The page of {name} tells you the price.", "['price']"),
        ("stock", "Let me look for {name} while you wait.", "['stock']"),
        ("price", "{name} costs {price}.", None),
        ("quality", "The page of {name} tells you the price.", None),
    ],
)
def test_who_asks_for_a_price_is_told_the_price(intent, template, missing):
    product = make_product(locale="en-US", name="Wool coat", stock=7)
    facts = facts_for(product)
    brief = brief_for(product, facts, channel="chat_reply", intent=intent)
    if missing:
        assert refused(template, brief, facts) == f"the shopper asked about {intent}: no {missing} in the reply"
    else:
        passed(template, brief, facts)


def test_a_reply_may_do_without_what_the_product_lacks():
    product = make_product(locale="en-US", name="Wool coat", stock=None)
    facts = facts_for(product)
    brief = brief_for(product, facts, channel="chat_reply", intent="stock")
    assert passed("Let me look for {name} while you wait.", brief, facts).text == "Let me look for Wool coat while you wait."


def test_a_plural_name_takes_no_verb_of_the_singular():
    product = make_product(locale="en-US", name="Canvas Shoes")
    facts = facts_for(product)
    assert refused("{name} is here", brief_for(product, facts, channel="sms"), facts) == "'is' after the plural 'Canvas Shoes'"
    passed("Put on {name} and go", brief_for(product, facts, channel="sms"), facts)


def test_the_title_of_a_book_is_singular():
    product = make_product(locale="en-US", name="Corner Noodles", vertical="books", kind="novels")
    facts = facts_for(product)
    assert passed("{name} is here", brief_for(product, facts, channel="sms"), facts).text == "Corner Noodles is here"


def test_pieces_that_were_read_before_are_not_read_again():
    template = "一句从没写过的话，给{name}。\n第二行也是"
    get_used_to([(template, "zh")])
    known = claims_in.cache_info()
    for line in template.split("\n"):
        claims_in(with_gaps(line), "zh")
    after = claims_in.cache_info()
    assert (after.hits - known.hits, after.misses) == (2, known.misses)


@pytest.mark.parametrize(
    ("locale", "body", "why"),
    [
        ("en-GB", "{name}, with {name}, for toast in your socks.", "repeats itself"),
        ("en-GB", "{name}, now {price}  then.", "leaves something out: two blanks in a row"),
        ("zh-CN", "{name}，往后看见，您都会谢谢谢今天的自己。", "repeats itself"),
        ("zh-CN", "【你，一段空闲，{name}。", "opens or closes '【】' alone"),
        ("zh-CN", "{name}，{name}，看一眼就好。", "repeats itself"),
        ("en-GB", "{name} (a coat for anybody.", "opens or closes '()' alone"),
    ],
)
def test_copy_that_lost_its_thread_is_refused(locale, body, why):
    product = make_product(locale=locale)
    facts = facts_for(product)
    assert why in refused(body, brief_for(product, facts, channel="social"), facts)


@pytest.mark.parametrize("body", ["{name}有{name}的办法。", "哈哈哈，{name}来了。", "【新】{name}（{color}）来了。"])
def test_copy_that_plays_with_words_is_not(body):
    product = make_product()
    facts = facts_for(product)
    copy = passed(body, brief_for(product, facts, channel="social"), facts)
    assert (copy.template, copy.repairs) == (body, ())
