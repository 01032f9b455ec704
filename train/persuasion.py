"""Train the persuasion scorer: which principles a text appeals to, and whether it persuades at all.

    python -m train.persuasion [--config train/configs/persuasion.yaml] [--base DIR] [--out DIR] [--set key=value] [--resume RUN]
    python -m train.persuasion --set pairs=ab_tests.csv --out DIR            # the copybook, and what your shoppers chose

Data: the copybook (train/texts/judged_copy.py): a piece's own tags are its principles, and it persuades beside flat statements and damaged
copy; and A/B outcomes or judgements (train/texts/pairs.py): of two texts, which did better. Either may be left out; without the copybook
and without a base that knows the principles, a model has the one label `persuasive` and can't serve. Model: as train/texts/classifier.py
has it. Loss: binary cross-entropy per known label, and Bradley-Terry on the difference of `persuasive` between two texts. Held out: a
seeded share of the pieces, and of whole tests.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import model_validator
from torch import Tensor, nn
from transformers import AutoConfig

from copywriting import copybook
from train.job import launch, run_command
from train.reports.exhibits import Exhibits, classified_exhibits
from train.reports.metrics import Floats, calibration_error, f1, label_temperature, sigmoid
from train.run.loop import Batch, Recipe, fit, seed_everything
from train.run.settings import InputPath, data_hash, read_command_line
from train.run.worker import tell
from train.texts import classifier, pairs
from train.texts.adversarial import hardened
from train.texts.augment import CopyNoise, Sisters, noisy
from train.texts.classifier import ClassifierConfig, logits_of
from train.texts.data_card import DATA_CARD, plain_card
from train.texts.examples import split
from train.texts.judged_copy import LABELS, Judged, examination, make
from train.texts.pairs import SIGNIFICANT, Pair, PairColumns, PairParts

KIND = "persuasion"
SCORE = LABELS[-1]


class PersuasionConfig(ClassifierConfig):
    """What the persuasion scorer needs besides the settings of every scorer."""

    copybook: InputPath | None = None
    pairs: InputPath | None = None
    """A table of A/B outcomes or of judgements."""
    pair_columns: PairColumns = PairColumns()
    augment: CopyNoise = CopyNoise()

    @model_validator(mode="after")
    def _has_data(self) -> Self:
        if self.copybook is None and self.pairs is None:
            raise ValueError("neither copybook nor pairs is given; name a directory of pieces, a table of A/B outcomes, or both")
        return self


class Lessons:
    """What one run learns from: numbers below `len(pieces)` are pieces of the copybook, the others pairs."""

    def __init__(self, config: PersuasionConfig) -> None:
        self._config = config
        read = copybook.load(config.copybook) if config.copybook else ()
        self.pieces, self.held_out_pieces = split(read, config.held_out, config.seed) if read else ([], [])
        self._sisters = Sisters(self.pieces)
        found = pairs_of(config)
        self.pairs, self.held_out_pairs, self.left_out = found.training, found.held_out, found.left_out

    def __len__(self) -> int:
        return len(self.pieces) + len(self.pairs)

    @property
    def lengths(self) -> list[int]:
        """Characters of each."""
        return [len(piece.template) for piece in self.pieces] + [max(len(pair.first), len(pair.second)) for pair in self.pairs]

    @property
    def labels(self) -> tuple[str, ...]:
        """The principles can be learned from the copybook alone, or known by the base."""
        known = set(AutoConfig.from_pretrained(self._config.base).id2label.values()) if self._config.base else set()
        return LABELS if self.pieces or set(LABELS) <= known else (SCORE,)

    @property
    def texts(self) -> list[str]:
        """What a tokenizer of the run's own learns from."""
        written = [piece.template for piece in self.pieces]
        return written + [text for pair in self.pairs for text in (pair.first, pair.second)]

    def chosen(self, numbers: Sequence[int], epoch: int) -> tuple[list[Judged], list[Pair]]:
        """The examples with these numbers."""
        begin, noise = len(self.pieces), self._config.augment
        judged = [self._judged(number, epoch) for number in numbers if number < begin]
        judged = [replace(one, text=noisy(one.text, noise, Random(f"{self._config.seed}/{epoch}/{one.text}"))) for one in judged]
        return judged, [self.pairs[number - begin] for number in numbers if number >= begin]

    def _judged(self, number: int, epoch: int) -> Judged:
        """Another filling, or flat or damaged text, in every epoch, unless pieces are to stay as they were in the first."""
        seed, noise, pieces = self._config.seed, self._config.augment, self.pieces
        borrows = Random(f"{seed}/{epoch}/{number}/sister")
        if borrows.random() < noise.paraphrase:
            pieces = [*pieces[:number], self._sisters.paraphrase(pieces[number], borrows), *pieces[number + 1 :]]
        return make(pieces, number, Random(f"{seed}/{epoch if noise.slots else 0}/{number}"))


