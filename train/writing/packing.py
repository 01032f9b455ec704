"""Several examples in one row, so that a batch of texts of many lengths holds next to no padding.

Examples of a row don't see each other: positions begin anew with each, from which transformers makes a block-diagonal mask where no other
mask is given. A model that makes none is found out before the training (`check_packing`). Rows are filled by first-fit decreasing.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from train.writing.completions import IGNORED, Encoded
from train.writing.padding import collate

_TOLERANCE = 1e-3  # nats, in fp32


def rows_of(lengths: Sequence[int], limit: int) -> list[list[int]]:
    """Example numbers by row; no row is longer than `limit` tokens unless one example is."""
    rows: list[list[int]] = []
    room: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda each: -lengths[each]):
        place = next((row for row, left in enumerate(room) if left >= lengths[number]), len(rows))
        if place == len(rows):
            rows.append([])
            room.append(limit)
        rows[place].append(number)
        room[place] -= lengths[number]
    return rows


def packed(encoded: Sequence[Encoded], limit: int, pad: int) -> dict[str, Tensor]:
    """Each tensor is (rows, longest). The first token of an example has no label: what is before it is another example."""
    rows = [[encoded[number] for number in row] for row in rows_of([len(tokens) for tokens, _ in encoded], limit)]
    joined = [
        (
            [token for tokens, _ in row for token in tokens],
            [label for _, labels in row for label in (IGNORED, *labels[1:])],
            [place for tokens, _ in row for place in range(len(tokens))],
        )
        for row in rows
    ]
    longest = max(len(tokens) for tokens, _, _ in joined)
    fill = (pad, IGNORED, 0)  # padding: positions that stand still are texts of one token each
    columns = [
        [part + [filler] * (longest - len(part)) for part in parts] for parts, filler in zip(zip(*joined, strict=True), fill, strict=True)
    ]
    return {name: torch.tensor(column) for name, column in zip(("input_ids", "labels", "position_ids"), columns, strict=True)}


@torch.no_grad()
def check_packing(loss: Callable[..., Any], encoded: Sequence[Encoded], pad: int) -> None:
    """Raises ValueError where a model's loss on examples in one row is not its loss on the same examples apart."""
    apart = float(loss(**collate(encoded, pad)))
    together = float(loss(**packed(encoded, sum(len(tokens) for tokens, _ in encoded), pad)))
    if abs(apart - together) > _TOLERANCE:
        raise ValueError(
            f"packing = True: this model lets packed examples see each other (loss {together:.4f} instead of {apart:.4f}); "
            "pass --set packing=false"
        )
