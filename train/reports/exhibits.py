"""What a run shows of its model on held-out data: predictions, margins between pairs, texts that it wrote.

A loop hands them over as `Recipe.exhibits`; they lie in its last checkpoint as numbers (`exhibits.npz`) and words (`exhibits.json`), and
`train/reports/report.py` draws them. Knows neither torch nor matplotlib.

    Recipe(…, exhibits=lambda model: classified_exhibits(logits_of(model, …), labels, names, temperature))
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.reports.metrics import Floats, sigmoid, softmax

REPORT = "report/report.md"
"""Where below a run's directory its report lies."""
_NUMBERS, _WORDS = "exhibits.npz", "exhibits.json"


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a classifier said of held-out examples. Single-label: `labels` (n,) are class numbers. Multi-label: `labels` (n, classes) are
    1, 0, or below 0 where it isn't known. `unseen` (n,) tells the examples that the temperature was not fitted on."""

    logits: Floats
    labels: NDArray[Any]
    names: tuple[str, ...]
    temperature: float
    unseen: NDArray[np.bool_]

    def __post_init__(self) -> None:
        expected = (len(self.unseen), len(self.names))
        if self.logits.shape != expected or self.labels.shape not in (expected, expected[:1]) or not expected[0]:
            raise ValueError(
                f"predictions need (n, {len(self.names)}) logits for {len(self.names)} names, as many labels and at least one example: "
                f"logits {self.logits.shape}, labels {self.labels.shape}, unseen {self.unseen.shape}"
            )

    @property
    def multi_label(self) -> bool:
        """Whether an example may have several labels, or none."""
        return self.labels.ndim == 2

    def chances(self, temperature: float | None = None) -> Floats:
        """(n, classes): softmax of the logits, or for several labels sigmoid, at this temperature or the model's own."""
        scaled = self.logits / (temperature or self.temperature)
        return sigmoid(scaled) if self.multi_label else softmax(scaled)

    def one_against_rest(self, column: int) -> tuple[Floats, NDArray[np.bool_]]:
        """(scores, whether it is so) of the examples for which it is known whether this label holds."""
        if self.multi_label:
            known = self.labels[:, column] >= 0
            return self.logits[known, column], self.labels[known, column] > 0.5
        return self.chances()[:, column], self.labels == column

    def confidence(self, temperature: float) -> tuple[Floats, NDArray[np.bool_]]:
        """(how sure, whether rightly) over unseen examples: of the likeliest class, or of every label that is known."""
        chances, labels = self.chances(temperature)[self.unseen], self.labels[self.unseen]
        if self.multi_label:
            return chances[labels >= 0], labels[labels >= 0] > 0.5
        return chances.max(axis=1), chances.argmax(axis=1) == labels


@dataclass(frozen=True, slots=True)
class Sample:
    """A text that a generator wrote, with what it was asked and what a person had answered."""

    prompt: str
    reference: str
    written: str


@dataclass(frozen=True, slots=True)
class Exhibits:
    """All that a run shows. `margins` (n,) are by how much the better one of each pair was scored above the other, in logits."""

    predictions: Predictions | None = None
    margins: Floats | None = None
    samples: tuple[Sample, ...] = ()
    pages: Mapping[str, str] = field(default_factory=dict)
    """File name → page that is laid beside the report, such as the data card."""


def classified_exhibits(
    logits: Floats,
    labels: NDArray[Any],
    names: Sequence[str],
    temperature: float,
    *,
    fitted_on: NDArray[Any] | slice | None = None,
    margins: Floats | None = None,
) -> Exhibits:
    """Predictions of a classifier as `Predictions` has them. `fitted_on` are the rows, as an index, that the temperature comes from:
    calibration is shown on the others."""
    unseen = np.ones(len(logits), dtype=bool)
    if fitted_on is not None:
        unseen[fitted_on] = False
    return Exhibits(Predictions(np.asarray(logits, dtype=np.float64), labels, tuple(names), temperature, unseen), margins)


def write_exhibits(shown: Exhibits, directory: Path) -> None:
    """Numbers and words apart, so that reading them runs nothing."""
    told = shown.predictions
    numbers: dict[str, Any] = {"logits": told.logits, "labels": told.labels, "unseen": told.unseen} if told else {}
    numbers |= {"margins": shown.margins} if shown.margins is not None else {}
    words: dict[str, Any] = {"names": told.names, "temperature": told.temperature} if told else {}
    np.savez_compressed(directory / _NUMBERS, allow_pickle=False, **numbers)
    words["samples"] = [asdict(sample) for sample in shown.samples]
    words["pages"] = dict(shown.pages)
    (directory / _WORDS).write_text(json.dumps(words, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_exhibits(directory: Path) -> Exhibits:
    """What `write_exhibits` left there; nothing to show where there is nothing."""
    if not (directory / _WORDS).is_file():
        return Exhibits()
    words = json.loads((directory / _WORDS).read_text(encoding="utf-8"))
    with np.load(directory / _NUMBERS, allow_pickle=False) as numbers:
        told = None
        if "logits" in numbers:
            told = Predictions(numbers["logits"], numbers["labels"], tuple(words["names"]), float(words["temperature"]), numbers["unseen"])
        margins = numbers.get("margins")
    return Exhibits(told, margins, tuple(Sample(**sample) for sample in words["samples"]), words.get("pages", {}))