def pairs_of(config: PersuasionConfig) -> PairParts:
    """The pairs of the run; none without a table. Raises ConfigError for one that can't be used."""
    if config.pairs is None:
        return PairParts([], [], {})
    return pairs.parts(config.pairs, config.pair_columns, config.held_out, config.seed)


def loop(config: PersuasionConfig) -> None:
    """One worker's part of the run: what is trained on what."""
    seed_everything(config.seed)
    lessons = Lessons(config)
    if told := ", ".join(f"{count} {reason}" for reason, count in lessons.left_out.items() if count):
        tell({"phase": f"left out of the pairs: {told}"})
    tokenizer, model = classifier.start(config, KIND, lessons.labels, "multi_label_classification", lessons.texts)

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        judged, compared = lessons.chosen(numbers, epoch)
        words = [one.text for one in judged] + [pair.first for pair in compared] + [pair.second for pair in compared]
        texts = classifier.encode(words, tokenizer, config.max_tokens)
        hidden = classifier.hide_words(texts, config.word_dropout, f"{config.seed}/{epoch}/{numbers[0]}")
        labels = torch.tensor([one.labels for one in judged]).reshape(len(judged), len(LABELS))
        return hidden | {"labels": labels, "preferred": torch.tensor([pair.chance for pair in compared])}

    asked = examination(lessons.held_out_pieces, config.seed)
    judge = partial(judged_all, examples=asked, compared=lessons.held_out_pairs, tokenizer=tokenizer, max_tokens=config.max_tokens)
    recipe = Recipe(
        count=len(lessons),
        batch=batch,
        loss=hardened(partial(known_loss, score=list(model.config.id2label.values()).index(SCORE)), config.adversarial),
        evaluate=judge,
        export=lambda model, directory: classifier.export(model, directory, tokenizer, judge(model)["temperature"], config),
        lengths=lessons.lengths,
        exhibits=lambda model: replace(
            exhibits(model, examples=asked, tokenizer=tokenizer, max_tokens=config.max_tokens), pages={DATA_CARD: card(config, lessons)}
        ),
    )
    fit(config, model, recipe)


def card(config: PersuasionConfig, lessons: Lessons) -> str:
    """The data card: templates of pieces, and both texts of each pair once."""
    sides = ((lessons.pieces, lessons.pairs), (lessons.held_out_pieces, lessons.held_out_pairs))
    training, held_out = (
        [piece.template for piece in pieces] + list(dict.fromkeys(text for pair in pairs for text in (pair.first, pair.second)))
        for pieces, pairs in sides
    )
    files = [path for path in (config.copybook, config.pairs) if path]
    return plain_card(training, held_out, files, lessons.left_out, name=config.name, about=config.about_data, hashed=data_hash(files))


