"""What `copywriting/aspects.py` and `copywriting/lexicon.py` promise, one behaviour a test."""

from pathlib import Path

import pytest
import yaml

from copywriting.aspects import FAINT, opinions_in
from copywriting.lexicon import aspects, language_in, lexicon, mentioned
from copywriting.slots import SLOTS
from copywriting.taxonomy import VERTICALS

SENTENCES = Path(__file__).parent / "data" / "aspect_sentences.yaml"


def stances(text: str, stars: float | None = None) -> dict[str, str]:
    return {opinion.aspect: opinion.stance for opinion in opinions_in(text, stars)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("The fit is perfect but the fabric is itchy", {"size": "liked", "fabric": "doubted"}),
        ("尺码正好，但是面料有点扎", {"size": "liked", "fabric": "doubted"}),
        ("The fabric and the fit are lovely", {"fabric": "liked", "size": "liked"}),
        ("质量和款式都不错", {"quality": "liked", "design": "liked"}),
    ],
)
def test_each_side_has_its_own_opinion(text: str, said: dict[str, str]):
    assert stances(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It is not too small", {"size": "liked"}),
        ("The fabric isn't soft", {"fabric": "doubted"}),
        ("I have no complaints about the delivery", {"delivery": "liked"}),
        ("not only cheap, the quality is good", {"quality": "liked"}),
        ("没有色差", {"colour": "liked"}),
        ("质量不太好", {"quality": "doubted"}),
        ("布料没有想象中厚", {"fabric": "doubted"}),
        ("没有想象中那么难用", {"ease": "liked"}),
        ("不但便宜，质量也好", {"price": "liked", "quality": "liked"}),
    ],
)
def test_negation_turns_what_it_reaches(text: str, said: dict[str, str]):
    assert stances(text) == said


@pytest.mark.parametrize("text", ["I wish the fabric were softer", "希望面料能再厚一点"])
def test_a_wish_is_a_doubt(text: str):
    assert stances(text) == {"fabric": "doubted"}


@pytest.mark.parametrize("text", ["I usually wear a medium", "它有三种颜色", "The parcel arrived on Tuesday", "", "?!"])
def test_a_mention_is_no_opinion(text: str):
    assert stances(text) == {}


def test_degrees_weigh():
    strengths = [opinions_in(text)[0].strength for text in ("The fabric is a bit thin", "The fabric is thin", "The fabric is very thin")]
    assert strengths == sorted(strengths)
    assert len(set(strengths)) == 3


def test_stars_weigh_what_is_said_and_say_nothing_alone():
    unstarred, agreeing, contrary = (opinions_in("The fabric is thin", stars)[0].strength for stars in (None, 1, 5))
    assert contrary < unstarred < agreeing
    assert opinions_in("This is the fabric", 1) == ()
    assert opinions_in("The fabric is a bit thin", 5) == ()  # faint, and the stars speak against it


def test_evidence_is_the_clause_that_says_it():
    text = "Honestly, I LOVE it — though the ’fabric’ is thin."
    (opinion,) = opinions_in(text)
    assert text[opinion.start : opinion.end].strip() == "though the ’fabric’ is thin"
    assert FAINT <= opinion.strength <= 1


def test_offsets_hold_where_lower_case_is_longer():
    text = "İİİ nice, the fabric is thin"
    (opinion,) = opinions_in(text)
    assert "fabric is thin" in text[opinion.start : opinion.end]


def test_a_word_is_not_read_inside_another():
    assert stances("他说大家好像都差不多") == {}
    assert mentioned("a misfit for outsized sizeable things") == frozenset()


def test_the_language_is_that_of_the_text():
    assert (language_in("fabric 面料"), language_in("fabric")) == ("zh", "en")
    assert mentioned("双面羊毛，立领") == {"fabric"}
    assert mentioned("30-hour battery") == {"battery"}


def test_the_lexicon_names_only_what_exists():
    places = {*VERTICALS, *(kind for kinds in VERTICALS.values() for kind in kinds)}
    for aspect in aspects().values():
        assert aspect.label
        assert aspect.suits <= places
        assert aspect.answers <= SLOTS.keys()
    assert {opinion.aspect for opinion in opinions_in("nice fabric, slow delivery")} <= aspects().keys()
    assert lexicon("en") is lexicon("en")


def test_hand_labelled_sentences_are_read_right_nine_times_in_ten():
    sentences = yaml.safe_load(SENTENCES.read_text(encoding="utf-8"))
    labelled = [*sentences["en"], *sentences["zh"]]
    assert len(labelled) >= 120
    found = [(set(stances(text).items()), set(wanted.items())) for text, wanted in labelled]
    right = sum(len(got & wanted) for got, wanted in found)
    assert right / sum(len(got) for got, _ in found) > 0.9  # precision
    assert right / sum(len(wanted) for _, wanted in found) > 0.9  # recall
