"""Train a recommender: a shop or a published file of interactions in, a model directory of shopper and product vectors out.

    python -m train.recommender --config train/configs/recommender.yaml [--set key=value] [--out DIR] [--resume RUN]

`model` says which: popularity, als, content (solved in closed form by one worker), sequence, factorisation_machine (gradients, any number
of workers), hybrid (every part trained by a run of its own, weights learned on held-back choices, parts trained again on everything).
The exam is never trained on: `hold_back_days` of a shop, the last two products of each shopper of a file, or `test`, a second file.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, ValidationError, model_validator

from artifacts.card import Card
from retrieval import tables
from retrieval.interactions import InteractionsError
from retrieval.recommenders import registry
from retrieval.recommenders.als import Als, AlsSettings
from retrieval.recommenders.content import Content
from retrieval.recommenders.contract import ContentRequired, PreferenceModel
from retrieval.recommenders.hybrid import Hybrid
from retrieval.recommenders.popularity import Popularity
from train.job import launch, run_command
from train.run import worker
from train.run.loop import fit, seed_everything
from train.run.publish import MODEL
from train.run.settings import ConfigError, InputPath, TrainConfig, read_command_line
from train.shoppers import choices, factorisation, sequence
from train.shoppers.choices import VISIT, Choices, Exam

ModelName = Literal["popularity", "als", "content", "sequence", "factorisation_machine", "hybrid"]
_IN_CLOSED_FORM = ("popularity", "als", "content", "hybrid")


class RecommenderConfig(TrainConfig):
    """Which recommender, on what, and the settings of each kind; a kind reads its own."""

    model: ModelName
    data: InputPath
    """A shop's directory, or a file with a line `user item item …` for each shopper."""
    attributes: InputPath | None = None
    """For a file: JSON, item → attribute ids."""
    test: InputPath | None = None
    """For a file: the test part of a published split; without it the last two products of each shopper are held back."""
    hold_back_days: float = Field(default=0, ge=0)
    """For a shop: events of the last so many days are not trained on; 0 trains on all and judges nothing."""
    exam_days: float = Field(default=28, gt=0)
    """For a shop: the exam is what was newly taken up in so many days after the training data."""
    dim: int = Field(default=64, ge=2)
    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=2, ge=1)
    longest: int = Field(default=50, ge=2)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    temperature: float = Field(default=0.07, gt=0)
    negatives: int = Field(default=1024, ge=1)
    iterations: int = Field(default=16, ge=1)
    unobserved: float = Field(default=0.1, gt=0)
    regularisation: float = Field(default=0.003, gt=0)
    scaling: float = Field(default=1.0, ge=0, le=1)
    weighted: bool = False
    ridge: float = Field(default=1.0, gt=0)
    parts: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """For the hybrid: part → settings that differ from these. A part is named after its recommender, or else says which with `model`."""
    fitted_parts: dict[str, InputPath] = Field(default_factory=dict)
    """Set by the hybrid's own command: where its parts were left."""

    @model_validator(mode="after")
    def _fits(self) -> "RecommenderConfig":
        if self.model in _IN_CLOSED_FORM and self.workers > 1:
            raise ValueError(f"workers = {self.workers}: {self.model} is solved by one worker; set workers: 1 and raise threads_per_worker")
        if self.model == "hybrid" and len(self.parts) < 2:
            raise ValueError(f"parts = {sorted(self.parts)}: a hybrid blends two recommenders or more; name them under parts:")
        if self.model == "hybrid" and self.test is not None:
            raise ValueError(
                f"test = {self.test}: a hybrid's weights need choices held back beside the test; leave it out: the last two are"
            )
        if self.dim % self.heads:
            raise ValueError(f"heads = {self.heads}: must divide dim = {self.dim}")
        return self


def load_choices(config: RecommenderConfig) -> Choices:
    """Training data and exams. Raises InteractionsError or TableError naming the file and the remedy."""
    if config.data.is_dir():
        return choices.of_shop(config.data, hold_back_days=config.hold_back_days, exam_days=config.exam_days, seed=config.seed)
    return choices.of_file(config.data, config.attributes, config.test)


def loop(config: RecommenderConfig) -> None:
    """One worker's part of the run."""
    seed_everything(config.seed)
    torch.set_num_threads(config.threads_per_worker)
    data = load_choices(config)
    TRAINERS[config.model](config, data)


def _sequence(config: RecommenderConfig, data: Choices) -> None:
    network = sequence.start(
        data, dim=config.dim, layers=config.layers, heads=config.heads, longest=config.longest, dropout=config.dropout,
        temperature=config.temperature,
    )  # fmt: skip
    fit(config, network, sequence.recipe(data, network, negatives=config.negatives, seed=config.seed))


def _factorisation_machine(config: RecommenderConfig, data: Choices) -> None:
    machine, words = factorisation.start(data, dim=config.dim)
    fit(config, machine, factorisation.recipe(data, machine, words, negatives=config.negatives, seed=config.seed))


def _solved(model: PreferenceModel, data: Choices) -> None:
    _keep(model, data, {key: value for exam in data.exams for key, value in _judge(model, exam).items()})


