"""Train the response model: the probability that an impression is clicked, or that a click converts.

    python -m train.response [--config train/configs/response.yaml] [--out DIR] [--set key=value]
    python -m train.response --config train/configs/response_table.yaml --set data=impressions.csv --out DIR      # a table of yours

A table of impressions in (Parquet, JSON lines, CSV), a model directory out that `artifacts.response.ResponseModel` reads: JSON and arrays,
no pickle. `model: all` fits the three of `train/shoppers/response_models.py` and keeps the one with the least validation log loss; the card
has the figures of each. The latest tenth of the rows is the test, which nothing is fitted or chosen on; the tenth before it is the
validation, which decides when to stop, which model is kept and how it is calibrated. Runs in this process: minutes on a CPU, no cluster.

With `private` one of the first two is fitted with differential privacy (train/shoppers/response_private.py).

What clicks follow from an impression is correlation: where the logging policy chose what to show, name its `propensity`.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from artifacts.card import Card, check_output, write_card
from artifacts.response import KIND, Machine, ResponseModel, Trees
from artifacts.response_features import Encoding
from train.exams.exam import examined
from train.job import run_command
from train.run.private_settings import ResponsePrivacy
from train.run.settings import OutputPath, command_line, data_hash, read_plain_command_line
from train.shoppers.impressions import Examples, Impressions, parts, read_impressions
from train.shoppers.response_exam import Responded, calibrated
from train.shoppers.response_models import FITTERS, ModelName, ModelsConfig


class ResponseConfig(ModelsConfig):
    """Settings of a run; the table has its own in `train/shoppers/impressions.py`, the models in `train/shoppers/response_models.py`."""

    name: str = Field(default="response", pattern=r"^[a-z][a-z0-9_-]*$")
    out: OutputPath
    model: ModelName | Literal["all"] = "all"
    private: ResponsePrivacy | None = None
    """Differentially private fitting of one model; `strengths`, `penalties` and the like are then not asked."""

    @model_validator(mode="after")
    def _can_be_private(self) -> Self:
        if self.private is None:
            return self
        if self.model not in PRIVATE_MODELS:
            raise ValueError(
                f"private with model = {self.model!r}: name one of {PRIVATE_MODELS}; trees, and a choice among models, tell too much"
            )
        if not isinstance(self.features, tuple):
            raise ValueError(
                f"private with features = {self.features!r}: the choice would look at the rows; name the columns, features: [channel, …]"
            )
        if self.propensity is not None:
            raise ValueError(f"private with propensity = {self.propensity!r}: the weights' mean is taken over all rows; leave it out")
        return self


PRIVATE_MODELS: tuple[ModelName, ...] = ("logistic", "factorisation_machine")
"""Models that can be fitted privately."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One fitted and calibrated model, and its cross-fitted validation log loss."""

    name: ModelName
    model: ResponseModel
    validation_log_loss: float
    spent: Mapping[str, float] = field(default_factory=dict)
    """Epsilon and delta of a private model, and what they follow from."""


def fit(name: ModelName, encoding: Encoding, training: Examples, validation: Examples, config: ModelsConfig) -> Candidate:
    """Fit on training, calibrate on validation."""
    return _calibrated(name, FITTERS[name](encoding, training, validation, config), encoding, validation, config)


def fit_private(
    name: ModelName, encoding: Encoding, training: Examples, units: NDArray[Any], validation: Examples, config: ResponseConfig
) -> Candidate:
    """Fit on training with differential privacy for each of the `units` (rows,), calibrate on validation."""
    from train.shoppers.response_private import fit_private_machine  # Opacus takes seconds to import

    assert config.private is not None
    dim = config.dim if name == "factorisation_machine" else 0
    machine, spent = fit_private_machine(encoding, training, units, config.private, dim=dim, seed=config.seed)
    return replace(_calibrated(name, machine, encoding, validation, config), spent=spent)


def _calibrated(name: ModelName, scorer: Machine | Trees, encoding: Encoding, validation: Examples, config: ModelsConfig) -> Candidate:
    logits = scorer.logits(encoding, validation.rows)
    calibration, loss = calibrated(logits, validation.happened, validation.weights, config.seed)
    return Candidate(name, ResponseModel(config.outcome, encoding, scorer, calibration, validation.rate), loss)


