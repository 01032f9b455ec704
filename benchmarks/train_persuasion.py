"""Which of two headlines was clicked more? Persuasion scorers trained here on Upworthy's A/B tests, examined on tests that they never saw.

    python -m benchmarks.train_persuasion [--epochs 2]        # reads upworthy/ of the folder in SUASION_DATA

Pairs of headlines of one test with the same picture; the weeks whose randomisation is in doubt (201326 to 201402) are left out, the split
is the table's own. Bradley-Terry on a fine-tuned all-MiniLM-L6-v2, beside a TextCNN from scratch and baselines: the longer headline; the
headline whose words were clicked more in training; a logistic regression over differences of the encoder's frozen embeddings. Accuracy on
all pairs and on those with |z| > 1.96, with bootstrap intervals that draw whole tests.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from benchmarks.minilm import encoder
from benchmarks.record import Figures, record
from benchmarks.train_sentiment import data_folder
from demo.stage import VAR
from serve.config import ROOT
from train.exams.exam import Paired, examined
from train.persuasion import margins_of
from train.run.tables import read_table
from train.texts.pairs import SIGNIFICANT, Pair, PairColumns, hold_out, read_pairs

SEED = 13
WORK = VAR / "benchmarks" / "persuasion"
DOUBTED = (201326, 201402)
COLUMNS = PairColumns(test="clickability_test_id", text="headline", within=("eyecatcher_id",))
MODELS = {
    "textcnn": ("architecture=textcnn", "learning_rate=1.0e-3", "dropout=0.4", "word_dropout=0.1", "epochs=4"),
    "minilm": (),
}
Scores = NDArray[np.float64]


def prepared(folder: Path) -> Path:
    """The packages of sound weeks as JSON lines, with what is held out."""
    path = WORK / "packages.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ("clickability_test_id", "headline", "eyecatcher_id", "impressions", "clicks", "split", "test_week")
    rows = read_table(folder / "upworthy" / "packages.tsv.gz").select(names).to_pylist()
    sound = [row for row in rows if not DOUBTED[0] <= row["test_week"] <= DOUBTED[1] and row["headline"] and row["eyecatcher_id"]]
    path.write_text("\n".join(json.dumps(row | {"held_out": row["split"] == "dev"}) for row in sound), encoding="utf-8")
    return path


def by_length(pairs: Sequence[Pair]) -> Scores:
    """The longer one."""
    return np.array([len(pair.first) - len(pair.second) for pair in pairs], dtype=float)


def by_popularity(training: Sequence[Pair], pairs: Sequence[Pair]) -> Scores:
    """The mean over a headline's words of how often it won in training where the word stood in one of the two only."""
    won, seen = defaultdict[str, float](float), defaultdict[str, float](float)
    for pair in training:
        first, second = words(pair.first), words(pair.second)
        for word in first ^ second:
            seen[word] += 1
            won[word] += pair.chance if word in first else 1 - pair.chance
    rate = {word: (won[word] + 5) / (seen[word] + 10) for word in seen}

    def score(text: str) -> float:
        return float(np.mean([rate.get(word, 0.5) for word in words(text)] or [0.5]))

    return np.array([score(pair.first) - score(pair.second) for pair in pairs])


def words(text: str) -> set[str]:
    """Lower-cased words."""
    return set(re.findall(r"[\w']+", text.lower()))


@torch.no_grad()
def embeddings(directory: Path, texts: Sequence[str]) -> Scores:
    """(texts, width): means over tokens of the frozen encoder, of length 1."""
    tokenizer, model = AutoTokenizer.from_pretrained(directory), AutoModel.from_pretrained(directory).eval()
    rows = []
    for begin in range(0, len(texts), 128):
        batch = tokenizer(list(texts[begin : begin + 128]), padding=True, truncation=True, max_length=64, return_tensors="pt")
        mask = batch["attention_mask"].unsqueeze(-1)
        means = (model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)
        rows.append(torch.nn.functional.normalize(means, dim=-1).numpy())
    return np.asarray(np.concatenate(rows), dtype=float)


