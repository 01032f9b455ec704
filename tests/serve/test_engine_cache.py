import time

from serve.engine import DraftCache


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
