"""A small generator trained here on AdvertiseGen's 5,000 rows, beside ChatGLM-6B, which saw 48,000 examples.

    python -m benchmarks.train_generator [--minutes 25] [--trial]         # advertisegen/train5k.jsonl.gz from the folder in SUASION_DATA

The last 500 rows are the examination; whoever shares their attributes is left out of the training, and the settings were chosen by the
loss on 200 others. The tokenizer is learned on the training texts, with each attribute as one token; attributes stand in a fixed order,
the most general first. Texts are sampled as ChatGLM's were (top-p 0.7, temperature 0.95), and for a second figure the nearest of several
samples to the others is taken (benchmarks/consensus.py). Beside them: the copy of the training row whose attributes are nearest.

BLEU-4 and ROUGE as train/exams/text_metrics.py has them. ChatGLM's references and texts were cut to 64 of its tokens; its tokenizer is not
here, so both are cut to 100 characters, about as much, and the uncut figures stand beside. Its figures are on the official dev set, ours
on our 500.
"""

import argparse
import gzip
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from tokenizers import AddedToken
from transformers import AutoModelForCausalLM, AutoTokenizer

from artifacts.card import read_card, write_card
from benchmarks.consensus import nearest
from benchmarks.record import Figures, record
from benchmarks.train_sentiment import data_folder
from demo.stage import VAR
from serve.config import ROOT
from train.exams.exam import Rows, examined
from train.exams.text_metrics import nearness
from train.texts.vocabulary import save_tokenizer, train_tokenizer
from train.writing.language_model import written

SEED = 7
WORK = VAR / "benchmarks" / "generator"
MINUTES = 25.0
VOCABULARY = 4096
COPY = "<|copy|>"
FEWEST = 2  # an attribute seen less often is spelled out
HELD_OUT, CHOSEN_ON = 500, 200
SAMPLES, TOGETHER, NEW_TOKENS = 8, 250, 110
CUT = 100  # characters, about 64 tokens of ChatGLM's
METRICS = ("bleu_4", "rouge_1", "rouge_2", "rouge_l")
PUBLISHED = {"bleu_4": 8.10, "rouge_1": 31.12, "rouge_2": 7.11, "rouge_l": 24.97}
"""ChatGLM-6B, P-tuning v2."""
SETTINGS = (
    "name=advertisegen",
    "base=null",
    "method=full",
    "packing=false",
    "hidden_size=256",
    "layers=3",
    "heads=4",
    "kv_heads=4",
    "intermediate_size=640",
    "max_position=192",
    "attention_dropout=0.1",
    "word_dropout=0.2",
    "epochs=5",
    "batch_size=32",
    "optimizer=muon",
    "learning_rate=1.5e-3",
    "weight_decay=0.3",
)
Row = dict[str, str]


def attributes(content: str) -> list[str]:
    """`类型#裙*图案#条纹` as its attributes, in a fixed order."""
    return sorted(set(content.split("*")), key=lambda each: (not each.startswith("类型#"), each))


