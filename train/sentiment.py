"""Train the sentiment scorer: negative, neutral or positive, in Chinese and English.

    python -m train.sentiment [--config train/configs/sentiment.yaml] [--base DIR] [--out DIR] [--set key=value] [--resume RUN]
    python -m train.sentiment --config train/configs/sentiment_reviews.yaml --set data=reviews.csv --out DIR     # any labelled texts

Data: a table of texts and labels (train/texts/labelled.py says how columns and labels are found; Parquet, JSON lines, CSV, TSV); or a
shop's events table, whose reviews give text and stars (1 and 2 are negative, 3 neutral, 4 and 5 positive). Only reviews of shoppers who
consent are read: the shop's shoppers table must lie beside its events. Model: a ModernBERT, GRU or TextCNN from scratch, or any encoder in
`base`; its labels are those of the three that the data has. Loss: cross-entropy. Held out: the table `validation`, else the rows that say
so, else a seeded share of distinct texts, which is fair where people wrote them, and not where texts share whole clauses.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import AwareDatetime, Field, model_validator

from retrieval import tables
from retrieval.features import consenting
from train.job import launch, run_command
from train.run.loop import seed_everything
from train.run.private_settings import TextPrivacy, refuse_conflicts
from train.run.settings import ConfigError, InputPath, read_command_line
from train.run.tables import read_table
from train.run.worker import tell
from train.texts import labelled
from train.texts.classifier import ClassifierConfig
from train.texts.labelled import Columns, Labelled, Texts
from train.texts.labelled_loop import Lesson, teach

KIND = "sentiment"
LABELS = ("negative", "neutral", "positive")
_FEWEST = 10


class SentimentConfig(ClassifierConfig):
    """What the sentiment scorer needs besides the settings of every scorer."""

    data: InputPath
    validation: InputPath | None = None
    """A table of its own to be held out; none means a share of `data`. What stands in both is left out of the training."""
    columns: Columns = Columns()
    private: TextPrivacy | None = None
    """Differentially private training: `{target_epsilon: 3}`; train/run/private_settings.py has the rest."""
    consent_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    """Reviews count where their writer's consent holds at this instant, by default the start of the run; the same on every worker."""
    _private_alone = model_validator(mode="after")(refuse_conflicts)


def loop(config: SentimentConfig) -> None:
    """One worker's part of the run: what is trained on what."""
    seed_everything(config.seed)
    training, held_out, found = parts(config)
    if told := found.told():
        tell({"phase": f"left out beside {len(found.rows)} texts: {told}"})
    teach(config, KIND, Lesson(training, held_out, labels_of(found.rows), read=found), config.private)


def parts(config: SentimentConfig) -> tuple[list[Labelled], list[Labelled], Texts]:
    """(training, held out, everything that was read). Raises ConfigError for tables that can't be used."""
    found = read_texts(config.data, config.columns, config.consent_at)
    apart = read_texts(config.validation, config.columns, config.consent_at) if config.validation else None
    training, held_out, found = labelled.parted(found, apart, config.held_out, config.seed)
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


def main() -> None:
    """The command line."""
    config, resume = read_command_line(SentimentConfig, Path("train/configs/sentiment.yaml"))
    training, _, found = parts(config)  # tables that can't be used are refused before Ray starts
    if config.private:
        config.private.delta_for(len(training))
    files = () if config.private else found.files  # a hash would let who can guess all texts but one confirm that one
    data = [*files, *(path for path in (config.tokenizer, config.base) if path)]
    card = launch(loop, config, kind=KIND, data=data, resume=resume)
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    run_command(main)
