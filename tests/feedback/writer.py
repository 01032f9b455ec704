"""A process that sends events to a database and says which were acknowledged, for tests that run several or kill them.

    python -m tests.feedback.writer DATABASE_URL NUMBER_OF_EVENTS SEED

Events are the same for every writer, in an order of its own. Each line on stdout is `status event_id`, written after the acknowledgement.
"""

import random
import sys

from feedback.database import Database
from feedback.records import Behaviour
from feedback.state import ShopperState
from tests.feedback.statekit import behaviour

BATCH = 7
PER_SHOPPER = 150  # fewer than are kept, so that what is missing was lost and not cut


def all_events(count: int) -> list[Behaviour]:
    """The events that every writer sends."""
    names = (f"shopper-{number // PER_SHOPPER}" for number in range(count))
    return [behaviour(f"e{number:05}", name, number, consent=True, locale="en-GB") for number, name in enumerate(names)]


def main() -> None:
    """Send everything, batch by batch."""
    url, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    state, batch = ShopperState(Database(url)), all_events(count)
    random.Random(seed).shuffle(batch)
    print("ready", flush=True)
    for start in range(0, count, BATCH):
        for receipt in state.record(batch[start : start + BATCH]):
            print(receipt.status, receipt.event_id, flush=True)


if __name__ == "__main__":
    main()
