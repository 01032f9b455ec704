"""A filter over the rows of an index, packed eight to a byte: made once by a caller, kept for as long as the filter stays.

    allowed = Bitmap.pack(mask)
    index.search(vector, 10, allowed)

Immutable, so that threads may share one. What is allowed, and why, is the catalogue's business.
"""

from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray


class Bitmap:
    """Which of `size` rows are in. `bits` (ceil(size / 8),) uint8, the lowest bit first."""

    def __init__(self, bits: NDArray[np.uint8], size: int) -> None:
        self.bits = bits
        self.size = size

    @classmethod
    def pack(cls, mask: NDArray[np.bool_]) -> Self:
        """(n,) mask, True for a row that is in."""
        return cls(np.packbits(mask, bitorder="little"), len(mask))

    @classmethod
    def of_rows(cls, rows: NDArray[np.int64], size: int) -> Self:
        """The given rows out of `size`. Raises IndexError for a row that is not there."""
        mask = np.zeros(size, np.bool_)
        if len(rows) and rows.min() < 0:
            raise IndexError(f"row {int(rows.min())}: rows count from 0")
        mask[rows] = True
        return cls.pack(mask)

    def __len__(self) -> int:
        return self.size

    @cached_property
    def count(self) -> int:
        """How many rows are in."""
        return int(np.bitwise_count(self.bits).sum(dtype=np.int64))

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The rows that are in, ascending."""
        return np.flatnonzero(np.unpackbits(self.bits, count=self.size, bitorder="little"))

    def holds(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each row of an array of any shape: is it in? A negative row, FAISS's word for none, is not."""
        found = (self.bits[rows >> 3] >> (rows & 7).astype(np.uint8)) & 1
        held: NDArray[np.bool_] = found.astype(np.bool_) & (rows >= 0)
        return held

    def both(self, other: "Bitmap") -> "Bitmap":
        """The rows that are in this one and in another of the same size."""
        return Bitmap(self.bits & other.bits, self.size)

    def inverted(self) -> "Bitmap":
        """The rows that are not in."""
        return Bitmap.pack(np.unpackbits(self.bits, count=self.size, bitorder="little") == 0)
