"""What `serve/engine.py` promises, one behaviour a test."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from artifacts.card import ArtifactError
from serve.config import GeneratorSettings
from serve.engine import Adapters, DraftCache, Engine
from serve.exchange import Adapter, DraftQuery, Drafts
from tests.models import make_bert


def test_drafts_come_back_under_their_own_key():
    cache = DraftCache(4, 60)
    cache.put(("prompt", 1), ("a", "b"))
    assert cache.get(("prompt", 1)) == ("a", "b")
    assert cache.get(("prompt", 2)) is None


def test_the_least_recently_used_goes_first():
    cache = DraftCache(2, 60)
    cache.put("a", ("1",))
    cache.put("b", ("2",))
    cache.get("a")
    cache.put("c", ("3",))
    assert [cache.get(key) for key in "abc"] == [("1",), None, ("3",)]


def test_writing_a_key_again_replaces_its_drafts_and_its_age():
    cache = DraftCache(2, 1.0)
    cache.put("a", ("1",))
    time.sleep(0.6)
    cache.put("a", ("2",))
    time.sleep(0.6)
    assert cache.get("a") == ("2",)


def test_drafts_that_are_too_old_are_gone():
    cache = DraftCache(2, 0.01)
    cache.put("a", ("1",))
    time.sleep(0.02)
    assert cache.get("a") is None


def test_a_cache_without_room_keeps_nothing():
    cache = DraftCache(0, 60)
    cache.put("a", ("1",))
    assert cache.get("a") is None


class CountingEngine(Engine):
    """An engine whose model writes as many letters as it may."""

    def __init__(self) -> None:
        self._settings, self._cache, self.written = GeneratorSettings(model="tiny"), DraftCache(8, 60), 0

    async def complete(self, prompt: str, query: DraftQuery, offset: int = 0, tell: Callable[[str], None] | None = None) -> object:
        self.written += 1
        for end in range(query.max_tokens if tell else 0):
            tell("a" * (end + 1))
            await asyncio.sleep(0)
        candidate = SimpleNamespace(text="a" * query.max_tokens, token_ids=[1], finish_reason="stop", cumulative_logprob=0.0)
        return SimpleNamespace(outputs=[candidate], prompt_token_ids=[1])


async def test_drafts_made_for_a_short_limit_do_not_serve_a_long_one():
    engine = CountingEngine()
    short, long = (DraftQuery(("<|copy|>",), "root ::= [a-z]+", 1, max_tokens, None) for max_tokens in (20, 300))
    assert [len((await engine.draft(query)).texts[0]) for query in (short, long, short, long)] == [20, 300, 20, 300]
    assert engine.written == 2


async def test_drafts_of_several_prompts_are_dealt_in_turn_and_cached_each():
    engine = CountingEngine()
    both, one = (DraftQuery(prompts, "root ::= [a-z]+", 1, 5, None) for prompts in (("<|a|>", "<|b|>"), ("<|b|>",)))
    assert len((await engine.draft(both)).texts) == 2
    assert (await engine.draft(one)).cached
    assert engine.written == 2
    drafts = [Drafts(("a1", "a2"), 1, 2, True), Drafts(("b1",), 1, 2, False)]
    assert Drafts.dealt(drafts) == Drafts(("a1", "b1", "a2"), 2, 4, False)


async def test_the_first_draft_grows_before_all_are_given():
    query = DraftQuery(("<|a|>", "<|b|>"), "root ::= [a-z]+", 1, 3, None)
    engine = CountingEngine()
    assert [event async for event in engine.stream(query)] == ["a", "aa", "aaa", Drafts(("aaa", "aaa"), 2, 2)]
    assert [event async for event in engine.stream(query)] == [Drafts(("aaa", "aaa"), cached=True)]


async def test_drafts_that_did_not_do_are_replaced_in_the_cache():
    engine = CountingEngine()
    query = DraftQuery(("<|a|>",), "root ::= [a-z]+", 1, 3, None)
    await engine.draft(query)
    assert not (await engine.draft(replace(query, renew=True))).cached
    assert (await engine.draft(query)).cached
    assert engine.written == 2


async def test_each_version_of_a_voice_has_drafts_of_its_own():
    engine = CountingEngine()
    query = DraftQuery(("<|a|>",), "root ::= [a-z]+", 1, 3, None)
    for path in (None, "voices/a/v-1", "voices/a/v-2"):
        adapter = Adapter("a", "1", path) if path else None
        assert [(await engine.draft(replace(query, adapter=adapter))).cached for _ in range(2)] == [False, True]


async def test_a_version_whose_successor_is_used_is_unloaded_and_so_is_a_voice_that_is_gone(tmp_path):
    unloaded: list[int] = []

    class Llm:
        async def add_lora(self, request: object) -> bool:
            return True

        async def remove_lora(self, number: int) -> None:
            unloaded.append(number)

    adapters = Adapters(Llm())
    for name in ("a1", "a2", "b1", "c1"):
        (tmp_path / name).mkdir()
    numbers = {}
    for name in ("a1", "b1", "a1", "a2"):
        numbers[name] = (await adapters.request(Adapter(name[0], name[1], str(tmp_path / name)))).lora_int_id
    assert len(set(numbers.values())) == 3
    assert unloaded == [numbers["a1"]]
    (tmp_path / "b1").rmdir()
    await adapters.request(Adapter("c", "1", str(tmp_path / "c1")))
    assert unloaded == [numbers["a1"], numbers["b1"]]


async def test_a_voice_whose_directory_is_gone_or_broken_is_refused_before_it_reaches_a_step(tmp_path):
    class Llm:
        async def add_lora(self, request: object) -> bool:
            raise ValueError("no adapter_config.json")

    adapters = Adapters(Llm())
    with pytest.raises(ArtifactError, match="is gone; publish it again"):
        await adapters.request(Adapter("a", "1", str(tmp_path / "absent")))
    (tmp_path / "broken").mkdir()
    for _ in range(2):  # it is not taken for loaded the second time
        with pytest.raises(ValueError, match="no adapter_config"):
            await adapters.request(Adapter("a", "1", str(tmp_path / "broken")))


async def test_a_prompt_of_which_no_draft_is_sure_is_not_written_again_for_every_request():
    engine = CountingEngine()
    engine._settings = GeneratorSettings(model="tiny", min_mean_logprob=-0.5)
    both = DraftQuery(("<|a|>", "<|b|>"), "root ::= [a-z]+", 1, 5, None)
    sure = engine.complete

    async def complete(prompt: str, *rest: object, **more: object) -> object:
        output = await sure(prompt, *rest, **more)
        output.outputs[0].cumulative_logprob = 0.0 if prompt == "<|a|>" else -1.0
        return output

    engine.complete = complete
    first, second = await engine.draft(both), await engine.draft(both)
    assert (first.texts, first.cached) == (("aaaaa",), False)
    assert (second.texts, second.cached, second.output_tokens) == (("aaaaa",), True, 0)
    assert engine.written == 2


def test_a_model_that_does_not_know_the_tags_of_its_prompts_is_refused_before_an_engine_starts(tmp_path):
    with pytest.raises(ValueError, match=r"generator model: .* does not know the tag <\|copy\|>; .*prompt_style: chat"):
        Engine(GeneratorSettings(model=str(make_bert(tmp_path))))


@pytest.mark.parametrize("broken", [{"cumulative_logprob": float("nan")}, {"token_ids": []}])
async def test_a_model_that_can_not_write_is_found_out_by_its_first_draft(broken):
    engine = CountingEngine()
    await engine.warm_up()
    writes = engine.complete

    async def complete(*given: object, **more: object) -> object:
        output = await writes(*given, **more)
        vars(output.outputs[0]).update(broken)
        return output

    engine.complete = complete
    with pytest.raises(ValueError, match="can't write; its weights are damaged"):
        await engine.warm_up()
