"""The response model in the graph: what it reads of an impression, what it decides, and what becomes of one that can't serve."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from artifacts.card import ArtifactError, write_card
from artifacts.impression import COLUMNS
from artifacts.versions import current, publish, rollback
from copywriting.brief import Brief
from copywriting.check import Copy, check
from copywriting.shopper import Shopper
from serve.exchange import Found, ImageMatch, PersuasionScore, ResponseScore
from serve.impressions import impressions
from serve.scorers.response import ResponseScorer, opened
from serve.trace import Candidate
from tests.fake_stages import FakeStages
from tests.fakes import NOW, ROOT, brief_for, facts_for, make_product, percent_off
from tests.serve.pipelinekit import COAT, GOOD, answer_of, written

MODEL = ROOT / "models" / "response"
ANN = Shopper("ann", "en-US", True, {"name": "Ann", "age_band": "25-34", "gender": "female"})
LEANINGS = {"fashion": 0.7, "food": 0.2, "toys": 0.1}


def rows(shopper: Shopper = ANN, *, scored: bool = True, **changes) -> list[dict]:
    """Two pieces for a coat at 20 % off, at noon in Greenwich on a Thursday."""
    product = make_product(locale="en-US", offer=percent_off(20), rating=4.5, **changes)
    facts = facts_for(product)
    brief: Brief = brief_for(product, facts, channel="sms", tone="plain")
    copies = [check(template, brief, facts) for template in ("{name} is {discount}", "Put on {name}")]
    found = Found(shopper, "en-US", ((product, 1.0, ""),), None, leanings=LEANINGS, price_levels={"coat": 0.25})
    scores = (PersuasionScore(0.8, {"value": 0.9, "benefit": 0.2, "liking": 0.6}), 0.7, ImageMatch("a.jpg", 0.4))
    given = [[score if scored else None] * 2 for score in scores]
    candidates = [Candidate(copy, "model") for copy in copies if isinstance(copy, Copy)]
    return impressions(found, brief, NOW, candidates, *given)


def test_a_row_says_who_what_where_and_when():
    first, second = rows()
    assert first.keys() == COLUMNS.keys()
    assert first == second | {"characters": len("Spruce wool coat is 20% off")}
    assert (first["locale"], first["hour"], first["weekday"]) == ("en-US", 7, 3)  # New York's clocks
    assert (first["age_band"], first["gender"], first["interests"], first["affinity"]) == ("25-34", "female", ["fashion", "food"], 0.7)
    assert (first["price_level"], first["discount"], first["rating"]) == (0.25, 0.2, 4.5)
    assert (first["channel"], first["tone"], first["occasion"]) == ("sms", "plain", "everyday")
    assert (first["principles"], first["persuasion"], first["sentiment"], first["image_fit"]) == (["value", "liking"], 0.8, 0.7, 0.4)


def test_nothing_of_a_shopper_without_consent_is_in_a_row():
    (row, _), (known, _) = rows(replace(ANN, personalise=False)), rows()
    theirs = {"age_band", "gender", "interests", "affinity"}
    assert all(row[name] is None for name in theirs)
    assert {name: row[name] for name in COLUMNS.keys() - theirs} == {name: known[name] for name in COLUMNS.keys() - theirs}


def test_a_score_that_is_missing_is_null_and_the_shipped_model_reads_such_rows():
    row = rows(scored=False)[0]
    assert [row[name] for name in ("principles", "persuasion", "sentiment", "image_fit")] == [None] * 4
    assert ((chances := opened(MODEL).probability(rows(scored=False))) > 0).all() and (chances < 0.5).all()


async def test_what_is_likelier_to_be_answered_comes_first_and_the_answer_says_how_likely():
    short = len(GOOD[1].format(name=COAT.name))
    stages = FakeStages(COAT, GOOD, chance=lambda row: 0.3 if row["characters"] == short else 0.05)
    stages.versions = {"response": "abc"}
    answer = await answer_of(stages)
    best, *others = answer.choices
    assert best.text == GOOD[1].format(name=COAT.name)
    assert (best.scores.response, best.reasons[-1]) == (0.3, "click 30.0% likely (10.0% usually)")
    assert all((other.scores.response, other.reasons) == (0.05, ["persuades by benefit (0.90)"]) for other in others)
    assert answer.versions["response"] == "abc" and answer.timings_ms["response"] >= 0


async def test_an_explained_answer_has_the_rows_that_a_model_learns_from_before_there_is_one():
    answer = await answer_of(FakeStages(COAT, GOOD), explain=True)
    impressions = answer.explanation.impressions
    assert [row["variant_id"] for row in impressions] == [choice.variant_id for choice in answer.choices]
    assert all(row.keys() == {"variant_id", *COLUMNS} for row in impressions)
    assert [row["characters"] for row in impressions] == [len(choice.text) for choice in answer.choices]
    assert impressions[0]["persuasion"] == answer.choices[0].scores.persuasion and impressions[0]["channel"] == "sms"
    assert json.loads(answer.model_dump_json())["explanation"]["impressions"] == impressions
    assert (await answer_of(FakeStages(COAT, GOOD))).explanation is None


async def test_without_a_model_the_other_scores_decide_alone():
    answer = await answer_of(FakeStages(COAT, GOOD))
    assert {choice.scores.response for choice in answer.choices} == {None}
    assert "response" not in answer.timings_ms and not answer.degraded


@pytest.mark.parametrize("trouble", [{"failures": {"response": "gone"}}, {"chance": lambda _: float("nan")}])
async def test_a_model_that_fails_costs_its_score_and_not_the_answer(trouble):
    stages = FakeStages(COAT, GOOD, **{"chance": lambda _: 0.5, **trouble})
    answer = await answer_of(stages)
    plain = await answer_of(FakeStages(COAT, GOOD))
    assert written(answer) == written(plain) and [c.scores.utility for c in answer.choices] == [c.scores.utility for c in plain.choices]
    assert [each.split(":")[0] for each in answer.degraded] == ["response"]


def test_lift_is_measured_from_the_usual():
    assert ResponseScore("click", 0.1, 0.1).lift == pytest.approx(0.5)
    assert ResponseScore("click", 2 / 11, 1 / 10).lift == pytest.approx(2 / 3)  # twice the odds
    assert (ResponseScore("click", 0.0, 0.1).lift, ResponseScore("click", 1.0, 0.1).lift) == (0, 1)


def test_the_shipped_model_says_what_changes_a_click():
    """What the law of the sample shop says: interest and a discount help, a dear product that nobody cares for does not sell."""
    base, wanted, dear = {"affinity": 0.0, "price_level": 0.5}, {"affinity": 0.6, "price_level": 0.5}, {"affinity": 0.0, "price_level": 1.0}
    usual, liked, costly = opened(MODEL).probability([rows()[0] | change for change in (base, wanted, dear)])
    assert liked > 1.5 * usual > 1.5 * costly


def another(directory: Path, **changes) -> Path:
    """The shipped model with other words in its description."""
    shutil.copytree(MODEL, directory)
    path = directory / "response.json"
    told = json.loads(path.read_text())
    for name, value in changes.items():
        if value is None:
            del told[name]
        else:
            told[name] = value
    path.write_text(json.dumps(told))
    write_card(directory, kind="response", name="response", command="python -m train.response", seed=0)
    return directory


def reading(column: str) -> dict:
    """Its encoding, where the first category is another column, and no list."""
    encoding = json.loads((MODEL / "response.json").read_text())["encoding"]
    encoding["categories"][0]["name"] = column
    return encoding | {"lists": []}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"encoding": reading("mood_of_the_day")},
            ValueError,
            r"reads \['mood_of_the_day'\], which the graph does not know; train",
        ),
        (
            {"encoding": reading("principles")},
            ValueError,
            r"mistakes 'principles', which is a list of names in the graph; train it on such",
        ),
        ({"rate": 0.0}, ValueError, r"says click happens with a rate of 0\.0, .*: train it again"),
        ({"calibration": {"slope": float("nan"), "intercept": 0.0, "logits": [], "chances": []}}, ValueError, "with a chance of nan in an"),
        ({"rate": None}, ArtifactError, r"does not say how often click happens; make it again: python -m train\.response"),
    ],
)
def test_a_model_that_can_not_serve_is_refused_with_the_remedy(tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        opened(another(tmp_path / "response", **changes))


async def test_a_published_model_takes_over_a_bad_one_is_refused_and_a_rollback_undoes_it(tmp_path):
    root = tmp_path / "registry"
    first = publish(root, shutil.copytree(MODEL, tmp_path / "first"), "response")
    scorer = ResponseScorer(str(root))

    async def served(name: str) -> None:
        end = time.monotonic() + 30
        while (await scorer.score(rows())).version != name.removeprefix("v-") and time.monotonic() < end:
            time.sleep(0.05)
        assert (await scorer.score(rows())).version == name.removeprefix("v-")

    await served(first.name)
    second = publish(root, another(tmp_path / "second", rate=0.2), "response")
    await served(second.name)
    assert {score.usually for score in (await scorer.score(rows())).values} == {0.2}
    publish(root, another(tmp_path / "third", encoding=reading("nobody")), "response")
    end = time.monotonic() + 30
    while not scorer.serving().refused and time.monotonic() < end:
        time.sleep(0.05)
    assert "ValueError: response model" in scorer.serving().refused
    await served(second.name)
    rollback(root, "response")
    assert current(root) == second
