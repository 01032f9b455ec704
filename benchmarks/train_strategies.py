"""Persuasion strategies told apart: the eleven of Persuasion For Good, and the ads of a folder, by classifiers trained here.

    python -m benchmarks.train_strategies [--base DIR] [--folds 5] [--set key=value]     # reads persuasion_for_good/ of SUASION_DATA

Persuasion For Good: the authors' five folds, whose sentences are drawn at random, so that a dialogue stands on both sides; and five folds
of whole dialogues, seeded. Accuracy and macro F1, each the mean of the folds as published, beside a logistic regression over TF-IDF of
words. Published on the random folds: hybrid RCNN 0.748 / 0.596 (arXiv 2310.10467). What is trained is the default config
(train/configs/strategies.yaml); every unit of a training fold is learned from, repeated or not, as the publication has it, and every unit
of the test fold counts. The temperature comes from a tenth of the training fold, not from the test fold. What was said before is not read:
n-grams learn less with it beside them (0.66 against 0.74 of accuracy on two folds).

Ads: each table of fb_ads_persuasion/ by the baseline on a seeded tenth. Their labels were made by word filters, so the figures say how well
a filter is learned.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from benchmarks.record import Figures, record
from benchmarks.train_sentiment import data_folder
from demo.stage import VAR
from serve.config import ROOT
from train.exams.exam import class_figures
from train.reports.metrics import softmax
from train.run.tables import read_table
from train.texts import encoders  # noqa: F401  registers our own architectures
from train.texts.classifier import logits_of
from train.texts.labelled import Columns, Labelled, from_table, hold_out

SEED = 17
WORK = VAR / "benchmarks" / "strategies"
UNITS = Columns(text="Unit", label="label_inter", together="B2", group=())
PUBLISHED = {"published_accuracy": 0.748, "published_macro_f1": 0.596}
FOLDS = 5
Fold = tuple[list[Labelled], list[Labelled]]
KEPT = ("accuracy", "macro_f1", "calibration_error")


def units(path: Path) -> list[Labelled]:
    """The units of a table, each as often as it stands there."""
    return list(from_table(read_table(path), path, UNITS, None, repeats=True).rows)


def random_folds(folder: Path) -> Iterator[Fold]:
    """The authors' five folds: (training, test)."""
    for number in range(FOLDS):
        yield units(folder / f"train{number}.tsv.gz"), units(folder / f"test{number}.tsv.gz")


def dialogue_folds(rows: Sequence[Labelled]) -> Iterator[Fold]:
    """Five folds of whole dialogues."""
    dialogues = np.random.default_rng(SEED).permutation(sorted({row.together for row in rows}))
    for part in np.array_split(dialogues, FOLDS):
        out = set(part.tolist())
        yield [row for row in rows if row.together not in out], [row for row in rows if row.together in out]


def by_counting(training: Sequence[Labelled], test: Sequence[Labelled], _: str) -> dict[str, float]:
    """Logistic regressions over TF-IDF of one and two words, one for each label, labels weighted alike."""
    regression = LogisticRegression(C=10, class_weight="balanced", solver="liblinear")
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), OneVsRestClassifier(regression))
    model.fit([row.text for row in training], [row.label for row in training])
    return judged(model.predict_proba([row.text for row in test]), test, list(model.classes_))


class ByModel:
    """What `python -m train.strategies` trains, with these settings over its config."""

    def __init__(self, settings: Sequence[str], base: Path | None = None) -> None:
        self._settings = (*settings, *((f"base={base}",) if base else ()))
        self.seconds = 0.0

    def __call__(self, training: Sequence[Labelled], test: Sequence[Labelled], name: str) -> dict[str, float]:
        """Figures on the test rows."""
        out = WORK / name
        columns = json.dumps({"text": "text", "label": "label", "group": []})
        given = (f"data={write(training, out)}", f"columns={columns}", "repeats=true", *self._settings)
        flags = [flag for each in given for flag in ("--set", each)]
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "train.strategies", *flags, "--out", str(out)], cwd=ROOT, check=True)
        self.seconds += time.monotonic() - began
        model: Any = AutoModelForSequenceClassification.from_pretrained(out, dtype=torch.float32).eval()
        tokenizer = AutoTokenizer.from_pretrained(out)
        logits = logits_of(model, [row.text for row in test], tokenizer, model.config.max_tokens)
        return judged(softmax(logits / model.config.calibration_temperature), test, list(model.config.id2label.values()))