def _judge(model: PreferenceModel, exam: Exam) -> dict[str, float]:
    worker.tell({"phase": f"judging on {len(exam.histories)} shoppers"})
    return exam.judge(model)


def _keep(model: PreferenceModel, data: Choices, metrics: dict[str, float]) -> None:
    """Hand a model solved in closed form over as the run's one checkpoint."""
    with tempfile.TemporaryDirectory() as temporary:
        registry.save(model, data.training.product_ids, data.training.attribute_names, Path(temporary) / MODEL, data.content)
        worker.save(metrics or {"products": float(data.training.products)}, Path(temporary))
    worker.tell({"done": 1.0, "step": 1, **metrics})


def _als(config: RecommenderConfig, data: Choices) -> Als:
    settings = AlsSettings(config.dim, config.iterations, config.unobserved, config.regularisation, config.scaling, config.weighted)
    return Als.fit(
        data.training, settings, config.seed, lambda done: worker.tell({"done": done / config.iterations, "step": done, "phase": "solving"})
    )


def _hybrid(config: RecommenderConfig, data: Choices) -> None:
    """Weights come from parts that have not seen the exam, and only with these is the hybrid judged, as validation since the weights have
    seen it; where parts fitted on everything are there too, those are served."""
    worker.tell({"phase": "learning the weights"})
    early = {name.removeprefix("early/"): registry.load(path).model for name, path in config.fitted_parts.items() if "early/" in name}
    late = {name: registry.load(path).model for name, path in config.fitted_parts.items() if "early/" not in name}
    exam, *others = data.exams
    blended = Hybrid.fit(early, exam, next((other for other in others if other.name == VISIT), None), data.training, config.seed)
    metrics = _judge(blended, replace(exam, name="validation"))
    for other in others:  # of a file: the last choice, which neither parts nor weights have seen
        metrics |= _judge(blended, replace(other, name=f"validation_{VISIT}") if other.name == VISIT else other)
    if late:
        everything = load_choices(config.model_copy(update={"hold_back_days": 0})).training
        blended = blended.with_parts(late, everything.histories, everything)
    _keep(blended, data, metrics)


TRAINERS: dict[str, Callable[[RecommenderConfig, Choices], None]] = {
    "popularity": lambda config, data: _solved(Popularity.fit(data.training, config.seed), data),
    "als": lambda config, data: _solved(_als(config, data), data),
    "content": lambda config, data: _solved(Content.fit(data.training, _als(config, data).product_vectors, config.ridge), data),
    "sequence": _sequence,
    "factorisation_machine": _factorisation_machine,
    "hybrid": _hybrid,
}
"""What one worker does for each kind of recommender."""


def train(config: RecommenderConfig, resume: str | None = None) -> Card:
    """Train and publish one recommender; a hybrid's parts first, each by a run of its own under `storage`."""
    data = [path for path in (config.data, config.attributes, config.test) if path]
    if config.model == "hybrid":
        if resume:
            raise ConfigError(f"--resume {resume!r}: a hybrid is made of several runs; run it again, or train its parts one by one")
        config = _with_parts(config)
    try:
        return launch(loop, config, kind=registry.KIND, data=data, resume=resume)
    except (InteractionsError, ContentRequired, tables.TableError) as error:
        raise ConfigError(f"data = {config.data}: {error}") from error


def _with_parts(config: RecommenderConfig) -> RecommenderConfig:
    """Every part trained without the exam for the weights, and, for a shop, once more on everything for serving."""
    held_back = config.hold_back_days or config.exam_days
    passes = {"early/": held_back, "": 0.0} if config.data.is_dir() else {"early/": 0.0}
    parts = {
        f"{prefix}{name}": _part(config, name, changes, prefix, days)
        for prefix, days in passes.items()
        for name, changes in config.parts.items()
    }
    for part in parts.values():  # all of them are checked before the first is trained
        train(part)
    fitted = {name: part.out for name, part in parts.items()}
    return config.model_copy(update={"fitted_parts": fitted, "hold_back_days": held_back if config.data.is_dir() else 0})


def _part(config: RecommenderConfig, name: str, changes: dict[str, Any], prefix: str, days: float) -> RecommenderConfig:
    common = config.model_dump(exclude={"parts", "fitted_parts", "model", "name", "out", "hold_back_days"})
    storage = Path("var/runs" if "://" in config.storage else config.storage).absolute()
    place = storage / f"{config.name}-parts" / f"{prefix}{name}"
    settings = {"model": name, "name": f"{config.name}-{prefix.replace('/', '-')}{name}", "out": place, "hold_back_days": days}
    try:
        return RecommenderConfig.model_validate({**common, **settings, **changes})
    except ValidationError as error:
        faults = [f"parts.{name}.{'.'.join(map(str, one['loc']))} = {one['input']!r}: {one['msg']}" for one in error.errors()]
        raise ConfigError("\n".join(f"{fault}; change it in the config" for fault in faults)) from error


def main() -> None:
    """The command line."""
    config, resume = read_command_line(RecommenderConfig, Path("train/configs/recommender.yaml"))
    card = train(config, resume)
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    run_command(main)
