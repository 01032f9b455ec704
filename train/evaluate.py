"""Examine a trained model on data that it has not seen: figures with intervals, by slice, and against the model that serves now.

    python -m train.evaluate models/sentiment reviews.parquet [--against DIR] [--slices locale,category] [--cluster COLUMN] [--out DIR]

What is asked depends on what the model's card says it is.

sentiment    columns text, label and any for --slices and --cluster: accuracy, precision, recall, macro F1, ROC-AUC, log loss, ECE
strategies   the same, where a text has one label
persuasion   columns first, second, better (1 or 2): the share of pairs of which the better one is scored higher
response     the columns that it reads and the one that it foretells (click, conversion; 0 or 1): ROC-AUC, PR-AUC, log loss, ECE; of a model
             that was trained among others' rows (conversions among clicks) those rows alone are asked
generator    columns prompt, reference, locale: perplexity, and of texts that it writes BLEU-4, ROUGE, chrF, distinct-n, self-BLEU;
             plain numbers, with --against those of both side by side. Adapters and brand voices, too, on their base (--base DIR)

Data is Parquet, or JSON lines in a .jsonl file. --cluster names the column of what hangs together (a test, a dialogue, a product), which
the bootstrap draws as a whole. Prints a table; with --out also writes evaluation.json and evaluation.md there. As a gate before a model may
serve, `--least accuracy=0.9`, `--most log_loss=0.3` and `--largest-gap recall=0.05` (between the values of a slice) end the command with
status 1 and the reasons.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from artifacts.card import Card, read_card, verify
from artifacts.response import ResponseModel
from artifacts.response_features import ResponseError
from artifacts.versions import current
from train.exams.exam import Classified, Difference, Interval, Paired, by_slice, compared, examined, too_few
from train.exams.gate import limits, too_high, too_low, too_unequal
from train.job import TrainingError, run_command
from train.reports.metrics import Floats, softmax
from train.run.settings import ConfigError
from train.run.tables import columns_of, read_table
from train.shoppers.impression_features import plain
from train.shoppers.impressions import zeros_and_ones
from train.shoppers.response_exam import Responded
from train.texts.classifier import logits_of
from train.writing import generator_exam

_OF_SLICES = ("accuracy", "macro_f1", "pairwise_accuracy")
_OF_CHANCES = ("roc_auc", "log_loss", "calibration_error")
"""Figures that the page shows of each slice: the first, where there are any."""
_COUNTED = 12
_NONE = "(none)"


@dataclass(slots=True)
class Evaluation:
    """What was found. A figure is an interval where it is a mean over examples, else a plain number."""

    model: str
    version: str
    data: str
    examples: int
    figures: dict[str, Interval | float]
    slices: dict[str, dict[str, dict[str, Interval]]] = field(default_factory=dict)
    too_few: dict[str, dict[str, int]] = field(default_factory=dict)
    """Slice → value → examples, of the values that have too few to tell anything."""
    against: str = ""
    differences: dict[str, Difference] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """The rows of an examination and what to tell apart in them."""

    path: Path
    table: pa.Table
    slices: tuple[str, ...] = ()
    cluster: str | None = None

    def column(self, name: str) -> list[Any]:
        """Values of one column, as many as rows."""
        return columns_of(self.table, (name,), self.path)[name]

    @property
    def clusters(self) -> NDArray[Any]:
        """What hangs together; each row by itself where nobody says."""
        return self._groups(self.cluster) if self.cluster else np.arange(self.table.num_rows)

    @property
    def groups(self) -> dict[str, NDArray[Any]]:
        """The values of each slice; who has none is a group, too."""
        return {name: self._groups(name, _NONE) for name in self.slices}

    def _groups(self, name: str, missing: str = "") -> NDArray[Any]:
        """A column as (rows,) of texts or numbers, the long ones by reference; an empty cell is `missing`, or an error without one."""
        if missing and name in self.table.column_names and self.table[name].null_count:
            return np.array([missing if value is None else str(value) for value in self.table[name].to_pylist()], dtype=object)
        values = self.column(name)
        return np.array(values, dtype=object if isinstance(values[0], str) else None)


def labels(directory: Path, asked: Asked) -> Classified:
    """What the model says to each text. Raises ConfigError for a model that gives a text several labels."""
    scorer = _Scorer(directory)
    if scorer.several:
        raise ConfigError(f"{directory}: gives a text several labels, each by itself; its card has its figures on held-out texts")
    named = [str(label) for label in asked.column("label")]
    if unknown := sorted(set(named) - scorer.numbers.keys()):
        raise ConfigError(f"{asked.path}: label {unknown[0]!r} is none of the model's; use {sorted(scorer.numbers)}")
    chances = softmax(scorer.logits(asked.column("text")) / scorer.temperature)
    names = tuple(sorted(scorer.numbers, key=scorer.numbers.__getitem__))
    return Classified(chances, np.array([scorer.numbers[label] for label in named]), asked.clusters, asked.groups, names)


def persuasion(directory: Path, asked: Asked) -> Paired:
    """By how much the better text of each pair is scored above the other."""
    scorer, better = _Scorer(directory), asked.column("better")
    if strange := sorted(set(better) - {1, 2}):
        raise ConfigError(f"{asked.path}: better = {strange[0]!r}; write 1 where the first text did better, 2 where the second did")
    first, second = (scorer.logits(asked.column(name))[:, scorer.numbers["persuasive"]] for name in ("first", "second"))
    return Paired(np.where(np.array(better) == 1, first - second, second - first), asked.clusters, asked.groups)


def response(directory: Path, asked: Asked) -> Responded:
    """What the model says to each impression, and whether it happened."""
    model, among = ResponseModel.read(directory), read_card(directory).config.get("among")
    everything = np.arange(asked.table.num_rows)
    for key, name in (("outcome", model.outcome), ("among", among)):
        if name is not None and name not in asked.table.column_names:
            raise ConfigError(f"{asked.path}: lacks column {name!r}, the model's {key}; it has {asked.table.column_names}")
    rows = np.flatnonzero(zeros_and_ones(asked.table, "among", str(among), everything)) if among else everything
    if not len(rows):
        raise ConfigError(f"{asked.path}: {among} is 1 in no row, and the model was trained among such rows alone; give some")
    part = replace(asked, table=asked.table.take(pa.array(rows)))
    happened = zeros_and_ones(part.table, "outcome", model.outcome, rows)
    columns = {name: plain(part.table[name]).to_pylist() for name in model.encoding.columns if name in part.table.column_names}
    try:
        chances = model.of_encoded(model.encoding.encode(columns))
    except ResponseError as error:
        raise ConfigError(f"{asked.path}: {error}") from error
    return Responded(chances, happened, np.ones(len(rows)), part.clusters, part.groups)


class _Scorer:
    """A scoring model as it was trained: its labels' numbers, its temperature, texts as long as it read then."""

    def __init__(self, directory: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(directory)
        self._model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32).eval()
        self._max_tokens = int(read_card(directory).config["max_tokens"])
        self.numbers = {str(label): number for number, label in self._model.config.id2label.items()}
        self.temperature = float(getattr(self._model.config, "calibration_temperature", 1.0))
        self.several = self._model.config.problem_type == "multi_label_classification"

    def logits(self, texts: Sequence[str]) -> Floats:
        """(texts, labels)."""
        return logits_of(self._model, texts, self._tokenizer, self._max_tokens)


