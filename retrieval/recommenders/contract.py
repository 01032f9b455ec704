"""What every recommender is: vectors of products and of shoppers whose inner product is preference.

A shopper is their history, nothing more: what they touched, how much it says and how long ago, and words about them (`context`). So a
shopper vector can be computed for anybody at request time, from the latest event on, and any sum of recommenders is again one inner
product, which one FAISS index searches.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
VISIT_GAP_DAYS = 30 / (24 * 60)
"""Events without a gap of more than thirty minutes are one visit."""


@dataclass(frozen=True, slots=True)
class History:
    """One shopper. `rows` (k,) product rows, oldest first; `weights` (k,) what an event says (0: nothing, below 0: dislike); `days` (k,)
    age of each event at the moment of asking; `context` words about the shopper: `locale:zh-CN`, `age_band:25-34`, `country:FR`."""

    rows: NDArray[np.int64]
    weights: NDArray[np.float32]
    days: NDArray[np.float32]
    context: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def in_visit(self) -> bool:
        """Is the shopper here right now? The latest event that says something for a product is no older than a visit's longest gap. A
        cancellation is booked by the shop's staff, whenever they get to it."""
        taken = self.days[self.weights > 0]
        return len(taken) > 0 and bool(taken[-1] <= VISIT_GAP_DAYS)

    def until(self, end: int) -> "History":
        """The first `end` events (or all but the last -end), aged as they are."""
        return History(self.rows[:end], self.weights[:end], self.days[:end], self.context)


NOBODY = History(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32))
"""Of whom nothing is known."""


class Scoring(Protocol):
    """Whatever ranks all products for shoppers. More is not needed to be judged."""

    def scores(self, histories: Sequence[History]) -> Vectors:
        """(m,) histories → (m, n) preference of every product."""
        ...


class ContentRequired(ValueError):
    """A recommender that needs the products' text vectors or attributes was given none."""


class PreferenceModel(ABC):
    """A fitted recommender. Reads only once fitted: several threads may share one."""

    name: ClassVar[str]
    product_vectors: Vectors
    """(n products, d), in the order of the products that it was fitted on."""

    @abstractmethod
    def shopper_vectors(self, histories: Sequence[History]) -> Vectors:
        """(m,) histories → (m, d). A row of zeros: nothing that this recommender uses is known of the shopper."""

    @abstractmethod
    def save(self, directory: Path) -> None:
        """Write everything that `load` needs into an existing directory."""

    @classmethod
    @abstractmethod
    def load(cls, directory: Path) -> "PreferenceModel":
        """Read what `save` wrote. The caller has checked the card of the directory."""

    def new_product_vectors(self, attributes: Sequence[Sequence[int]], content: Vectors | None) -> Vectors | None:
        """(k, d) vectors of products that were not there when it was fitted, from their attribute numbers and text vectors; None where
        this recommender can say nothing of them (the hybrid then maps their content, `content.ContentMap`)."""
        return None

    def scores(self, histories: Sequence[History]) -> Vectors:
        """(m, n) preference of every product. For evaluation; serving searches the index."""
        scored: Vectors = self.shopper_vectors(histories) @ self.product_vectors.T
        return scored
