"""The rerankers: one file each, and this one dict. To add a scorer: a file with a class like these, and a line here."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from serve.scorers.persuasion import PersuasionScorer
from serve.scorers.sentiment import SentimentScorer


class Scorer(Protocol):
    """Texts in, one score each out."""

    def score(self, texts: Sequence[str]) -> Sequence[Any]:
        """(n,) texts → n scores."""
        ...


SCORERS: dict[str, Callable[[str, int], Scorer]] = {"persuasion": PersuasionScorer, "sentiment": SentimentScorer}
