"""Several writers at once, and writers that are killed: what was acknowledged is there, and nothing twice."""

import subprocess
import sys
from collections import Counter

from feedback.state import ShopperState
from tests.fakes import ROOT
from tests.feedback.statekit import statuses, stored_ids
from tests.feedback.writer import all_events

KILLS = 4
SENT = 600


def writer(url: str, count: int, seed: int) -> subprocess.Popen[str]:
    """A writer that has started."""
    command = [sys.executable, "-m", "tests.feedback.writer", url, str(count), str(seed)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def test_two_writers_of_the_same_events_store_each_once(url, database):
    both = [writer(url, SENT, seed) for seed in (1, 2)]
    lines = [line.split() for process in both for line in process.communicate(timeout=120)[0].splitlines()]
    assert [process.returncode for process in both] == [0, 0]
    assert Counter(status for status, _ in lines) == {"stored": SENT, "duplicate": SENT}
    assert len({event_id for status, event_id in lines if status == "stored"}) == SENT
    assert sorted(stored_ids(database)) == [event.event_id for event in all_events(SENT)]


def test_what_a_killed_writer_acknowledged_is_stored_and_nothing_twice(url, database):
    acknowledged: set[str] = set()
    for seed in range(KILLS):
        process = writer(url, SENT, seed)
        told = [process.stdout.readline().split() for _ in range(20 + 13 * seed)]
        process.kill()
        told += [line.split() for line in process.communicate(timeout=60)[0].splitlines()]
        acknowledged |= {words[1] for words in told if len(words) == 2 and len(words[1]) == len("e00000")}
        stored = stored_ids(database)
        assert len(stored) == len(set(stored))
        assert acknowledged <= set(stored)
    assert 0 < len(stored) < SENT, "the writers were killed in the middle"
    receipts = ShopperState(database).record(all_events(SENT))
    assert Counter(statuses(receipts)) == {"duplicate": len(stored), "stored": SENT - len(stored)}, "sending all of it again mends the rest"
    assert sorted(stored_ids(database)) == [event.event_id for event in all_events(SENT)]