def write(rows: Sequence[Labelled], out: Path) -> Path:
    """The rows as JSON lines beside the model, the tenth that the temperature comes from marked."""
    path = out.with_suffix(".jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for held_out, part in enumerate(hold_out([Labelled(row.text, row.label) for row in rows], 0.1, SEED)):
        for row in part:
            lines.append(json.dumps({"text": row.text, "label": row.label, "held_out": bool(held_out)}, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def judged(chances: NDArray[Any], test: Sequence[Labelled], names: Sequence[str]) -> dict[str, float]:
    """Accuracy, macro F1 and calibration error; `chances` (rows, names)."""
    truth = np.array([list(names).index(row.label) for row in test])
    found = class_figures(np.asarray(chances, dtype=float), truth)
    return {key: found[key] for key in KEPT}


def mean(name: str, each: Sequence[dict[str, float]]) -> Figures:
    """The mean of the folds, and its standard error."""
    figures: Figures = {}
    for key in KEPT:
        values = np.array([one[key] for one in each])
        figures[f"{name}_{key}"] = round(float(values.mean()), 4)
        if len(values) > 1:
            figures[f"{name}_{key}_error"] = round(float(values.std(ddof=1) / np.sqrt(len(values))), 4)
    return figures


def dialogues(folder: Path, model: ByModel, count: int, console: Console) -> Figures:
    """Persuasion For Good, by the baseline and by the model, on the first `count` of both kinds of folds."""
    folds = {"random": list(random_folds(folder)), "dialogue": list(dialogue_folds([*units(folder / "test0.tsv.gz"), *_others(folder)]))}
    figures: Figures = {"units": len(folds["dialogue"][0][0]) + len(folds["dialogue"][0][1]), "folds": count, **PUBLISHED}
    for kind, parts in folds.items():
        for name, judge in (("counting", by_counting), ("model", model)):
            told = [judge(training, test, f"{kind}{number}") for number, (training, test) in enumerate(parts[:count])]
            figures |= mean(f"{kind}_{name}", told)
            console.print(figures)
    return figures | {"model_minutes": round(model.seconds / 60, 1)}


def _others(folder: Path) -> list[Labelled]:
    return [row for number in range(1, FOLDS) for row in units(folder / f"test{number}.tsv.gz")]


def ads(folder: Path) -> Figures:
    """Each table of ads by the baseline, on a seeded tenth of its distinct texts."""
    figures: Figures = {}
    for path in sorted(folder.glob("*_auto.tsv.gz")):
        rows = from_table(read_table(path), path, Columns(), None).rows
        training, test = hold_out(rows, 0.1, SEED)
        figures |= {f"ads_{path.name.split('_auto')[0]}_{key}": round(v, 4) for key, v in by_counting(training, test, "").items()}
    return figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, help="an encoder to fine-tune instead of a network from scratch")
    parser.add_argument("--folds", type=int, default=FOLDS, choices=range(1, FOLDS + 1), help="fewer than five: nothing is recorded")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="over the config; nothing is recorded")
    given = parser.parse_args()
    console, model = Console(), ByModel(given.set, given.base)
    figures = dialogues(data_folder() / "persuasion_for_good" / "folds", model, given.folds, console)
    figures |= ads(data_folder() / "fb_ads_persuasion")
    console.print(figures)
    if given.folds == FOLDS and not given.set and given.base is None:
        record("train_strategies", figures, SEED)


if __name__ == "__main__":
    main()
