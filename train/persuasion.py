"""Train the persuasion scorer: which principles a text appeals to, and whether it persuades at all.

    python -m train.persuasion [--config train/configs/persuasion.yaml] [--base DIR] [--out DIR] [--set key=value] [--resume RUN]

Data: the copybook, slots filled with plausible values. A piece's own tags are its principles. For the last label, `persuasive`,
pieces stand against flat catalogue statements and against damaged copy: cut short, shuffled, repeating, spliced from two pieces.
What damage does to the principles is not known, so those labels are left out there. Model: a small ModernBERT. Loss: binary cross-entropy
per known label. Held out: a seeded share of the pieces. It learns how writers of this copybook write, not what shoppers do.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from copywriting import copybook
from copywriting.copybook import Piece
from copywriting.principles import PRINCIPLES
from copywriting.slots import fill
from train import classifier
from train.classifier import ClassifierConfig, logits_of
from train.examples import split
from train.exhibits import Exhibits, classified_exhibits
from train.fillers import flat_statement, slot_values
from train.job import launch, run_command
from train.loop import Batch, Recipe, fit, seed_everything
from train.metrics import calibration_error, f1, label_temperature, sigmoid
from train.settings import InputPath, read_command_line

KIND = "persuasion"
LABELS = (*PRINCIPLES, "persuasive")
_UNKNOWN = -1.0
_INTACT = 0.55  # share of intact copy; the rest is half flat statements, half damage


class PersuasionConfig(ClassifierConfig):
    """What the persuasion scorer needs besides the settings of every scorer."""

    copybook: InputPath


@dataclass(frozen=True, slots=True)
class Judged:
    """A filled text and a label for each of LABELS: 1, 0, or -1 where it is not known."""

    text: str
    labels: tuple[float, ...]


def loop(config: PersuasionConfig) -> None:
    """One worker's part of the run: what is trained on what."""
    seed_everything(config.seed)
    tokenizer, model = classifier.start(config, KIND, LABELS, "multi_label_classification")
    training, held_out = split(copybook.load(config.copybook), config.held_out, config.seed)

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        chosen = [make(training, number, Random(f"{config.seed}/{epoch}/{number}")) for number in numbers]
        labels = torch.tensor([one.labels for one in chosen])
        texts = classifier.encode([one.text for one in chosen], tokenizer, config.max_tokens)
        return classifier.hide_words(texts, config.word_dropout, f"{config.seed}/{epoch}/{numbers[0]}") | {"labels": labels}

    asked = examination(held_out, config.seed)
    judge = partial(judged, examples=asked, tokenizer=tokenizer, max_tokens=config.max_tokens)
    recipe = Recipe(
        count=len(training),
        batch=batch,
        loss=known_loss,
        evaluate=judge,
        export=lambda model, directory: classifier.export(model, directory, tokenizer, judge(model)["temperature"], config),
        lengths=[len(piece.template) for piece in training],
        exhibits=partial(exhibits, examples=asked, tokenizer=tokenizer, max_tokens=config.max_tokens),
    )
    fit(config, model, recipe)


def known_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Mean binary cross-entropy over the labels that are known."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.float()
    known = batch["labels"] >= 0
    return nn.functional.binary_cross_entropy_with_logits(logits[known], batch["labels"][known])


def make(pieces: Sequence[Piece], number: int, random: Random) -> Judged:
    """One example from piece `number`: intact, made flat, or damaged."""
    kind = random.random()
    if kind < _INTACT:
        return intact(pieces[number], random)
    return flat(pieces[number], random) if kind < (1 + _INTACT) / 2 else damaged(pieces, number, random)


def intact(piece: Piece, random: Random) -> Judged:
    """The piece as a shopper reads it."""
    return Judged(_filled(piece.template, piece, random), (*(float(name in piece.principles) for name in PRINCIPLES), 1.0))


def flat(piece: Piece, random: Random) -> Judged:
    """Catalogue facts in the piece's language: no principle, not persuasive."""
    template = " ".join(flat_statement(piece.language, random) for _ in range(random.choice((1, 1, 2))))
    return Judged(_filled(template, piece, random), (0.0,) * len(LABELS))


def damaged(pieces: Sequence[Piece], number: int, random: Random) -> Judged:
    """Copy that is no longer well formed: not persuasive, principles unknown."""
    piece = pieces[number]
    units = _units(_filled(piece.template, piece, random))
    how = random.choice((_cut, _shuffle, _repeat, _splice))
    others = [other for other in random.sample(list(pieces), min(40, len(pieces))) if other.language == piece.language] or [piece]
    other = random.choice(others)
    text = "".join(how(units, _units(_filled(other.template, other, random)), random)).strip()
    return Judged(text, (*((_UNKNOWN,) * len(PRINCIPLES)), 0.0))


def _filled(template: str, piece: Piece, random: Random) -> str:
    return fill(template, slot_values(piece.language, piece.occasion, random))[0]


def _units(text: str) -> list[str]:
    """Words with the space before them, or single Chinese characters."""
    return re.findall(r"\s*[\u3400-\u9fff]|\s*[^\s\u3400-\u9fff]+", text) or [text]


def _cut(units: list[str], _other: list[str], random: Random) -> list[str]:
    kept = max(2, int(len(units) * random.uniform(0.3, 0.8)))
    last = units[kept - 1].rstrip(".!?。！？,，;；")  # a cut that ends a sentence would be no damage
    return [*units[: kept - 1], last]


def _shuffle(units: list[str], _other: list[str], random: Random) -> list[str]:
    begin = random.randrange(max(1, len(units) // 2))
    end = begin + max(6, int((len(units) - begin) * random.uniform(0.5, 1.0)))
    middle = units[begin:end]
    random.shuffle(middle)
    return [*units[:begin], *middle, *units[end:]]


def _repeat(units: list[str], _other: list[str], random: Random) -> list[str]:
    begin = random.randrange(max(1, len(units) - 3))
    phrase = units[begin : begin + random.randint(2, 6)]
    return [*units[:begin], *(phrase * random.randint(3, 5)), *units[begin + len(phrase) :]]


def _splice(units: list[str], other: list[str], random: Random) -> list[str]:
    return [*units[: int(len(units) * random.uniform(0.3, 0.7))], *other[int(len(other) * random.uniform(0.35, 0.7)) :]]


def examination(pieces: Sequence[Piece], seed: int) -> list[Judged]:
    """The held-out examples, always the same: each piece intact, and one flat or damaged text beside it."""
    found = []
    for number, piece in enumerate(pieces):
        random = Random(f"{seed}/judge/{piece.piece_id}")
        found += [intact(piece, random), flat(piece, random) if number % 2 else damaged(pieces, number, random)]
    return found


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
    """What it said of the held-out examples, and how much more persuasive it found each piece than the flat or damaged text beside it."""
    logits = logits_of(model, [one.text for one in examples], tokenizer, max_tokens)
    labels = np.array([one.labels for one in examples])
    half = _calibrated_on(len(labels))
    temperature = label_temperature(logits[half], labels[half])
    return classified_exhibits(logits, labels, LABELS, temperature, fitted_on=half, margins=logits[::2, -1] - logits[1::2, -1])


def main() -> None:
    """The command line."""
    config, resume = read_command_line(PersuasionConfig, Path("train/configs/persuasion.yaml"))
    data = [config.copybook, *(path for path in (config.tokenizer, config.base) if path)]
    card = launch(loop, config, kind=KIND, data=data, resume=resume)
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    run_command(main)