def generator(directory: Path, asked: Asked, seed: int, base: Path | None = None) -> dict[str, float]:
    """What `train.writing.generator_exam` finds."""
    if asked.slices or asked.cluster:
        raise ConfigError(f"{directory}: a generator's figures are of the whole table, by language; leave --slices and --cluster out")
    prompts, references, locales = (asked.column(name) for name in ("prompt", "reference", "locale"))
    try:
        return generator_exam.examined(generator_exam.Writer(directory, base), prompts, references, locales, seed)
    except ValueError as error:
        raise ConfigError(f"{asked.path}: {error}") from error


def evaluate(directory: Path, asked: Asked, against: Path | None = None, seed: int = 0, base: Path | None = None) -> Evaluation:
    """Examine the model, and the other one on the same rows. Raises ArtifactError for a directory that is no model, ConfigError for rows
    that it can't be asked."""
    card = _verified(directory)
    other = _verified(against) if against else None
    if other and _asked_as(other) != _asked_as(card):
        raise ConfigError(f"--against {against}: is a {other.kind!r} model, {directory} a {card.kind!r} one; name one of the same kind")
    found = Evaluation(str(directory), card.version, str(asked.path), asked.table.num_rows, {}, against=other.version if other else "")
    if _asked_as(card) == "generator":
        found.figures |= generator(directory, asked, seed, base)
        if against:
            found.figures |= {f"{name}_of_the_other": value for name, value in generator(against, asked, seed, base).items()}
        return found
    sit = _SITTINGS[_asked_as(card)]
    sitting = sit(directory, asked)
    found.examples = len(sitting.clusters)
    found.figures |= examined(sitting, seed=seed)
    found.slices, found.too_few = by_slice(sitting, seed=seed), too_few(sitting)
    if against:
        try:
            found.differences = compared(sitting, sit(against, asked), seed=seed)
        except ValueError as error:
            raise ConfigError(f"--against {against}: {error}; its labels must stand in the same order") from error
    return found


