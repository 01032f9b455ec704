"""The mood of a text."""

from collections.abc import Sequence

from serve.exchange import SentimentScore
from serve.scorers.classifier import Classifier


class SentimentScorer:
    """A softmax over negative, neutral and positive. Raises ValueError for a model with other labels."""

    def __init__(self, model: str, threads: int = 1) -> None:
        self._classifier = Classifier(model, "sentiment", threads)
        if set(self._classifier.labels) != {"negative", "neutral", "positive"}:
            raise ValueError(
                f"sentiment model: {model!r} has the labels {list(self._classifier.labels)}; "
                "negative, neutral and positive are needed: name a model trained with `python -m train.sentiment`"
            )

    def score(self, texts: Sequence[str]) -> list[SentimentScore]:
        """(n,) texts → n scores."""
        rows = self._classifier.logits(texts).softmax(-1).tolist()
        return [SentimentScore(**dict(zip(self._classifier.labels, row, strict=True))) for row in rows]
