"""Repair of drafts, limits of platforms, and hashtags."""

import pytest

from copywriting.channels import CHANNELS, typed_plainly, units_of
from copywriting.check import Copy, Refusal, check
from copywriting.facts import facts_of
from copywriting.hashtags import hashtags_of
from tests.fakes import NOW, brief_for, facts_for, make_product


def checked(template, channel, locale="zh-CN", **changes):
    product = make_product(locale=locale, **changes)
    facts = facts_for(product)
    return check(template, brief_for(product, facts, channel=channel), facts)


def test_a_headline_beyond_the_platforms_limit_gives_way_to_the_name():
    copy = checked("A very long headline about {name} in the rain\n{name}. Come and see.", "search_ad", "en-US")
    assert isinstance(copy, Copy)
    assert copy.parts["headline"] == "Spruce wool coat"
    assert "shortened the headline" in copy.repairs[0]


def test_a_name_too_long_for_a_headline_leaves_it_to_the_brand():
    copy = checked("For {name}\nHere is {name}.", "search_ad", "en-US", name="Spruce double-faced long winter walking coat", brand="Adler")
    assert isinstance(copy, Copy) and copy.parts["headline"] == "Adler"


def test_an_sms_is_counted_as_networks_count_it():
    sms = CHANNELS["sms"]
    assert units_of("a" * 160, sms, "en") == 160
    assert units_of("€", sms, "en") == 2
    assert units_of("ś" + "a" * 69, sms, "en") == 160
    assert units_of("ś" + "a" * 70, sms, "en") > 160
    assert units_of("羊毛", sms, "zh") == 2
    assert typed_plainly("It’s “warm” – here…", sms, "en") == 'It\'s "warm" - here...'
    assert typed_plainly("It’s", CHANNELS["push"], "en") == "It’s"


def test_only_a_sentence_of_the_body_is_cut():
    assert isinstance(checked("{name}，全网最低", "email_subject"), Refusal)
    assert isinstance(checked("{name}，全网最低", "sms"), Refusal)
    copy = checked("{name}到了。全网最低。", "sms")
    assert isinstance(copy, Copy) and copy.text == "云杉羊毛大衣到了。"


@pytest.mark.parametrize(
    ("locale", "occasion", "tags"),
    [("zh-CN", "spring_festival", "#春节 #外套 #Spruce"), ("en-US", "valentines", "#ValentinesDay #Outerwear #Spruce"), ("en-GB", "everyday", "#Outerwear #Spruce")],
)  # fmt: skip
def test_hashtags_are_facts(locale, occasion, tags):
    product = make_product(locale=locale, category=("外套",) if locale == "zh-CN" else ("Outerwear",))
    facts = facts_of(product, locale=locale, now=NOW, occasion=occasion)
    found = hashtags_of(facts, locale[:2], 100)
    assert " ".join(tag for tag, _ in found) == tags
    brief = brief_for(product, facts, channel="social", occasion=occasion)
    copy = check("看看{name}" if locale == "zh-CN" else "Look at {name}", brief, facts)
    assert copy.parts["hashtags"] == tags
    assert {copy.text[claim.start : claim.end] for claim in copy.claims} >= set(tags.split())


def test_hashtags_end_where_the_room_does():
    facts = facts_of(make_product(category=("外套",)), locale="zh-CN", now=NOW, occasion="spring_festival")
    assert [tag for tag, _ in hashtags_of(facts, "zh", 8)] == ["#春节", "#外套"]
    assert hashtags_of(facts, "zh", 2) == ()


@pytest.mark.parametrize("line", ["见evil.example", "加微信领券", "GREATNESS AWAITS"])
def test_links_contacts_and_shouting_do_not_leave(line):
    language = "zh-CN" if any("\u3400" <= c <= "\u9fff" for c in line) else "en-US"
    assert isinstance(checked(f"{{name}} {line}", "sms", language), Refusal)
