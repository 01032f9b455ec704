"""How persuasive a text is, and by which principles."""

from collections.abc import Sequence

from copywriting.principles import PRINCIPLES
from serve.exchange import PersuasionScore
from serve.scorers.classifier import Classifier, sigmoid


class PersuasionScorer:
    """Independent sigmoid heads: `persuasive` and one for each principle. Raises ValueError for a model with other labels."""

    def __init__(self, model: str, threads: int = 1) -> None:
        self._classifier = Classifier(model, "persuasion", threads)
        self.version = self._classifier.version
        if missing := {"persuasive", *PRINCIPLES} - set(self._classifier.labels):
            raise ValueError(
                f"persuasion model: {model!r} lacks the labels {sorted(missing)}; name a model trained with `python -m train.persuasion`"
            )

    def score(self, texts: Sequence[str]) -> list[PersuasionScore]:
        """(n,) texts → n scores."""
        rows = sigmoid(self._classifier.logits(texts)).tolist()
        named = [dict(zip(self._classifier.labels, row, strict=True)) for row in rows]
        return [PersuasionScore(row["persuasive"], {name: row[name] for name in PRINCIPLES}) for row in named]
