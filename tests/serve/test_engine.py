"""What `serve/engine.py` promises, one behaviour a test."""

import time
from types import SimpleNamespace

from serve.config import GeneratorSettings
from serve.engine import DraftCache, Engine
from serve.exchange import DraftQuery, Drafts


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

    async def complete(self, prompt: str, query: DraftQuery, offset: int = 0) -> object:
        self.written += 1
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
