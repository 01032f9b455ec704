"""The mood of a text."""

from collections.abc import Sequence

from serve.exchange import SentimentScore
from serve.scorers.classifier import Classifier, softmax

_MOODS = {"negative", "neutral", "positive"}


class SentimentScorer:
    """A softmax over negative, positive and perhaps neutral, which has no chance where the model does not know it. Raises ValueError for a
    model with other labels."""

    def __init__(self, model: str, threads: int = 1) -> None:
        self._classifier = Classifier(model, "sentiment", threads)
        self.version = self._classifier.version
        if not _MOODS - {"neutral"} <= set(self._classifier.labels) <= _MOODS:
            raise ValueError(
                f"sentiment model: {model!r} has the labels {list(self._classifier.labels)}; "
                "negative, positive and perhaps neutral are needed: name a model trained with `python -m train.sentiment`"
            )

    def score(self, texts: Sequence[str]) -> list[SentimentScore]:
        """(n,) texts → n scores."""
        rows = softmax(self._classifier.logits(texts)).tolist()
        return [SentimentScore(**({"neutral": 0.0} | dict(zip(self._classifier.labels, row, strict=True)))) for row in rows]
