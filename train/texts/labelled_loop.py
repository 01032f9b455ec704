"""One worker's part of training a classifier on labelled texts: what sentiment and strategies share.

    teach(config, "sentiment", Lesson(training, held_out, names=("negative", "positive")))          # inside a loop that Ray runs

Loss: cross-entropy, or binary cross-entropy for each label where a text may have several, weighted against rare labels being overlooked
where the lesson says so. Held-out figures: accuracy (of all of a text's labels), macro F1, log loss, and the temperature from one half with
the calibration error on the other. Which texts are read, and what their labels are called, is the caller's.
"""

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from train.reports.exhibits import Exhibits, classified_exhibits
from train.reports.metrics import Floats, calibration_error, class_temperature, f1, label_temperature, sigmoid, softmax
from train.run.loop import Batch, Recipe, fit
from train.run.private_settings import Privacy
from train.run.settings import data_hash
from train.texts import classifier
from train.texts.adversarial import hardened
from train.texts.attribution import EXPLAINED, explained
from train.texts.augment import noisy
from train.texts.classifier import ClassifierConfig
from train.texts.data_card import DATA_CARD, data_card
from train.texts.labelled import SEVERAL, Labelled, Texts
from train.texts.mixing import mixed


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned from and judged on. `balance` is by which power of its frequency a label weighs less: 0 not at all, 1 to the full."""

    training: Sequence[Labelled]
    held_out: Sequence[Labelled]
    names: tuple[str, ...]
    several: bool = False
    """Whether a text may have several labels, or none."""
    balance: float = 0.0
    read: Texts | None = None
    """Everything that was read, for the data card; none means no card."""

    @property
    def problem(self) -> str:
        """As transformers calls it."""
        return "multi_label_classification" if self.several else "single_label_classification"

    @property
    def weights(self) -> list[float]:
        """How much each label counts, in the order of `names`; a training text weighs 1 on average."""
        counts = Counter(name for row in self.training for name in row.label.split(SEVERAL))
        raw = np.array([max(1, counts[name]) ** -self.balance for name in self.names])
        seen = np.array([counts[name] for name in self.names])
        return [float(weight) for weight in raw * seen.sum() / (raw * seen).sum()]


def teach(config: ClassifierConfig, kind: str, lesson: Lesson, private: Privacy | None = None) -> None:
    """Train on the lesson; call on every worker, after seeding. Raises ValueError where the tokenizer has nothing to part a text from what
    was said before it."""
    tokenizer, model = classifier.start(config, kind, lesson.names, lesson.problem, [row.text for row in lesson.training])
    weights = lesson.weights if lesson.balance else []
    classifier.weigh(model, weights)
    numbers_of = {name: number for number, name in model.config.id2label.items()}
    texts, asked = ([with_context(row, tokenizer) for row in rows] for rows in (lesson.training, lesson.held_out))
    labels, truth = (targets(rows, numbers_of, lesson.several) for rows in (lesson.training, lesson.held_out))
    if not private:  # what is fitted here would be published without noise
        classifier.fit_ngrams(model, texts, one_hot(labels, len(numbers_of)), tokenizer, config, weights)

    # by a seed that all know, whoever is in a batch would change what is hidden of the others
    seed = secrets.token_hex(16) if private else str(config.seed)

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        drawn = [noisy(texts[number], config.augment, Random(f"{seed}/{epoch}/{number}/noise")) for number in numbers]
        chosen = classifier.encode(drawn, tokenizer, config.max_tokens)
        hidden = classifier.hide_words(chosen, config.word_dropout, f"{seed}/{epoch}/{numbers[0]}")
        return hidden | {"labels": torch.from_numpy(labels[list(numbers)])}

    judge = Judge(asked, truth, tokenizer, config.max_tokens)
    recipe = Recipe(
        count=len(texts),
        batch=batch,
        loss=hardened(partial(classifier.labelled_loss, weights=weights), config.adversarial),
        evaluate=judge,
        export=lambda model, directory: classifier.export(model, directory, tokenizer, judge.temperature, config),
        lengths=[len(text) for text in texts],
        exhibits=lambda model: replace(
            judge.shown(tuple(numbers_of)),
            pages={EXPLAINED: explained(model, tokenizer, config.max_tokens, asked)} | _card(config, lesson, private),
        ),
        private=private,
    )
    fit(config, model, recipe)


def _card(config: ClassifierConfig, lesson: Lesson, private: Privacy | None) -> dict[str, str]:
    """The data card, where it is known what was read; without a hash of texts that are to stay private."""
    if lesson.read is None:
        return {}
    hashed = "" if private else data_hash(lesson.read.files)
    return {DATA_CARD: data_card(lesson.training, lesson.held_out, lesson.read, name=config.name, about=config.about_data, hashed=hashed)}


class Judge:
    """The figures on held-out texts, and what they come from, kept from the last judgement for the export and the report behind it."""

    def __init__(self, texts: Sequence[str], truth: NDArray[Any], tokenizer: Any, max_tokens: int) -> None:
        self._texts, self._truth, self._half = texts, truth, fitted_on(len(truth))
        self._reading = {"tokenizer": tokenizer, "max_tokens": max_tokens}
        self.temperature = 1.0
        self._logits: Floats

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """As `judged` has them; the paths of a GRU or TextCNN are mixed on the half that the temperature comes from."""
        self._logits = mixed(model, self._texts, self._truth, fitted_on=self._half, **self._reading)
        figures = judged(self._logits, self._truth)
        self.temperature = figures["temperature"]
        return figures

    def shown(self, names: tuple[str, ...]) -> Exhibits:
        """What the report shows of the held-out texts."""
        return classified_exhibits(self._logits, self._truth, names, self.temperature, fitted_on=self._half)


def with_context(row: Labelled, tokenizer: Any) -> str:
    """What the model reads: the text, and behind the tokenizer's separator what was said before it, whose end is what is cut."""
    if not row.context:
        return row.text
    separator = tokenizer.sep_token or tokenizer.eos_token
    if separator is None:
        raise ValueError("columns.context: the tokenizer has neither sep_token nor eos_token to stand before it; leave the context out")
    return f"{row.text} {separator} {row.context}"


