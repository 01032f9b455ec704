"""How a brand speaks: its guide is read whole or refused, and holds every writer to its words."""

from dataclasses import replace
from pathlib import Path

import pytest

from copywriting import copybook
from copywriting.check import Copy, Refusal, check, check_unfinished
from copywriting.prompt import chat, compact
from copywriting.voices import Manner, read_guide, spoken
from tests.fakes import write_brief

GUIDES = Path(__file__).parents[2] / "demo" / "voices"


def checked(draft: str, manner: Manner, locale: str = "en-GB") -> Copy | Refusal:
    brief, facts = write_brief(locale, channel="chat_reply")
    return check(draft, replace(brief, manner=manner), facts)


def test_words_are_replaced_as_whole_words_in_their_own_case_and_never_within_slots():
    manner = Manner("", instead=(("name", "title"), ("cheap", "modest")))
    lines, done = spoken(["Cheap {name}, cheaply. A name.", "{name}"], manner, "en")
    assert lines == ["Modest {name}, cheaply. A title.", "{name}"]
    assert done == ["the brand says 'title' for 'name'", "the brand says 'modest' for 'cheap'"]


def test_a_brace_that_opens_no_slot_is_left_for_the_check_to_refuse():
    manner = Manner("", instead=(("cheap", "modest"),))
    assert spoken(["A cheap {thing here}, {name}"], manner, "en")[0] == ["A modest {thing here}, {name}"]
    assert isinstance(checked("A cheap {thing here}, {name}", manner), Refusal)


def test_chinese_words_are_replaced_wherever_they_stand():
    assert spoken(["快来看{name}"], Manner("", instead=(("快来", "来"),)), "zh")[0] == ["来看{name}"]


@pytest.mark.parametrize(
    ("allowed", "text"), [(0, "Rain. Here. {name}."), (1, "Rain! Here. {name}."), (3, "Rain! Here! {name}!"), (9, "Rain! Here! {name}!!")]
)
def test_exclamation_marks_beyond_the_allowed_number_become_full_stops(allowed, text):
    lines, done = spoken(["Rain! Here! {name}!!"], Manner("", exclamations=allowed), "en")
    assert lines == [text]
    assert bool(done) == (allowed < 4)


def test_a_word_that_the_brand_never_says_refuses_the_draft():
    verdict = checked("The harbour is quiet, and here is {name}.", Manner("", never=("quiet",)))
    assert isinstance(verdict, Refusal)
    assert verdict.reasons == ("the brand never says 'quiet'",)
    assert isinstance(checked("The harbour is quieter, and here is {name}.", Manner("", never=("quiet",))), Copy)


def test_what_was_put_in_the_brands_words_is_told():
    copy = checked("A cheap thrill: {name}!", Manner("", instead=(("cheap", "small"),), exclamations=0))
    assert isinstance(copy, Copy)
    assert copy.text == "A small thrill: Spruce wool coat."
    assert copy.repairs == ("the brand says 'small' for 'cheap'", "the brand exclaims 0 time(s) at most")


def test_a_replacement_is_proved_like_any_other_word():
    assert isinstance(checked("A nice coat, {name}.", Manner("", instead=(("nice", "world's best"),))), Refusal)


def test_a_stream_shows_the_brands_words_too():
    brief, facts = write_brief("en-GB", channel="chat_reply")
    manner = Manner("", instead=(("cheap", "small"),), never=("quiet",))
    assert check_unfinished("A cheap thrill.", replace(brief, manner=manner), facts) == "A small thrill."
    assert check_unfinished("The harbour is quiet.", replace(brief, manner=manner), facts) is None


def test_a_writer_that_reads_is_told_how_the_brand_speaks_and_the_small_one_is_not():
    brief, _ = write_brief("en-GB")
    spoken_brief = replace(brief, manner=Manner("Short sentences.", samples=("Rain at four.",), never=("wow",)))
    system = chat(spoken_brief)[0]["content"]
    assert system.endswith("How the brand speaks: Short sentences.\nLines that sound right: Rain at four.\nNever write: wow")
    assert compact(spoken_brief) == compact(brief)


@pytest.mark.parametrize("name", ["almanac", "kiosk"])
def test_guides_of_the_sample_shop_are_whole_in_both_languages(name):
    guide = read_guide(GUIDES / name / "guide.yaml")
    assert guide.name == name
    for language in ("zh", "en"):
        manner = guide.in_language(language)
        assert manner.says and manner.samples and manner.never


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nsays: {en: x}\nshouts: true", "shouts = True"),
        ("name: A B\nsays: {en: x}", "name = 'A B'"),
        ("name: a", "says"),
        ("name: a\nsays: {en: x}\nalways: {en: ['see {name}']}", "no short plain phrase"),
        ("name: [", "can't be read as a guide"),
    ],
)
def test_a_bad_guide_is_refused_with_key_and_value(tmp_path, text, message):
    path = tmp_path / "guide.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"guide\.yaml") as raised:
        read_guide(path)
    assert message in str(raised.value)


@pytest.mark.parametrize("name", ["almanac", "kiosk"])
def test_copybooks_of_the_sample_voices_have_no_fault_and_keep_their_own_guide(name):
    directory = GUIDES / name / "copybook"
    assert copybook.check(directory) == []
    guide, pieces = read_guide(GUIDES / name / "guide.yaml"), copybook.load(directory)
    assert len(pieces) >= 140
    for piece in pieces:
        manner = guide.in_language(piece.language)
        assert spoken(piece.parts, manner, piece.language) == (list(piece.parts), [])
        assert not any(word in piece.template.casefold() for word in manner.never)
