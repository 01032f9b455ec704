"""Brand voices come and go while the graph serves."""

import shutil
from dataclasses import replace

import pytest

from serve.errors import Problem
from serve.exchange import Adapter
from serve.messages import CopyRequest
from serve.voices import Voices
from tests.fake_stages import FakeStages
from tests.fakes import NOW
from tests.serve.pipelinekit import COAT, GOOD, make_pipeline
from tests.serve.voicekit import publish_voice


def test_a_new_version_serves_from_the_next_request_on_under_a_path_of_its_own(tmp_path):
    voices = Voices(tmp_path)
    first = publish_voice(tmp_path, "almanac")
    assert voices.get("almanac").adapter == Adapter("almanac", first.name.removeprefix("v-"), str(first))
    second = publish_voice(tmp_path, "almanac", says="more quietly")
    assert voices.get("almanac").adapter.path == str(second) != str(first)
    assert voices.get("almanac").guide.says["en"] == "more quietly"
    assert first.is_dir()  # those who began with it end with it


def test_a_voice_whose_directory_is_removed_is_gone(tmp_path):
    publish_voice(tmp_path, "almanac")
    publish_voice(tmp_path, "kiosk")
    voices = Voices(tmp_path)
    voices.get("kiosk")
    shutil.rmtree(tmp_path / "kiosk")
    with pytest.raises(Problem) as raised:
        voices.get("kiosk")
    (error,) = raised.value.errors
    assert (error.field, error.value, error.remedy) == ("brand_voice", "kiosk", "use one of ['almanac']")


@pytest.mark.parametrize("name", ["nobody", "..", "almanac/../almanac"])
def test_a_name_that_is_not_published_is_refused(tmp_path, name):
    publish_voice(tmp_path, "almanac")
    with pytest.raises(Problem, match="is not published"):
        Voices(tmp_path).get(name)


def test_without_a_root_there_are_no_voices(tmp_path):
    for root in (None, tmp_path / "absent"):
        with pytest.raises(Problem, match="there are no voices"):
            Voices(root).get("almanac")


def test_a_damaged_version_is_refused(tmp_path):
    where = publish_voice(tmp_path, "almanac")
    (where / "adapter_config.json").write_text("{}")
    with pytest.raises(Problem, match="can't be used"):
        Voices(tmp_path).get("almanac")


def test_a_damaged_pointer_costs_its_own_voice_alone(tmp_path):
    publish_voice(tmp_path, "almanac")
    publish_voice(tmp_path, "kiosk")
    (tmp_path / "kiosk" / "current").write_text("../../etc")
    voices = Voices(tmp_path)
    assert voices.get("almanac").fault == ""
    with pytest.raises(Problem, match="can't be used"):
        voices.get("kiosk")
    assert [bool(voice.fault) for voice in voices.all()] == [False, True]


def test_an_adapter_knows_the_generator_that_it_was_trained_on(tmp_path):
    publish_voice(tmp_path, "almanac", base="aaa")
    adapter = Voices(tmp_path).get("almanac").adapter
    assert adapter.misfit("bbb") == "voice almanac: its adapter was trained on generator aaa, bbb serves; its guide alone is followed"
    assert (adapter.misfit("aaa"), adapter.misfit(""), replace(adapter, base="").misfit("bbb")) == ("", "", "")


def test_an_adapter_that_is_too_large_for_the_engine_is_not_used(tmp_path):
    publish_voice(tmp_path, "almanac", rank=64)
    assert "rank 64, voice_rank is 16" in Voices(tmp_path).get("almanac").fault
    assert Voices(tmp_path, largest_rank=64).get("almanac").adapter is not None


def test_a_guide_alone_is_a_voice_and_may_be_edited_where_it_lies(tmp_path):
    (tmp_path / "kiosk").mkdir()
    guide = tmp_path / "kiosk" / "guide.yaml"
    voices = Voices(tmp_path)
    for says in ("cheerfully", "and quickly"):
        guide.write_text(f"name: kiosk\nsays: {{en: {says}}}")
        voice = voices.get("kiosk")
        assert (voice.guide.says["en"], voice.adapter) == (says, None)


async def answer_in(tmp_path, stages, **fields):
    request = CopyRequest(channel="sms", product_id="coat", brand_voice="almanac", **fields)
    return await make_pipeline(stages, voices=Voices(tmp_path)).answer(request, "r", NOW)


async def test_the_generator_is_told_the_adapter_and_the_answer_its_version(tmp_path):
    where = publish_voice(tmp_path, "almanac", extra="tone: elegant\nnever: {zh: [路灯]}\n")
    stages = FakeStages(COAT, GOOD)
    answer = await answer_in(tmp_path, stages, explain=True)
    (query,) = stages.calls["generator"]
    assert query.adapter.path == str(where)
    assert answer.versions["voice:almanac"] == query.adapter.version
    assert answer.explanation.tone == "elegant"
    assert [refused.reasons for refused in answer.explanation.refused] == [["the brand never says '路灯'"]]
    assert answer.degraded == []


async def test_a_tone_that_is_asked_for_goes_before_the_guides(tmp_path):
    publish_voice(tmp_path, "almanac", extra="tone: elegant\n")
    assert (await answer_in(tmp_path, FakeStages(COAT, GOOD), tone="plain", explain=True)).explanation.tone == "plain"


async def test_an_adapter_that_is_not_used_is_named_among_what_the_answer_does_without(tmp_path):
    publish_voice(tmp_path, "almanac", rank=64)
    stages = FakeStages(COAT, GOOD)
    answer = await answer_in(tmp_path, stages)
    assert stages.calls["generator"][0].adapter is None
    assert "has rank 64" in answer.degraded[0]


async def test_what_the_generator_did_without_is_named_once(tmp_path):
    publish_voice(tmp_path, "almanac", base="aaa")
    stages = FakeStages(COAT, ["{name}现在{price}，慢慢看，只剩99件"])  # no draft passes: they are asked for twice
    adapter = Voices(tmp_path).get("almanac").adapter
    stages.drafts = replace(stages.drafts, version="bbb", faults=(adapter.misfit("bbb"),))
    answer = await answer_in(tmp_path, stages)
    assert len(stages.calls["generator"]) == 2
    assert [entry for entry in answer.degraded if entry.startswith("voice")] == [adapter.misfit("bbb")]
    assert answer.versions["generator"] == "bbb"


async def test_a_phrase_that_the_brand_always_says_is_in_every_piece(tmp_path):
    publish_voice(tmp_path, "almanac", extra="always: {zh: [慢慢来]}\n")
    answer = await answer_in(tmp_path, FakeStages(COAT, GOOD))
    assert all("慢慢来" in choice.text for choice in answer.choices)


def test_voices_are_told_with_what_is_wrong_with_them(tmp_path):
    fine, damaged = publish_voice(tmp_path, "almanac"), publish_voice(tmp_path, "kiosk")
    publish_voice(tmp_path, "old", base="aaa")
    (damaged / "adapter_config.json").write_text("{}")
    almanac, kiosk, old = Voices(tmp_path).all("bbb")
    assert (almanac.name, almanac.version, almanac.adapter, almanac.fault) == ("almanac", fine.name.removeprefix("v-"), True, "")
    assert almanac.says == {"en": "quietly", "zh": "quietly"}
    assert (kiosk.adapter, "can't be used" in kiosk.fault) == (False, True)
    assert (old.adapter, "trained on generator aaa" in old.fault) == (False, True)
