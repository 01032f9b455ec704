"""Train the sentiment scorer: negative, neutral or positive, in Chinese and English.

    python -m train.sentiment [--config train/configs/sentiment.yaml] [--base DIR] [--out DIR] [--set key=value] [--resume RUN]

Data: a parquet or JSONL file with columns locale, text, label and perhaps held_out; or a shop's events table, whose reviews give text
and stars (1 and 2 are negative, 3 neutral, 4 and 5 positive). Only reviews of shoppers who consent are read: the shop's shoppers table
must lie beside its events. Model: a small ModernBERT from scratch, or the one in `base`. Loss: cross-entropy. Held out: the rows that
say so, else a seeded share of distinct texts, which is fair where people wrote them, and not where texts share whole clauses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from pydantic import AwareDatetime, Field
from torch import nn

from retrieval import tables
from retrieval.features import consenting
from train import classifier
from train.classifier import ClassifierConfig, logits_of
from train.job import launch, run_command, tell
from train.loop import Batch, Recipe, fit, seed_everything
from train.metrics import calibration_error, class_temperature, f1, softmax
from train.settings import ConfigError, InputPath, read_command_line
from train.tables import read_table

KIND = "sentiment"
LABELS = ("negative", "neutral", "positive")


class SentimentConfig(ClassifierConfig):
    """What the sentiment scorer needs besides the settings of every scorer."""

    data: InputPath
    consent_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    """Reviews count where their writer's consent holds at this instant, by default the start of the run; the same on every worker."""


Row = tuple[str, int, bool]
"""(text, number of its label, held out)."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Distinct texts with their labels, the files that they were read from, and how many reviews were left out for want of consent."""

    rows: list[Row]
    files: tuple[Path, ...]
    without_consent: int = 0


def loop(config: SentimentConfig) -> None:
    """One worker's part of the run: what is trained on what."""
    seed_everything(config.seed)
    tokenizer, model = classifier.start(config, KIND, LABELS, "single_label_classification")
    found = read_rows(config.data, config.consent_at)
    training, held_out = split(found.rows, config.held_out, config.seed)
    if found.without_consent:
        tell({"phase": f"{found.without_consent} reviews left out: their writers do not consent"})

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        chosen = [training[number] for number in numbers]
        labels = torch.tensor([label for _, label, _ in chosen])
        texts = classifier.encode([text for text, _, _ in chosen], tokenizer, config.max_tokens)
        return classifier.hide_words(texts, config.word_dropout, f"{config.seed}/{epoch}/{numbers[0]}") | {"labels": labels}

    judge = partial(judged, rows=held_out, tokenizer=tokenizer, max_tokens=config.max_tokens)
    recipe = Recipe(
        count=len(training),
        batch=batch,
        loss=lambda model, batch: model(**batch).loss,
        evaluate=judge,
        export=lambda model, directory: classifier.export(model, directory, tokenizer, judge(model)["temperature"]),
        lengths=[len(text) for text, _, _ in training],
    )
    fit(config, model, recipe)


def read_rows(path: Path, consent_at: datetime) -> Labelled:
    """Texts with their labels, of consenting shoppers where they are a shop's reviews. Raises ConfigError for a table of neither form."""
    table = read_table(path)
    found = _reviews(table, path, consent_at) if {"kind", "value", "text"} <= set(table.column_names) else _labelled(table, path)
    distinct = list({row[0]: row for row in sorted(found.rows)}.values())
    if len(distinct) < 10:
        left_out = f", {found.without_consent} more are of shoppers who do not consent" if found.without_consent else ""
        raise ConfigError(f"data = {str(path)!r}: has {len(distinct)} labelled texts{left_out}; give at least ten, better a thousand")
    return Labelled(distinct, found.files, found.without_consent)


def _labelled(table: pa.Table, path: Path) -> Labelled:
    if missing := {"locale", "text", "label"} - set(table.column_names):
        raise ConfigError(f"data = {str(path)!r}: lacks column(s) {sorted(missing)}; give locale, text, label, or a shop's events table")
    rows: list[Mapping[str, Any]] = table.to_pylist()
    if unknown := {row["label"] for row in rows} - set(LABELS):
        raise ConfigError(f"data = {str(path)!r}: label {sorted(map(str, unknown))[0]!r}; use {LABELS}")
    return Labelled([(row["text"], LABELS.index(row["label"]), bool(row.get("held_out"))) for row in rows if row["text"]], (path,))


def _reviews(events: pa.Table, path: Path, consent_at: datetime) -> Labelled:
    if "shopper_id" not in events.column_names:
        raise ConfigError(f"data = {str(path)!r}: lacks column 'shopper_id', by which consent is known; give a shop's events table")
    try:
        shoppers = tables.read(path.parent, "shoppers")
    except (tables.TableError, pa.ArrowException) as error:
        raise ConfigError(
            f"data = {str(path)!r}: who consented is not known ({error}); put the shop's shoppers.parquet beside its events"
        ) from error
    consent = set(consenting(shoppers, consent_at)["shopper_id"].to_pylist())
    events_read: list[Mapping[str, Any]] = events.select(["shopper_id", "kind", "value", "text"]).to_pylist()
    reviews = [row for row in events_read if row["kind"] == "review" and row["text"] and row["value"] is not None]
    allowed = [row for row in reviews if row["shopper_id"] in consent]
    rows = [(row["text"], int(np.digitize(row["value"], (2.5, 3.5))), False) for row in allowed]
    return Labelled(rows, (path, tables.path_of(path.parent, "shoppers")), len(reviews) - len(allowed))


def split(rows: Sequence[Row], share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """(training, held out): as the rows say, or by a seeded draw where none says so."""
    if any(held for _, _, held in rows):
        return [row for row in rows if not row[2]], [row for row in rows if row[2]]
    order = list(rows)
    Random(seed).shuffle(order)
    held = max(4, round(len(order) * share))
    return order[held:], order[:held]


def judged(model: nn.Module, *, rows: Sequence[Row], tokenizer: Any, max_tokens: int) -> dict[str, float]:
    """Held-out accuracy, macro F1, log loss; the temperature from one half of the texts and the calibration error on the other."""
    logits = logits_of(model, [text for text, _, _ in rows], tokenizer, max_tokens)
    labels = np.array([label for _, label, _ in rows])
    best = logits.argmax(axis=1)
    temperature = class_temperature(logits[::2], labels[::2])
    chances = softmax(logits[1::2] / temperature)
    return {
        "accuracy": float((best == labels).mean()),
        "macro_f1": float(np.mean([f1(best == number, labels == number) for number in range(len(LABELS)) if (labels == number).any()])),
        "validation_loss": float(-np.log(softmax(logits)[np.arange(len(labels)), labels] + 1e-12).mean()),
        "calibration_error": calibration_error(chances.max(axis=1), chances.argmax(axis=1) == labels[1::2]),
        "temperature": temperature,
    }


def main() -> None:
    """The command line."""
    config, resume = read_command_line(SentimentConfig, Path("train/configs/sentiment.yaml"))
    found = read_rows(config.data, config.consent_at)  # a table that can't be used is refused before Ray starts
    data = [*found.files, *(path for path in (config.tokenizer, config.base) if path)]
    card = launch(loop, config, kind=KIND, data=data, resume=resume)
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    run_command(main)
