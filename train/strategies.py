"""Train a classifier over a table's own labels: persuasion strategies of a dialogue, principles of ads, kinds of copy.

    python -m train.strategies --set data=utterances.csv --out DIR [--base DIR] [--config train/configs/strategies.yaml] [--set key=value]
    python -m train.strategies --set data=turns.tsv --set columns='{label: strategy, together: dialogue, context: before}' --out DIR

Data: a table of texts and labels (train/texts/labelled.py says how columns are found). A text with several labels has them in a list or
with `|` between, and then every label is judged by itself. `columns.together` names what is never on two sides, `columns.context` what was
said before a text. Model: as train/texts/classifier.py has it. Loss: train/texts/labelled_loop.py, rare labels weighted by `balance`, since
macro F1 counts them as much as frequent ones. Such a model does not serve: the persuasion scorer has labels of its own
(train/persuasion.py).
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from train.job import launch, run_command
from train.run.loop import seed_everything
from train.run.settings import ConfigError, InputPath, read_command_line
from train.run.tables import read_table
from train.run.worker import tell
from train.texts import labelled
from train.texts.classifier import ClassifierConfig
from train.texts.labelled import SEVERAL, Columns, Labelled, Texts
from train.texts.labelled_loop import Lesson, teach

KIND = "strategies"
_FEWEST = 10


class StrategiesConfig(ClassifierConfig):
    """What a classifier of strategies needs besides the settings of every scorer."""

    data: InputPath
    validation: InputPath | None = None
    """A table of its own to be held out; none means a share of `data`. What stands in both is left out of the training."""
    columns: Columns = Columns()
    repeats: bool = False
    """Whether a text counts as often as it stands there, and is trained on where it is held out, too: in dialogues greetings recur."""
    balance: float = Field(default=0.5, ge=0, le=1)
    """By which power of its frequency a label weighs less in the loss: 0 favours accuracy, 1 rare labels."""
    least_of_a_label: int = Field(default=2, ge=1)
    """Training texts that a label must have; fewer are refused."""


def loop(config: StrategiesConfig) -> None:
    """One worker's part of the run."""
    seed_everything(config.seed)
    training, held_out, found = parts(config)
    if told := found.told():
        tell({"phase": f"left out beside {len(found.rows)} texts: {told}"})
    names = labels_of(training)
    several = any(SEVERAL in row.label or not row.label for row in training)
    teach(config, KIND, Lesson(training, held_out, names, several, config.balance, found))


def parts(config: StrategiesConfig) -> tuple[list[Labelled], list[Labelled], Texts]:
    """(training, held out, everything that was read). Raises ConfigError for tables that can't be used."""
    found = read_texts(config.data, config)
    apart = read_texts(config.validation, config) if config.validation else None
    training, held_out, found = labelled.parted(found, apart, config.held_out, config.seed, repeats=config.repeats)
    counts = Counter(name for row in training for name in row.label.split(SEVERAL) if name)
    if rare := [name for name, count in sorted(counts.items()) if count < config.least_of_a_label]:
        raise ConfigError(
            f"data = {str(config.data)!r}: {rare[0]!r} has {counts[rare[0]]} training texts of {config.least_of_a_label} "
            "(least_of_a_label); give more, join labels with columns.meaning, or lower it"
        )
    if unknown := {name for row in held_out for name in row.label.split(SEVERAL) if name} - counts.keys():
        raise ConfigError(f"label {min(unknown)!r} is held out and has no training text; join it with another by columns.meaning")
    labelled.check_labels(training, config.data, fewest=1)
    labelled.check_labels(held_out, config.validation or config.data, fewest=1)
    return training, held_out, found


def labels_of(rows: Sequence[Labelled]) -> tuple[str, ...]:
    """The labels that the rows have, sorted."""
    return tuple(sorted({name for row in rows for name in row.label.split(SEVERAL) if name}))


def read_texts(path: Path, config: StrategiesConfig) -> Texts:
    """The texts of a table with its own labels. Raises ConfigError where there is nothing to learn."""
    found = labelled.from_table(read_table(path), path, config.columns, None, repeats=config.repeats)
    labelled.check_labels(found.rows, path, fewest=_FEWEST, left_out=found.told())
    return found


def main() -> None:
    """The command line."""
    config, resume = read_command_line(StrategiesConfig, Path("train/configs/strategies.yaml"))
    _, _, found = parts(config)  # tables that can't be used are refused before Ray starts
    data = [*found.files, *(path for path in (config.tokenizer, config.base) if path)]
    card = launch(loop, config, kind=KIND, data=data, resume=resume)
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    run_command(main)
