"""Which purchase a cancellation takes back: the shopper's latest earlier purchase of that product with enough units left.

A retailer's export seldom says it, so this is a match by shopper, product, time and units. Unmatched ones (bought before the export
begins, or more units than were bought) stay cancellations and are noted.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from retrieval.cleaning import KEPT, joined, note
from retrieval.expressions import column
from retrieval.folding import key_codes


def match(events: pa.Table, cancelled: np.ndarray[Any, np.dtype[np.bool_]]) -> pa.Table:
    """Notes on every cancellation: `cancellation_matched`, new = the latest purchase's event_id, or `cancellation_unmatched`."""
    if not cancelled.any():
        return joined([])
    keys = key_codes(events, ["shopper_id", "product_id"])
    concerned = np.flatnonzero(np.isin(keys, np.unique(keys[cancelled & (keys >= 0)])))
    instants = column(events, "at").cast(pa.int64()).to_numpy()
    units = column(events, "quantity").fill_null(1).to_numpy(zero_copy_only=False)
    # at one instant purchases come first: till and return desk share the minute
    order = concerned[np.lexsort((cancelled[concerned], instants[concerned], keys[concerned]))]
    found = _taken_back(order.tolist(), keys, cancelled, units)
    ids = column(events, "event_id")
    purchases = np.full(events.num_rows, -1)
    purchases[list(found)] = list(found.values())
    matched = cancelled & (purchases >= 0)
    new = ids.take(pa.array(purchases, mask=purchases < 0))
    old = column(events, "quantity")
    return joined(
        [
            note(events, matched, (KEPT, "cancellation_matched", "event_id"), old, new),
            note(events, cancelled & ~matched, (KEPT, "cancellation_unmatched", "event_id"), old),
        ]
    )


def _taken_back(order: list[int], keys: Any, cancelled: Any, units: Any) -> dict[int, int]:
    """Cancellation row → the latest purchase row it draws on. `order` is by key, then time."""
    found: dict[int, int] = {}
    bought: list[list[int]] = []  # of the current key: [row, units left], oldest first
    current = -1
    for row in order:
        if keys[row] != current:
            current, bought = int(keys[row]), []
        if not cancelled[row]:
            bought.append([row, int(units[row])])
        elif sum(left for _, left in bought) >= units[row]:
            found[row] = bought[-1][0]
            _draw(bought, int(units[row]))
    return found


def _draw(bought: list[list[int]], units: int) -> None:
    """Take units from the latest purchases, in place."""
    while units > 0:
        taken = min(units, bought[-1][1])
        bought[-1][1] -= taken
        units -= taken
        if bought[-1][1] == 0:
            bought.pop()
