"""Train the sentiment scorer: negative, neutral or positive, in Chinese and English.

    python -m train.sentiment [--config train/configs/sentiment.yaml] [--base DIR] [--out DIR] [--set key=value] [--resume RUN]
    python -m train.sentiment --config train/configs/sentiment_reviews.yaml --set data=reviews.csv --out DIR     # any labelled texts

Data: a table of texts and labels (train/labelled.py says how columns and labels are found; Parquet, JSON lines, CSV, TSV); or a shop's
events table, whose reviews give text and stars (1 and 2 are negative, 3 neutral, 4 and 5 positive). Only reviews of shoppers who consent
are read: the shop's shoppers table must lie beside its events. Model: a ModernBERT, GRU or TextCNN from scratch, or any encoder in `base`;
its labels are those of the three that the data has. Loss: cross-entropy. Held out: the table `validation`, else the rows that say so, else
a seeded share of distinct texts, which is fair where people wrote them, and not where texts share whole clauses.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from pydantic import AwareDatetime, Field
from torch import nn

from retrieval import tables
from retrieval.features import consenting
from train import classifier, labelled
from train.adversarial import hardened
from train.classifier import ClassifierConfig, logits_of
from train.exhibits import Exhibits, classified_exhibits
from train.job import launch, run_command, tell
from train.labelled import Columns, Labelled, Texts
from train.loop import Batch, Recipe, fit, seed_everything
from train.metrics import calibration_error, class_temperature, f1, softmax
from train.settings import ConfigError, InputPath, read_command_line
from train.tables import read_table

KIND = "sentiment"
LABELS = ("negative", "neutral", "positive")
_FEWEST = 10


class SentimentConfig(ClassifierConfig):
    """What the sentiment scorer needs besides the settings of every scorer."""

    data: InputPath
    validation: InputPath | None = None
    """A table of its own to be held out; none means a share of `data`. What stands in both is left out of the training."""
    columns: Columns = Columns()
    consent_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    """Reviews count where their writer's consent holds at this instant, by default the start of the run; the same on every worker."""


def loop(config: SentimentConfig) -> None:
    """One worker's part of the run: what is trained on what."""
    seed_everything(config.seed)
    training, held_out, found = parts(config)
    names = labels_of(found.rows)
    tokenizer, model = classifier.start(config, KIND, names, "single_label_classification", [row.text for row in training])
    numbers_of = {name: number for number, name in model.config.id2label.items()}
    classifier.count_ngrams(model, [row.text for row in training], [numbers_of[row.label] for row in training], tokenizer, config)
    if told := found.told():
        tell({"phase": f"left out beside {len(found.rows)} texts: {told}"})

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        chosen = [training[number] for number in numbers]
        labels = torch.tensor([numbers_of[row.label] for row in chosen])
        texts = classifier.encode([row.text for row in chosen], tokenizer, config.max_tokens)
        return classifier.hide_words(texts, config.word_dropout, f"{config.seed}/{epoch}/{numbers[0]}") | {"labels": labels}

    asked = [row.text for row in held_out]
    truth = np.array([numbers_of[row.label] for row in held_out])
    judge = partial(judged, texts=asked, truth=truth, tokenizer=tokenizer, max_tokens=config.max_tokens)

    def shown(model: nn.Module) -> Exhibits:
        logits = logits_of(model, asked, tokenizer, config.max_tokens)
        half = _fitted_on(truth)
        return classified_exhibits(logits, truth, tuple(numbers_of), class_temperature(logits[half], truth[half]), fitted_on=half)

    recipe = Recipe(
        count=len(training),
        batch=batch,
        loss=hardened(lambda model, batch: model(**batch).loss, config.adversarial),
        evaluate=judge,
        export=lambda model, directory: classifier.export(model, directory, tokenizer, judge(model)["temperature"], config),
        lengths=[len(row.text) for row in training],
        exhibits=shown,
    )
    fit(config, model, recipe)


def parts(config: SentimentConfig) -> tuple[list[Labelled], list[Labelled], Texts]:
    """(training, held out, everything that was read). Raises ConfigError for tables that can't be used."""
    found = read_texts(config.data, config.columns, config.consent_at)
    if config.validation is None:
        training, held_out = labelled.hold_out(found.rows, config.held_out, config.seed)
    else:
        apart = read_texts(config.validation, config.columns, config.consent_at)
        seen = set(labelled.leaks(apart.rows, found.rows))
        training, held_out = [row for row in found.rows if row.text not in seen], list(apart.rows)
        left_out = {**found.left_out, "held out as well": len(seen)}
        found = Texts((*training, *held_out), (*found.files, *apart.files), left_out)
    labelled.check_labels(training, config.data, fewest=1)
    labelled.check_labels(held_out, config.validation or config.data, fewest=1)
    return training, held_out, found


def labels_of(rows: Sequence[Labelled]) -> tuple[str, ...]:
    """Those of LABELS that the rows have."""
    return tuple(name for name in LABELS if any(row.label == name for row in rows))


def read_texts(path: Path, columns: Columns, consent_at: datetime) -> Texts:
    """Texts with their labels, of consenting shoppers where they are a shop's reviews. Raises ConfigError for a table of neither form."""
    table = read_table(path)
    if {"kind", "value", "text"} <= set(table.column_names):
        found = _reviews(table, path, consent_at)
    else:
        found = labelled.from_table(table, path, columns, LABELS)
    labelled.check_labels(found.rows, path, fewest=_FEWEST, left_out=found.told())
    return found


def _reviews(events: pa.Table, path: Path, consent_at: datetime) -> Texts:
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
    rows = [Labelled(row["text"], LABELS[int(np.digitize(row["value"], (2.5, 3.5)))]) for row in allowed]
    files = (path, tables.path_of(path.parent, "shoppers"))
    return labelled.distinct(rows, files, {"of shoppers who do not consent": len(reviews) - len(allowed)})


def judged(model: nn.Module, *, texts: Sequence[str], truth: Any, tokenizer: Any, max_tokens: int) -> dict[str, float]:
    """Held-out accuracy, macro F1, log loss; the temperature from one half of the texts and the calibration error on the other. `truth`
    is (texts,), numbers of the model's labels."""
    logits = logits_of(model, texts, tokenizer, max_tokens)
    best, half = logits.argmax(axis=1), _fitted_on(truth)
    temperature = class_temperature(logits[half], truth[half])
    chances = softmax(logits[~half] / temperature)
    return {
        "accuracy": float((best == truth).mean()),
        "macro_f1": float(np.mean([f1(best == number, truth == number) for number in np.unique(truth)])),
        "validation_loss": float(-np.log(softmax(logits)[np.arange(len(truth)), truth] + 1e-12).mean()),
        "calibration_error": calibration_error(chances.max(axis=1), chances.argmax(axis=1) == truth[~half]),
        "temperature": temperature,
    }


def _fitted_on(truth: Any) -> Any:
    """The half of the texts from which the temperature comes: (n,) of bool."""
    return np.random.default_rng(0).permutation(len(truth)) % 2 == 0


def main() -> None:
    """The command line."""
    config, resume = read_command_line(SentimentConfig, Path("train/configs/sentiment.yaml"))
    _, _, found = parts(config)  # tables that can't be used are refused before Ray starts
    data = [*found.files, *(path for path in (config.tokenizer, config.base) if path)]
    card = launch(loop, config, kind=KIND, data=data, resume=resume)
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    run_command(main)