def known_loss(model: nn.Module, batch: Batch, score: int = -1) -> Tensor:
    """Mean binary cross-entropy over the labels that are known, plus that of Bradley-Terry over pairs. The rows of a batch are the
    `labels` (judged, labels), then the pairs' first texts, then their second ones; `preferred` (pairs,) in [0, 1]."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.float()
    judged, count = len(batch["labels"]), len(batch["preferred"])
    losses = []
    if judged:
        known = batch["labels"] >= 0
        losses.append(nn.functional.binary_cross_entropy_with_logits(logits[:judged][known], batch["labels"][known]))
    if count:
        margins = logits[judged : judged + count, score] - logits[judged + count :, score]
        losses.append(nn.functional.binary_cross_entropy_with_logits(margins, batch["preferred"]))
    return torch.stack(losses).sum()


def judged_all(
    model: nn.Module, *, examples: Sequence[Judged], compared: Sequence[Pair], tokenizer: Any, max_tokens: int
) -> dict[str, float]:
    """What `judged` and `judged_pairs` say; the temperature is that of the labels where there are any."""
    found = judged_pairs(model, compared=compared, tokenizer=tokenizer, max_tokens=max_tokens) if compared else {}
    return found | (judged(model, examples=examples, tokenizer=tokenizer, max_tokens=max_tokens) if examples else {})


def judged_pairs(model: Any, *, compared: Sequence[Pair], tokenizer: Any, max_tokens: int) -> dict[str, float]:
    """Share of held-out pairs of which the better text is scored higher, of all and of those whose outcomes differ by 1.96 standard errors;
    Bradley-Terry's log loss; the temperature of the differences."""
    margins = margins_of(model, compared, tokenizer, max_tokens)
    chances, z = (np.array([getattr(pair, name) for pair in compared]) for name in ("chance", "z"))
    right, told = np.where(margins == 0, 0.5, (margins > 0) == (z > 0)), z != 0
    metrics = {"pairwise_accuracy": float(right[told].mean())} if told.any() else {}
    if (clear := np.abs(z) > SIGNIFICANT).any():
        metrics["pairwise_accuracy_significant"] = float(right[clear].mean())
    won = np.logaddexp(0, -margins) * chances + np.logaddexp(0, margins) * (1 - chances)
    return metrics | {"pairwise_loss": float(won.mean()), "temperature": label_temperature(margins[:, None], chances[:, None])}


def margins_of(model: Any, compared: Sequence[Pair], tokenizer: Any, max_tokens: int) -> Floats:
    """(pairs,): by how much the first text is scored above the second."""
    column = list(model.config.id2label.values()).index(SCORE)
    first, second = ([getattr(pair, name) for pair in compared] for name in ("first", "second"))
    return np.asarray(np.subtract(*(logits_of(model, texts, tokenizer, max_tokens)[:, column] for texts in (first, second))))


def judged(model: nn.Module, *, examples: Sequence[Judged], tokenizer: Any, max_tokens: int) -> dict[str, float]:
    """Held-out F1 and accuracy per label over known labels; how many flat and damaged texts `persuasive` catches; the temperature from
    one half of the examples and the calibration error on the other."""
    logits = logits_of(model, [one.text for one in examples], tokenizer, max_tokens)
    labels = np.array([one.labels for one in examples])
    metrics: dict[str, float] = {}
    for column, name in enumerate(LABELS):
        known = labels[:, column] >= 0
        predicted, actual = logits[known, column] > 0, labels[known, column] > 0.5
        metrics |= {f"f1_{name}": f1(predicted, actual), f"accuracy_{name}": float((predicted == actual).mean())}
    refused = logits[:, -1] < 0
    is_damaged, is_flat = labels[:, 0] < 0, labels.max(axis=1) == 0
    metrics |= {"caught_flat": float(refused[is_flat & ~is_damaged].mean()), "caught_damaged": float(refused[is_damaged].mean())}
    metrics["macro_f1"] = float(np.mean([metrics[f"f1_{name}"] for name in LABELS]))
    half = _calibrated_on(len(labels))
    temperature = label_temperature(logits[half], labels[half])
    chances, truth = sigmoid(logits[~half] / temperature), labels[~half]
    return metrics | {"calibration_error": calibration_error(chances[truth >= 0], truth[truth >= 0] > 0.5), "temperature": temperature}


def _calibrated_on(count: int) -> NDArray[np.bool_]:
    return np.arange(count) % 4 < 2  # pairs stay together


def exhibits(model: nn.Module, *, examples: Sequence[Judged], tokenizer: Any, max_tokens: int) -> Exhibits:
    """What it said of the held-out examples, and how much more persuasive it found each piece than the flat or damaged text beside it;
    nothing of pairs alone."""
    if not examples:
        return Exhibits()
    logits = logits_of(model, [one.text for one in examples], tokenizer, max_tokens)
    labels = np.array([one.labels for one in examples])
    half = _calibrated_on(len(labels))
    temperature = label_temperature(logits[half], labels[half])
    return classified_exhibits(logits, labels, LABELS, temperature, fitted_on=half, margins=logits[::2, -1] - logits[1::2, -1])


def main() -> None:
    """The command line."""
    config, resume = read_command_line(PersuasionConfig, Path("train/configs/persuasion.yaml"))
    pairs_of(config)  # a table that can't be used is refused before Ray starts
    data = [path for path in (config.copybook, config.pairs, config.tokenizer, config.base) if path]
    card = launch(loop, config, kind=KIND, data=data, resume=resume)
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    run_command(main)