_SITTINGS: dict[str, Callable[[Path, Asked], Classified | Paired | Responded]] = {
    "labels": labels,
    "persuasion": persuasion,
    "response": response,
}


def _asked_as(card: Card) -> str:
    """The kind of examination; adapters are asked as the generators that they make of their bases."""
    if card.kind in generator_exam.KINDS:
        return "generator"
    return "labels" if card.kind in ("sentiment", "strategies") else card.kind


def _verified(directory: Path) -> Card:
    card = read_card(directory)
    if _asked_as(card) not in (*_SITTINGS, "generator"):
        raise ConfigError(
            f"{directory}: a {card.kind!r} directory can't be examined here; name a sentiment, strategies, persuasion, response or "
            "generator model"
        )
    return verify(directory, card.kind)


def markdown(found: Evaluation) -> str:
    """The evaluation as a page."""
    lines = [f"# {found.model} {found.version}", "", f"{found.examples} examples of `{found.data}`. Intervals are 95 % bootstraps.", ""]
    lines += ["| figure | value |", "|---|---|", *(f"| {name} | {_shown(value)} |" for name, value in found.figures.items())]
    for name, values in found.slices.items():
        there = {figure for figures in values.values() for figure in figures}
        shown = [figure for figure in _OF_SLICES if figure in there] or [figure for figure in _OF_CHANCES if figure in there]
        lines += ["", f"## By {name}", "", f"| {' | '.join(['value', *shown])} |", "|---" * (1 + len(shown)) + "|"]
        lines += [f"| {' | '.join([value, *(str(figures[figure]) for figure in shown)])} |" for value, figures in values.items()]
        if poor := found.too_few.get(name):
            lines += ["", f"Too few examples to tell: {_counted(poor)}."]
    if found.differences:
        lines += ["", f"## Against {found.against}", "", "| figure | difference | p |", "|---|---|---|"]
        lines += [
            f"| {name} | {each.value:+.4f} [{each.low:+.4f}, {each.high:+.4f}] | {each.p:.3f} |" for name, each in found.differences.items()
        ]
    return "\n".join(lines) + "\n"


def _counted(counts: Mapping[str, int]) -> str:
    some = [f"{value} ({count})" for value, count in list(counts.items())[:_COUNTED]]
    return ", ".join(some) + (f" and {len(counts) - _COUNTED} more" if len(counts) > _COUNTED else "")


def _shown(value: Interval | float) -> str:
    return str(value) if isinstance(value, Interval) else f"{value:.4f}"


def show(found: Evaluation, console: Console) -> None:
    """The figures as a table."""
    table = Table("figure", "value", title=f"{found.model} on {found.examples} examples")
    for name, value in found.figures.items():
        table.add_row(name, _shown(value))
    for name, each in found.differences.items():
        table.add_row(f"{name} against {found.against}", f"{each.value:+.4f} (p = {each.p:.3f})")
    console.print(table)
    for name, poor in found.too_few.items():
        if poor:
            console.print(f"{name}: too few examples of {_counted(poor)}", markup=False)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--against", type=Path, help="the model that serves now (its registry, too), or any of the same kind")
    parser.add_argument("--base", type=Path, help="of an adapter, where it isn't where its card says")
    parser.add_argument("--slices", default="", help="columns, comma-separated, for whose values figures are given apart")
    parser.add_argument("--cluster", help="column of what hangs together")
    parser.add_argument("--least", action="append", default=[], metavar="FIGURE=NUMBER", help="fail below this; may be repeated")
    parser.add_argument("--most", action="append", default=[], metavar="FIGURE=NUMBER", help="fail above this, of losses and errors")
    parser.add_argument(
        "--largest-gap", action="append", default=[], metavar="FIGURE=NUMBER", help="fail where a slice's groups differ more"
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    least, most, gaps = (limits(getattr(given, name.replace("-", "_")), f"--{name}") for name in ("least", "most", "largest-gap"))
    asked = Asked(given.data, read_table(given.data), tuple(filter(None, given.slices.split(","))), given.cluster)
    against = current(given.against) if given.against else None  # of a registry the version that serves
    found = evaluate(given.model, asked, against, given.seed, given.base)
    show(found, Console())
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "evaluation.json").write_text(json.dumps(asdict(found), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (given.out / "evaluation.md").write_text(markdown(found), encoding="utf-8")
    broken = too_low(found.figures, least) + too_high(found.figures, most) + too_unequal(found.slices, gaps)
    if broken:
        raise TrainingError(f"{given.model} must not serve:\n" + "\n".join(broken))


if __name__ == "__main__":
    run_command(main)