def split(rows: Sequence[Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """(training, validation, test); no set of attributes and no copy stands in two of them."""
    test, rest = list(rows[-HELD_OUT:]), rows[:-HELD_OUT]
    rest = _apart(rest, test)
    validation = rest[-CHOSEN_ON:]
    return _apart(rest[:-CHOSEN_ON], validation), validation, test


def _apart(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    seen = {tuple(attributes(row["content"])) for row in others}
    copies = {row["summary"] for row in others}
    return [row for row in rows if tuple(attributes(row["content"])) not in seen and row["summary"] not in copies]


def make_tokenizer(training: Sequence[Row], directory: Path) -> None:
    """Merges of the training copy; every attribute that it has a few times is one token."""
    tokenizer = train_tokenizer([], [row["summary"] for row in training], VOCABULARY)
    counts = Counter(each for row in training for each in attributes(row["content"]))
    known = sorted(each for each, count in counts.items() if count >= FEWEST)
    tokenizer.add_tokens([AddedToken(f"[{each}]", normalized=False, special=False) for each in known])
    save_tokenizer(tokenizer, directory)
    write_card(directory, kind="tokenizer", name="advertisegen", command="benchmarks.train_generator", seed=SEED)


def prompt(content: str) -> str:
    """As the tokenizer of this benchmark reads it."""
    return "".join(f"[{each}]" for each in attributes(content)) + COPY


def write(rows: Sequence[Row], path: Path) -> Path:
    """Prompts and completions as JSON lines."""
    lines = (json.dumps({"prompt": prompt(row["content"]), "completion": row["summary"]}, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def trained(training: Path, validation: Path, minutes: float, settings: Sequence[str]) -> tuple[Path, float]:
    """Run the command. Returns (the model's directory, seconds that it took)."""
    out = WORK / "model"
    given = [f"data={training}", f"validation={validation}", f"tokenizer={WORK / 'tokenizer'}", f"max_seconds={minutes * 60}", *settings]
    began = time.monotonic()
    command = [sys.executable, "-m", "train.generator", "--config", "train/configs/generator_table.yaml", "--out", str(out)]
    subprocess.run([*command, *(flag for each in given for flag in ("--set", each))], cwd=ROOT, check=True)
    return out, time.monotonic() - began


def texts_of(directory: Path, rows: Sequence[Row], count: int) -> list[list[str]]:
    """`count` sampled texts for each row."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    prompts = [tokenizer(prompt(row["content"]))["input_ids"] for row in rows for _ in range(count)]
    order = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
    texts = [""] * len(prompts)
    how = {"top_p": 0.7, "temperature": 0.95, "top_k": 0, "max_new_tokens": NEW_TOKENS}
    for begin in track(range(0, len(order), TOGETHER), "Writing"):
        part = order[begin : begin + TOGETHER]
        for number, text in zip(part, written(model, tokenizer, [prompts[each] for each in part], SEED + begin, **how), strict=True):
            texts[number] = text
    return [texts[begin : begin + count] for begin in range(0, len(texts), count)]


def neighbours(training: Sequence[Row], rows: Sequence[Row]) -> list[str]:
    """For each row the copy of the training row with the most attributes in common (Jaccard)."""
    known = [set(attributes(row["content"])) for row in training]
    asked = [set(attributes(row["content"])) for row in rows]
    best = [int(np.argmax([len(own & each) / len(own | each) for each in known])) for own in asked]
    return [training[number]["summary"] for number in best]


@dataclass(frozen=True, slots=True)
class Copies:
    """Metrics of each text; texts that answer the same are drawn together."""

    metrics: dict[str, NDArray[np.float64]]
    clusters: NDArray[np.generic]

    def figures(self, rows: Rows) -> dict[str, float]:
        """Means over these rows."""
        return {name: float(values[rows].mean()) for name, values in self.metrics.items()}


def compared(texts: Sequence[str], rows: Sequence[Row], length: int | None) -> Copies:
    """Texts beside what people wrote, both cut to `length` characters."""
    each = [nearness([text[:length]], [row["summary"][:length]], "zh") for text, row in zip(texts, rows, strict=True)]
    return Copies({name: np.array([one[name] for one in each]) for name in METRICS}, np.array([row["content"] for row in rows]))


def shown(name: str, texts: Sequence[str], rows: Sequence[Row]) -> Figures:
    """Each metric with its interval, cut as the published figures are; and uncut."""
    figures: Figures = {f"{name}_characters": round(float(np.mean([len(text) for text in texts])), 1)}
    for metric, one in examined(compared(texts, rows, CUT), seed=SEED).items():
        figures |= {f"{name}_{metric}": round(one.value, 2), f"{name}_{metric}_low": round(one.low, 2)}
        figures[f"{name}_{metric}_high"] = round(one.high, 2)
    whole = compared(texts, rows, None).figures(np.arange(len(rows)))
    return figures | {f"{name}_{metric}_uncut": round(value, 2) for metric, value in whole.items()}


def measured(rows: Sequence[Row], minutes: float, settings: Sequence[str], console: Console) -> Figures:
    """Everything, on these rows."""
    training, validation, test = split(rows)
    figures: Figures = {"training_texts": len(training), "test_texts": len(test)}
    figures |= {f"chatglm_6b_{name}": value for name, value in PUBLISHED.items()} | {"chatglm_6b_examples_seen": 48_000}
    WORK.mkdir(parents=True, exist_ok=True)
    make_tokenizer(training, WORK / "tokenizer")
    figures |= shown("neighbour", neighbours(training, test), test)
    paths = write(training, WORK / "training.jsonl"), write(validation, WORK / "validation.jsonl")
    directory, seconds = trained(*paths, minutes, settings)
    card = read_card(directory)
    figures |= {"minutes": round(seconds / 60, 1), "examples_seen": round(card.metrics["step"] * int(card.config["batch_size"]))}
    figures["parameters"] = sum(p.numel() for p in AutoModelForCausalLM.from_pretrained(directory).parameters())
    figures["validation_loss"] = round(card.metrics["validation_loss"], 3)
    began = time.monotonic()
    sampled = texts_of(directory, test, SAMPLES)
    figures["writing_minutes"] = round((time.monotonic() - began) / 60, 1)
    figures |= shown("sampled", [texts[0] for texts in sampled], test)
    figures |= shown("nearest", [texts[nearest(texts)] for texts in sampled], test)
    console.print(figures)
    return figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of training (default: %(default)s)")
    parser.add_argument("--trial", action="store_true", help="nothing is recorded")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the run; may be repeated, for trials")
    given: Any = parser.parse_args()
    with gzip.open(data_folder() / "advertisegen" / "train5k.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    figures = measured(rows, given.minutes, (*SETTINGS, *given.set), Console())
    if not given.trial:
        record("train_generator", figures, SEED)


if __name__ == "__main__":
    main()