def make(config: ResponseConfig) -> Card:
    """Train, judge and write the directory, card last. Raises ConfigError for a table that can't be learned from, ArtifactError for an
    `out` that holds anything else."""
    check_output(config.out, KIND)
    impressions = read_impressions(config)
    rows = parts(impressions, config)
    encoding = impressions.encoding(rows["validation" if config.private else "training"], config)
    everything = impressions.examples(encoding)
    training, validation, test = (everything.take(rows[part]) for part in ("training", "validation", "test"))
    print(f"{len(impressions)} impressions, {config.outcome} in {int(impressions.happened.sum())}; reads {', '.join(encoding.columns)}")
    if impressions.unread:
        print(f"reads nothing of {', '.join(impressions.unread)}")
    candidates = []
    for name in FITTERS if config.model == "all" else (config.model,):
        started = time.monotonic()
        if config.private:
            units = impressions.clusters[rows["training"]]
            candidates.append(fit_private(name, encoding, training, units, validation, config))
        else:
            candidates.append(fit(name, encoding, training, validation, config))
        took = time.monotonic() - started
        print(f"{name}: validation log loss {candidates[-1].validation_log_loss:.5f} ({took:.1f} s)", flush=True)
    best = min(candidates, key=lambda each: each.validation_log_loss)
    clusters = impressions.clusters[rows["test"]]
    sizes = {"impressions": float(len(impressions)), "happened": float(impressions.happened.sum())}
    if config.private:  # how often it happened, and the base rate, would tell of the training rows
        del sizes["happened"]
        training = validation
    metrics = sizes | judged(best, candidates, training, test, clusters, config.seed) | dict(best.spent)
    return _written(config, best, impressions, metrics)


def judged(
    best: Candidate, candidates: list[Candidate], training: Examples, test: Examples, clusters: NDArray[np.generic], seed: int
) -> dict[str, float]:
    """Test figures: the best one's with 95 % intervals, every candidate's, and those of always saying the training's base rate."""
    found: dict[str, float] = {}
    for name, interval in examined(_sat(best, test, clusters), seed=seed).items():
        found |= {f"test_{name}": interval.value, f"test_{name}_low": interval.low, f"test_{name}_high": interval.high}
    everything = np.arange(len(test.happened))
    for each in candidates:
        found[f"{each.name}_validation_log_loss"] = each.validation_log_loss
        found |= {f"{each.name}_test_{name}": value for name, value in _sat(each, test, clusters).figures(everything).items()}
    rate = np.full(len(test.happened), training.rate)
    base = Responded(rate, test.happened, test.weights, clusters).figures(everything)
    return found | {"test_rate": test.rate} | {f"base_rate_test_{name}": value for name, value in base.items()}


def _sat(candidate: Candidate, test: Examples, clusters: NDArray[np.generic]) -> Responded:
    return Responded(candidate.model.of_encoded(test.rows), test.happened, test.weights, clusters)


def _written(config: ResponseConfig, best: Candidate, impressions: Impressions, metrics: dict[str, float]) -> Card:
    """The directory under another name, its card last; then it takes the place of an older one."""
    partial = config.out.with_name(f"{config.out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    best.model.save(partial)
    described = config.model_dump(mode="json", exclude={"data", "out", "name"})
    described |= {"data": config.data.name, "kept": best.name, "calibration": best.model.calibration.method}
    described["reads"] = dict(impressions.kinds)
    card = write_card(
        partial, kind=KIND, name=config.name, command=command_line(), seed=config.seed, config=described,
        data_hash="" if config.private else data_hash([config.data]),  # who can guess all rows but one could confirm that one
        metrics={key: round(value, 6) or value for key, value in metrics.items()},  # a small delta is not 0
    )  # fmt: skip
    if config.out.exists():
        shutil.rmtree(config.out)
    partial.rename(config.out)
    return card


def main() -> None:
    """The command line."""
    config = read_plain_command_line(ResponseConfig, Path("train/configs/response.yaml"))
    card = make(config)
    print(f"kept {card.config['kept']}, calibrated by {card.config['calibration']}; {config.out}")
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    run_command(main)
