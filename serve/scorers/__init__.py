"""The rerankers: one file each, and this one dict. To add a scorer: a file with a class like these, and a line here."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from serve.scorers.persuasion import PersuasionScorer
from serve.scorers.sentiment import SentimentScorer


class Scorer(Protocol):
    """Texts in, one score each out. `version` is that of its model."""

    version: str

    def score(self, texts: Sequence[str]) -> Sequence[Any]:
        """(n,) texts → n scores."""
        ...


_TRIAL = ("A warm coat.", "暖和的大衣。")

SCORERS: dict[str, Callable[[str, int], Scorer]] = {"persuasion": PersuasionScorer, "sentiment": SentimentScorer}


def opened(name: str, model: str, threads: int) -> Scorer:
    """A scorer that has scored: damaged weights are found before they serve. Raises ValueError for those, and for other labels than the
    graph needs; ArtifactError for a directory that doesn't match its card."""
    scorer = SCORERS[name](model, threads)
    if not all(score.is_sound() for score in scorer.score(_TRIAL)):
        raise ValueError(f"{name} model: {model!r} gives scores outside [0, 1]; its weights are damaged: train it again")
    return scorer
