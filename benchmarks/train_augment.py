"""Does augmentation help? With and without each kind of it, on a few real reviews and on the copybook.

    python -m benchmarks.train_augment sentiment        # reads senti_zh/ of the folder in SUASION_DATA
    python -m benchmarks.train_augment persuasion

sentiment    a TextCNN without its n-gram path's fit (which reads no augmented text) on 2,000 reviews of online_shopping_10_cats, three
             drawn sets of them by three seeds, judged on 2,000 others: plain, and with noise of each kind in half of the texts.
persuasion   the copybook, a TextCNN, pieces held out by three seeds: plain (filled anew in every epoch, as shipped), `fixed` (every piece
             stays as it was in the first epoch), `paraphrase` (half of the pieces borrow a part of a sister), `noise`.

Everything runs in this process, on one thread. A figure is the mean over the seeds; its difference from plain has the 95 % interval of a
paired t over them: of three, which tells large effects only.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from scipy.stats import t
from torch import Tensor, nn

from benchmarks.record import Figures, record
from benchmarks.train_sentiment import NAMES, data_folder
from serve.config import ROOT
from train.persuasion import Lessons, PersuasionConfig, judged, known_loss
from train.run.loop import seed_everything
from train.run.optimizers import learning_rate_share
from train.run.tables import read_table
from train.texts import classifier
from train.texts.augment import CopyNoise, Noise, noisy
from train.texts.classifier import ClassifierConfig, logits_of
from train.texts.judged_copy import examination
from train.texts.labelled import Columns, from_table, hold_out

SEEDS = (1, 2, 3)
TEXTS = 2_000
NOISES: dict[str, dict[str, float]] = {"plain": {}, **{kind: {kind: 0.5} for kind in ("delete", "swap", "marks", "width", "case")}}
COPY: dict[str, dict[str, Any]] = {
    "plain": {},
    "fixed": {"slots": False},
    "paraphrase": {"paraphrase": 0.5},
    "noise": {"delete": 0.2, "swap": 0.2, "marks": 0.2},
}
SMALL: dict[str, Any] = {"architecture": "textcnn", "hidden_size": 48, "heads": 1, "max_tokens": 64, "dropout": 0.4, "ngram_buckets": 1024}
_BATCH = 32


def learned(
    model: Any, count: int, batch: Callable[[list[int], int], dict[str, Tensor]], loss: Any, *, epochs: int, seed: int
) -> nn.Module:
    """The model after so many epochs of AdamW."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    steps = [numbers for epoch in range(epochs) for numbers in _epoch(count, f"{seed}/{epoch}")]
    model.train()
    for step, numbers in enumerate(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * learning_rate_share(step / len(steps), 0.05)
        optimizer.zero_grad()
        loss(model, batch(numbers, step * epochs // len(steps))).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    found: nn.Module = model.eval()
    return found


def _epoch(count: int, seed: str) -> list[list[int]]:
    order = Random(seed).sample(range(count), count)
    return [order[begin : begin + _BATCH] for begin in range(0, count, _BATCH)]


def sentiment(folder: Path) -> Figures:
    """Held-out accuracy with every kind of noise."""
    path = folder / "senti_zh" / "online_shopping_10_cats.csv.gz"
    rest, test = hold_out(from_table(read_table(path), path, Columns(), NAMES).rows, 0.1, 0)
    test = Random(0).sample(test, TEXTS)
    truth = np.array([row.label == "positive" for row in test])
    found: dict[str, list[float]] = {name: [] for name in NOISES}
    for seed in SEEDS:
        rows = Random(seed).sample(rest, TEXTS)
        labels = torch.tensor([int(row.label == "positive") for row in rows])
        for name, given in NOISES.items():
            config = ClassifierConfig(name="s", out=Path("var/unused"), vocabulary=4000, augment=Noise(**given), **SMALL)
            seed_everything(seed)
            names = ("negative", "positive")
            tokenizer, model = classifier.start(config, "sentiment", names, "single_label_classification", [row.text for row in rows])

            def batch(numbers: list[int], epoch: int, rows: Sequence[Any] = rows, labels: Tensor = labels, seed: int = seed,
                      noise: Noise = config.augment, tokenizer: Any = tokenizer) -> dict[str, Tensor]:  # fmt: skip
                texts = [noisy(rows[number].text, noise, Random(f"{seed}/{epoch}/{number}")) for number in numbers]
                return classifier.encode(texts, tokenizer, 64) | {"labels": labels[numbers]}

            learned(model, len(rows), batch, lambda model, batch: model(**batch).loss, epochs=6, seed=seed)
            said = logits_of(model, [row.text for row in test], tokenizer, 64).argmax(axis=1) == 1
            found[name].append(float((said == truth).mean()))
            print(seed, name, found[name][-1], flush=True)
    return told("accuracy", found)


def persuasion(copybook: Path) -> Figures:
    """Held-out macro F1 with every kind of augmentation."""
    found: dict[str, list[float]] = {name: [] for name in COPY}
    for seed in SEEDS:
        for name, given in COPY.items():
            settings = {"name": "p", "out": "var/unused", "copybook": copybook, "seed": seed, "vocabulary": 3000, "word_dropout": 0.1}
            config = PersuasionConfig.model_validate({**settings, **SMALL, "augment": CopyNoise(**given)})
            seed_everything(seed)
            lessons = Lessons(config)
            tokenizer, model = classifier.start(config, "persuasion", lessons.labels, "multi_label_classification", lessons.texts)

            def batch(numbers: list[int], epoch: int, lessons: Lessons = lessons, tokenizer: Any = tokenizer) -> dict[str, Tensor]:
                examples, _ = lessons.chosen(numbers, epoch)
                encoded = classifier.encode([one.text for one in examples], tokenizer, 64)
                return encoded | {"labels": torch.tensor([one.labels for one in examples]), "preferred": torch.zeros(0)}

            learned(model, len(lessons.pieces), batch, known_loss, epochs=20, seed=seed)
            asked = examination(lessons.held_out_pieces, seed)
            found[name].append(judged(model, examples=asked, tokenizer=tokenizer, max_tokens=64)["macro_f1"])
            print(seed, name, found[name][-1], flush=True)
    return told("macro_f1", found)


def told(figure: str, found: dict[str, list[float]]) -> Figures:
    """Means, and differences from plain with their intervals."""
    figures: Figures = {"seeds": len(SEEDS)}
    for name, values in found.items():
        figures[f"{name}_{figure}"] = round(float(np.mean(values)), 4)
        if name != "plain":
            gaps = np.subtract(values, found["plain"])
            half = float(t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps)))
            figures[f"{name}_over_plain"] = f"{gaps.mean():+.4f} [{gaps.mean() - half:+.4f}, {gaps.mean() + half:+.4f}]"
    return figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=("sentiment", "persuasion"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    figures = sentiment(data_folder()) if given.model == "sentiment" else persuasion(ROOT / "demo" / "copybook")
    record(f"train_augment_{given.model}", figures, SEEDS[0], f"python -m benchmarks.train_augment {given.model}")


if __name__ == "__main__":
    main()