def by_embedding(directory: Path, training: Sequence[Pair], pairs: Sequence[Pair]) -> Scores:
    """A logistic regression over differences, fitted on the training pairs that differ clearly."""
    clear = [pair for pair in training if abs(pair.z) > SIGNIFICANT]
    texts = sorted({text for pair in (*clear, *pairs) for text in (pair.first, pair.second)})
    place = {text: number for number, text in enumerate(texts)}
    vectors = embeddings(directory, texts)

    def differences(of: Sequence[Pair]) -> Scores:
        return np.asarray(vectors[[place[pair.first] for pair in of]] - vectors[[place[pair.second] for pair in of]])

    told = differences(clear)
    better = np.array([pair.z > 0 for pair in clear])
    model = LogisticRegression(C=10, fit_intercept=False, max_iter=500).fit(
        np.concatenate([told, -told]), np.concatenate([better, ~better])
    )
    return np.asarray(model.decision_function(differences(pairs)))


def by_model(name: str, settings: Sequence[str], table: Path, pairs: Sequence[Pair]) -> tuple[Scores, float]:
    """Train with the command, then score; and the seconds of the training."""
    columns = json.dumps({"test": COLUMNS.test, "text": COLUMNS.text, "within": list(COLUMNS.within)})
    flags = [flag for each in (f"pairs={table}", f"pair_columns={columns}", f"name={name}", *settings) for flag in ("--set", each)]
    config = ("--config", "train/configs/persuasion_pairs.yaml")
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "train.persuasion", *config, *flags, "--out", str(WORK / name)], cwd=ROOT, check=True)
    took = time.monotonic() - began
    model = AutoModelForSequenceClassification.from_pretrained(WORK / name, dtype=torch.float32).eval()
    return margins_of(model, pairs, AutoTokenizer.from_pretrained(WORK / name), 64), took


def shown(name: str, margins: Scores, pairs: Sequence[Pair]) -> Figures:
    """Accuracy with its interval, on all pairs that differ at all and on those that differ clearly."""
    z, tests = np.array([pair.z for pair in pairs]), np.array([pair.test for pair in pairs])
    figures: Figures = {}
    for kind, rows in (("all", z != 0), ("clear", np.abs(z) > SIGNIFICANT)):
        one = examined(Paired((margins * np.sign(z))[rows], tests[rows]), seed=SEED)["pairwise_accuracy"]
        figures |= {
            f"{name}_{kind}": round(one.value, 4),
            f"{name}_{kind}_low": round(one.low, 4),
            f"{name}_{kind}_high": round(one.high, 4),
        }
    return figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=float, default=2.0, help="of the fine-tuned encoder")
    given = parser.parse_args()
    table, directory = prepared(data_folder()), encoder(WORK)
    training, dev = hold_out(read_pairs(table, COLUMNS), 0.1, SEED)
    clear = sum(abs(pair.z) > SIGNIFICANT for pair in dev)
    figures: Figures = {"training_pairs": len(training), "dev_pairs": len(dev), "dev_clear_pairs": clear}
    figures |= shown("length", by_length(dev), dev) | shown("popularity", by_popularity(training, dev), dev)
    figures |= shown("embedding", by_embedding(directory, training, dev), dev)
    Console().print(figures)
    for name, settings in MODELS.items():
        started = (*settings, f"base={directory}", f"epochs={given.epochs}") if name == "minilm" else settings
        margins, seconds = by_model(name, started, table, dev)
        figures |= shown(name, margins, dev) | {f"{name}_minutes": round(seconds / 60, 1)}
        Console().print(figures)
    record("train_persuasion", figures, SEED, f"python -m benchmarks.train_persuasion --epochs {given.epochs:g}")


if __name__ == "__main__":
    main()