def targets(rows: Sequence[Labelled], numbers_of: dict[str, int], several: bool) -> NDArray[Any]:
    """Class numbers (n,) of int64; where a text may have several labels, (n, labels) of 0 and 1."""
    if not several:
        return np.array([numbers_of[row.label] for row in rows], dtype=np.int64)
    found = np.zeros((len(rows), len(numbers_of)), dtype=np.float32)
    for row, line in zip(rows, found, strict=True):
        line[[numbers_of[name] for name in row.label.split(SEVERAL) if name]] = 1
    return found


def one_hot(labels: NDArray[Any], count: int) -> Tensor:
    """(n, count) of 0 and 1, from class numbers or from what is so already."""
    found = torch.from_numpy(labels)
    return found if found.ndim == 2 else nn.functional.one_hot(found, count)


def judged(logits: Floats, truth: NDArray[Any]) -> dict[str, float]:
    """Held-out accuracy, macro F1, log loss; the temperature from one half of the texts and the calibration error on the other. logits:
    (texts, labels); truth: (texts,) numbers of the model's labels, or (texts, labels) of 0 and 1."""
    half = fitted_on(len(truth))
    temperature = _temperature(logits[half], truth[half])
    if truth.ndim == 2:
        said, actual = logits > 0, truth > 0.5
        chances = sigmoid(logits[~half] / temperature)
        right, sure = actual[~half].ravel(), chances.ravel()
        accuracy = float((said == actual).all(axis=1).mean())
        loss = float(np.logaddexp(0, np.where(actual, -logits, logits)).mean())
        scores = [f1(said[:, number], actual[:, number]) for number in range(truth.shape[1]) if actual[:, number].any()]
    else:
        best, chances = logits.argmax(axis=1), softmax(logits[~half] / temperature)
        right, sure = chances.argmax(axis=1) == truth[~half], chances.max(axis=1)
        accuracy = float((best == truth).mean())
        loss = float(-np.log(softmax(logits)[np.arange(len(truth)), truth] + 1e-12).mean())
        scores = [f1(best == number, truth == number) for number in np.unique(truth)]
    figures = {"accuracy": accuracy, "macro_f1": float(np.mean(scores)), "validation_loss": loss}
    return figures | {"calibration_error": calibration_error(sure, right), "temperature": temperature}


def _temperature(logits: Floats, truth: NDArray[Any]) -> float:
    return label_temperature(logits, truth) if truth.ndim == 2 else class_temperature(logits, truth)


def fitted_on(count: int) -> NDArray[np.bool_]:
    """The half of the texts from which the temperature comes: (count,)."""
    return np.asarray(np.random.default_rng(0).permutation(count) % 2 == 0)
