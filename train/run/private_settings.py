"""What a differentially private run is asked for, and which other settings it can't be combined with. Knows neither torch nor Opacus.

private: {target_epsilon: 3}                       # in a run's YAML
--set private='{target_epsilon: 3, max_grad_norm: 0.5}'
"""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from train.run.settings import ConfigError

C = TypeVar("C", bound=BaseModel)


class Privacy(BaseModel):
    """The budget of a run, and how far one unit may move a step. `unit` and `covers` say on the card what the budget protects."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    unit_name: ClassVar[str] = "training example"
    coverage: ClassVar[str] = ""

    target_epsilon: float = Field(gt=0)
    """What all planned steps spend together; a run that stops early has spent less."""
    delta: float | None = Field(default=None, gt=0, lt=1)
    """The chance that the bound fails; none means the largest power of ten below one over the number of units."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """The longest gradient that one unit may add to a step: what is longer is shortened to it."""
    unit: str = ""
    covers: str = ""

    @model_validator(mode="before")
    @classmethod
    def _says_what_it_covers(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        said = {"unit": cls.unit_name, "covers": cls.coverage}
        if wrong := [key for key, text in said.items() if values.get(key, text) != text]:
            raise ValueError(f"{wrong[0]} is what the card says of this kind of run; leave it out")
        return values | said

    def delta_for(self, units: int) -> float:
        """δ of a run over so many units. Raises ConfigError where it is no smaller than one over them: it would then allow that one unit
        in all is simply published."""
        if self.delta is None:
            return float(10.0 ** -len(str(units)))
        if self.delta >= 1 / units:
            raise ConfigError(
                f"private.delta = {self.delta:g}: is no less than 1/{units}, one over the number of units ({self.unit}); "
                "leave it out or lower it"
            )
        return self.delta


class TextPrivacy(Privacy):
    """Of a text classifier."""

    unit_name = "one labelled training text"
    coverage = (
        "epsilon and delta bound what the published weights tell of any one training text, as the training part was drawn, without repeats "
        "and contradictions; noise, batches, dropout and changed words come from the system's entropy, not from the seed. Not covered: the "
        "held-out texts, from which figures, temperature and the loudness of paths are computed without noise; how many texts and labels "
        "there are; the base and the tokenizer, which must come from elsewhere; and the run's own directory (losses, report, data card)."
    )


class ResponsePrivacy(Privacy):
    """Of a response model; how it is fitted besides."""

    unit_name = "one value of the column `cluster` (a shopper) with all its training rows; without that column, one row"
    coverage = (
        "epsilon and delta bound what the published weights tell of any one unit's training rows. Not covered: validation and test rows, "
        "from which levels, means, calibration and figures are computed without noise; how many units and which columns there are; and "
        "what the command prints."
    )

    per_unit: int = Field(default=8, ge=1)
    """Rows of one unit that are learned from at most, drawn by the seed."""
    batch_size: int = Field(default=256, ge=1)
    """Units in a step, on average."""
    epochs: int = Field(default=20, ge=1)
    learning_rate: float = Field(default=0.05, gt=0)
    prior_rate: float = Field(default=0.05, gt=0, lt=1)
    """A guess of how often the outcome occurs, from elsewhere; the model begins with it."""


_CONFLICTS: tuple[tuple[str, Callable[[Any, Any], bool], str], ...] = (
    ("workers", lambda value, _: value > 1, "workers would draw their batches apart; pass --set workers=1"),
    ("parallel", lambda value, _: value == "fsdp", "gradients of single examples need the whole model; pass --set parallel=ddp"),
    ("optimizer", lambda value, _: value != "adamw", "the private optimizer wraps AdamW; pass --set optimizer=adamw"),
    ("precision", lambda value, _: value == "bf16", "gradients are clipped in fp32; pass --set precision=fp32"),
    ("adversarial", lambda value, _: value > 0, "its moves are not computed example by example; pass --set adversarial=0"),
    (
        "tokenizer",
        lambda value, config: value is None and config.base is None,
        "a tokenizer learned from the training texts would publish their words; name one made from other texts with --set tokenizer=DIR, "
        "or start from a base",
    ),
)


def refuse_conflicts(config: C) -> C:
    """The config of a text classifier as it is; raises ValueError where `private` stands beside a setting that would undo it."""
    if getattr(config, "private", None) is not None:
        for key, bad, remedy in _CONFLICTS:
            if bad(value := getattr(config, key), config):
                raise ValueError(f"private with {key} = {value!r}: {remedy}")
    return config
