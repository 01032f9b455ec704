"""Does a reward make the generator write what the reward asks for, and what does that cost?

    python -m benchmarks.train_alignment [--briefs 512] [--judged 200] [--set key=value …]

The shipped generator writes eight texts for each of `--briefs` random briefs in both languages, the shipped persuasion scorer judges them
with their slots filled, and `train.alignment` learns from the best and the worst of each (train/writing/rewarded.py). Then base and aligned
model each write four texts for `--judged` other briefs, with the same seeds and the same values in the slots:

persuasive   the scorer's mean chance that a text persuades, in percent: the reward itself, so this tells whether alignment reaches what
             it aims at, and not what shoppers do; that an experiment alone can tell
lawful       texts that the serving grammar would take, in percent: unavailable slots, another language and wrong parts are faults
characters   mean length;  distinct_2 and self_bleu, zh and en: variety, more of the first and less of the second is better

A difference has the 95 % interval of a bootstrap over briefs.
"""

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from artifacts.card import read_card
from benchmarks.record import Figures, record
from benchmarks.train_generator import Copies
from copywriting.brief import Brief
from copywriting.channels import Language
from copywriting.prompt import compact
from copywriting.slots import fill
from demo.stage import VAR
from serve.config import ROOT
from train.exams.exam import compared
from train.exams.text_metrics import variety
from train.texts.examples import random_brief
from train.texts.fillers import slot_values
from train.writing.completions import dialogue_prompt_ids
from train.writing.dialogues import Dialogue, Turn
from train.writing.faults import faults_of
from train.writing.language_model import LanguageModelConfig, start, written
from train.writing.rewarded import Persuasiveness

SEED = 7
JUDGED_SEED = "judged"
WORK = VAR / "benchmarks" / "alignment"
BASE, REWARD = ROOT / "models" / "generator", ROOT / "models" / "persuasion"
TEXTS, TOGETHER = 4, 48
LANGUAGES: tuple[Language, Language] = ("zh", "en")


def aligned(briefs: int, settings: Sequence[str]) -> tuple[Path, float]:
    """Run the command. Returns (the model's directory, minutes that it took, pairs included)."""
    out, began = WORK / "model", time.monotonic()
    given = ["data=null", f"reward={REWARD}", f"base={BASE}", f"storage={WORK / 'runs'}", f"briefs={briefs}", f"seed={SEED}", *settings]
    command = [sys.executable, "-m", "train.alignment", "--config", "train/configs/alignment.yaml", "--out", str(out)]
    subprocess.run([*command, *(flag for each in given for flag in ("--set", each))], cwd=ROOT, check=True)
    return out, (time.monotonic() - began) / 60


def texts_of(directory: Path, briefs: Sequence[Brief]) -> list[str]:
    """`TEXTS` sampled texts for each brief."""
    tokenizer, model = start(LanguageModelConfig(name="judged", out=WORK / "nothing", base=directory))
    model.eval()
    prompts = [
        dialogue_prompt_ids(Dialogue((Turn("user", compact(brief)), Turn("assistant", "")), chat=False), tokenizer, "compact")
        for brief in briefs
        for _ in range(TEXTS)
    ]
    texts = []
    for begin in track(range(0, len(prompts), TOGETHER), f"Writing with {directory.name}"):
        texts += written(model, tokenizer, prompts[begin : begin + TOGETHER], SEED + begin)
    return [text.strip() for text in texts]


def judged(texts: Sequence[str], briefs: Sequence[Brief]) -> Copies:
    """Every text by the reward, filled with values that are the brief's own, and by the serving grammar."""
    asked = [brief for brief in briefs for _ in range(TEXTS)]
    values = [slot_values(brief.language, brief.occasion, Random(number)) for number, brief in enumerate(briefs) for _ in range(TEXTS)]
    scores = np.asarray(Persuasiveness(REWARD)([fill(text, each)[0] for text, each in zip(texts, values, strict=True)]))
    lawful = [not faults_of(brief, text) for brief, text in zip(asked, texts, strict=True)]
    metrics: dict[str, NDArray[np.float64]] = {
        "persuasive": 100 / (1 + np.exp(-scores)),
        "lawful": 100 * np.array(lawful, dtype=float),
        "characters": np.array([len(text) for text in texts], dtype=float),
    }
    return Copies(metrics, np.repeat(np.arange(len(briefs)), TEXTS))


def measured(directory: Path, briefs: Sequence[Brief]) -> Figures:
    """The aligned model's figures beside the base's."""
    figures: Figures = {}
    written_by = {name: texts_of(path, briefs) for name, path in (("base", BASE), ("aligned", directory))}
    sat = {name: judged(texts, briefs) for name, texts in written_by.items()}
    for name, texts in written_by.items():
        figures |= {f"{name}_{metric}": round(value, 1) for metric, value in sat[name].figures(np.arange(len(texts))).items()}
        for language in LANGUAGES:
            own = [text for number, text in enumerate(texts) if briefs[number // TEXTS].language == language]
            shown = variety(own, language)
            figures |= {f"{name}_{language}_{metric}": round(shown[metric], 3) for metric in ("distinct_2", "self_bleu")}
    for metric, gap in compared(sat["aligned"], sat["base"], seed=SEED).items():
        figures |= {f"{metric}_difference": round(gap.value, 1), f"{metric}_low": round(gap.low, 1), f"{metric}_high": round(gap.high, 1)}
    return figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--briefs", type=int, default=512, help="to learn from (default: %(default)s)")
    parser.add_argument("--judged", type=int, default=200, help="to judge on (default: %(default)s)")
    parser.add_argument("--trial", action="store_true", help="nothing is recorded")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the run; may be repeated")
    given: Any = parser.parse_args()
    random = Random(JUDGED_SEED)
    briefs = [random_brief(random, LANGUAGES[number % 2]) for number in range(given.judged)]
    directory, minutes = aligned(given.briefs, given.set)
    card = read_card(directory)
    wanted = ("preference_accuracy", "margin", "drift", "step")
    figures: Figures = {"minutes": round(minutes, 1)}
    figures |= {name: round(card.metrics[name], 3) for name in wanted if name in card.metrics}
    figures |= measured(directory, briefs)
    print(figures)
    if not given.trial:
        record("train_alignment", figures, SEED, command=shlex.join(["python", "-m", "benchmarks.train_alignment", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
