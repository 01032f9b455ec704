"""Look for better settings of a run: a few trials of the same command, each with settings drawn from a space.

    python -m train.sweep train.sentiment --config train/configs/sentiment_reviews.yaml --space space.yaml --out DIR
        [--set key=value] [--trials 8] [--metric validation_loss] [--mode min|max] [--resume SWEEP]

Every trial is a run as `python -m train.sentiment` makes it, with the same loop and config; train/sweeps/space.py says what a space may
hold. All settings are drawn and checked before anything starts. A trial whose held-out metric falls behind at a checkpoint is stopped early
(ASHA, train/sweeps/trials.py). Left are `<storage>/<sweep>/sweep.md` and `sweep.json`, with the command that makes each trial's run again,
and the best trial's model directory at `out`. Settings are judged on the held-out data, so the best figure is a little too good: examine
the model on data that no trial saw (train/evaluate.py). There is no model of the space: settings are drawn blindly, which does for some ten
trials.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from artifacts.card import Card, check_output
from multimodal.clip import KIND as CLIP
from retrieval.recommenders.registry import KIND as RECOMMENDER
from train import alignment, clip, generator, job, persuasion, recommender, sentiment, strategies
from train.alignment import AlignmentConfig
from train.persuasion import PersuasionConfig
from train.pictures.clip_config import ClipConfig
from train.recommender import RecommenderConfig
from train.reports.metrics import lower_is_better
from train.run.settings import ConfigError, TrainConfig, load_config, parse_overrides
from train.run.trackers import chosen
from train.sentiment import SentimentConfig
from train.strategies import StrategiesConfig
from train.sweeps.space import Settings, combinations, draw, read_space, varied
from train.sweeps.trial_table import Goal, Mode, Trial, TrialTable, command_of, write_tables
from train.sweeps.trials import Work, run_trials
from train.writing import language_model
from train.writing.generator_config import GeneratorConfig
from train.writing.rows import check, prepare

_TRIALS = 8
_CHECK_EVERY_S = 20.0  # a trial that falls behind is seen at its checkpoints only
_CHECKS = 8
_PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Run:
    """A training command as a sweep needs it. `data` gives the files to hash into the card, and refuses those that can't be used."""

    config: type[TrainConfig]
    loop: Callable[[Any], None]
    kind_of: Callable[[Any], str]
    """The kind of what a config makes."""
    data: Callable[[Any], list[Path]]
    prepare: Callable[[Any], object] = lambda config: None
    """What a trial needs to be there before its workers start."""


def _paths(*keys: str) -> Callable[[Any], list[Path]]:
    return lambda config: [path for path in (getattr(config, key) for key in keys) if path]


def _always(kind: str) -> Callable[[Any], str]:
    return lambda config: kind


def _of_sentiment(config: SentimentConfig) -> list[Path]:
    return [*sentiment.parts(config)[2].files, *_paths("tokenizer", "base")(config)]


def _of_persuasion(config: PersuasionConfig) -> list[Path]:
    persuasion.pairs_of(config)
    return _paths("copybook", "pairs", "tokenizer", "base")(config)


def _of_strategies(config: StrategiesConfig) -> list[Path]:
    return [*strategies.parts(config)[2].files, *_paths("tokenizer", "base")(config)]


def _of_generator(config: GeneratorConfig) -> list[Path]:
    return [*check(config, language_model.start_tokenizer(config)), *_paths("copybook", "tokenizer", "base")(config)]


def _prepared(config: GeneratorConfig) -> None:
    prepare(config, language_model.start_tokenizer(config))


def _of_recommender(config: RecommenderConfig) -> list[Path]:
    if config.model == "hybrid":
        raise ConfigError("model = 'hybrid': is made of several runs; sweep its parts one by one, e.g. --set model=sequence")
    return _paths("data", "attributes", "test")(config)


RUNS: dict[str, Run] = {
    "train.sentiment": Run(SentimentConfig, sentiment.loop, _always(sentiment.KIND), _of_sentiment),
    "train.persuasion": Run(PersuasionConfig, persuasion.loop, _always(persuasion.KIND), _of_persuasion),
    "train.strategies": Run(StrategiesConfig, strategies.loop, _always(strategies.KIND), _of_strategies),
    "train.generator": Run(GeneratorConfig, generator.loop, language_model.kind_of, _of_generator, _prepared),
    "train.alignment": Run(AlignmentConfig, alignment.loop, language_model.kind_of, alignment.files_of, alignment.prepare),
    "train.clip": Run(ClipConfig, clip.loop, _always(CLIP), _paths("data", "images", "tokenizer", "base")),
    "train.recommender": Run(RecommenderConfig, recommender.loop, _always(RECOMMENDER), _of_recommender),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A sweep before it runs. `command` is the plain run, without the settings of a trial and without --out."""

    name: str
    goal: Goal
    command: tuple[str, ...]
    trials: tuple[Trial, ...]


def make_plan(name: str, config: TrainConfig, settings: Sequence[Settings], goal: Goal, command: Sequence[str]) -> Plan:
    """A trial for each of the settings; one that makes no valid config is refused, with the key. ConfigError where all of them are."""
    storage = f"{config.runs}/{name}"
    trials = [_planned(f"trial_{number:02d}", config, each, storage) for number, each in enumerate(settings, start=1)]
    if all(one.state == "refused" for one in trials):
        raise ConfigError(f"none of the {len(trials)} trials has a valid config: {trials[0].reason}; change the space or pass --set")
    return Plan(name, goal, tuple(command), tuple(trials))


def _planned(name: str, config: TrainConfig, settings: Settings, storage: str) -> Trial:
    try:
        found = varied(config, settings).model_copy(update={"storage": storage})
    except ConfigError as error:
        return Trial(name, settings, state="refused", reason=str(error))
    return Trial(name, settings, found.model_dump(mode="json"))


def read_plan(directory: Path) -> Plan:
    """The plan of a sweep that was begun. Raises ConfigError where there is none."""
    path = directory / _PLAN
    if not path.is_file():
        raise ConfigError(f"--resume {directory.name!r}: no {_PLAN} in {directory}; name a sweep's directory there or leave --resume out")
    held = json.loads(path.read_text(encoding="utf-8"))
    return Plan(held["name"], Goal(**held["goal"]), tuple(held["command"]), tuple(Trial(**one) for one in held["trials"]))


def sweep(run: Run, config: TrainConfig, plan: Plan, *, resume: bool = False) -> Card:
    """Run the trials, write the tables, and put the best one's model at `config.out`. Raises TrainingError where no trial left one."""
    chosen(config.trackers)
    configs = {one.name: run.config.model_validate({**one.config, "out": config.out}) for one in plan.trials if one.config}
    if any(getattr(one, "private", None) for one in configs.values()):
        raise ConfigError(
            "private: choosing among trials on the same texts tells more of them than one run's epsilon; choose settings on other texts, "
            f"then run the command by itself, or leave private out of {plan.name}"
        )
    if not all(one.workers for one in configs.values()):
        raise ConfigError("workers = 0: the trials of a sweep run side by side on a cluster; pass --set workers=1")
    for kind in {run.kind_of(one) for one in configs.values()}:
        check_output(config.out, kind)
    directory = config.local_runs / plan.name
    directory.mkdir(parents=True, exist_ok=True)
    if not resume:
        (directory / _PLAN).write_text(json.dumps(asdict(plan), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for one in plan.trials:
        if one.name in configs:
            _prepare(run, configs, one)
    work = Work(job.address_of(run.loop), job.address_of(run.config), f"{config.runs}/{plan.name}")
    with TrialTable(plan.name, plan.trials, plan.goal) as table:
        if configs:
            run_trials(work, list(configs.values()), table, plan.goal, resume=resume)
    commands = {one.name: command_of(plan.command, one.settings, config.out) for one in plan.trials}
    page = write_tables(directory, plan.trials, plan.goal, commands)
    best = best_of(plan)
    card = job.publish_run(configs[best.name], kind=run.kind_of(configs[best.name]), data=run.data(configs[best.name]), run=best.name)
    table.say(f"{best.name} is the best, with {best.told()}; all of them: {page}")
    print(commands[best.name])
    return card


def _prepare(run: Run, configs: dict[str, TrainConfig], trial: Trial) -> None:
    """Make what a trial needs; one whose data can't be used with its settings is refused, and the others go on."""
    try:
        run.prepare(configs[trial.name])
    except ConfigError as error:
        trial.state, trial.reason = "refused", str(error)
        del configs[trial.name]


def best_of(plan: Plan) -> Trial:
    """The best trial of a sweep that has run. Raises TrainingError, with every trial's reason, where none left a model."""
    best = plan.goal.best(plan.trials)
    if best is None:
        reasons = "\n".join(f"{one.name} ({one.told()}): {one.state} {one.reason}" for one in plan.trials)
        raise job.TrainingError(f"sweep {plan.name}: no trial left a model; mend the cause or change the space\n{reasons}")
    return best


def goal_of(metric: str, mode: Mode | None) -> Goal:
    """What to look for: of a loss or an error the smallest value, of other metrics the largest, where `mode` doesn't say."""
    return Goal(metric, mode or ("min" if lower_is_better(metric) else "max"))


def checked_often(config: TrainConfig) -> TrainConfig:
    """The config with checkpoints close enough to stop a trial early."""
    limit = min(_CHECK_EVERY_S, (config.max_seconds or float("inf")) / _CHECKS)
    return config.model_copy(update={"checkpoint_every_s": min(config.checkpoint_every_s, limit)})


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", choices=sorted(RUNS), help="the command whose settings are looked for")
    parser.add_argument("--config", type=Path, required=True, help="YAML settings of the run")
    parser.add_argument("--space", type=Path, help="YAML: the values to try; train/sweeps/space.py shows the forms")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting of every trial; may be repeated")
    parser.add_argument("--trials", type=int, help=f"how many (default: {_TRIALS}, or all combinations where the space has only grids)")
    parser.add_argument("--metric", default="validation_loss", help="held-out metric that decides (default: %(default)s)")
    parser.add_argument("--mode", choices=get_args(Mode), help="which end of it is better (default: min for a loss or error, else max)")
    parser.add_argument("--out", help="directory for the best model; same as --set out=DIR")
    parser.add_argument(
        "--resume", metavar="SWEEP", help="go on with this sweep (its directory name under `storage`); trials are as planned"
    )
    return parser.parse_args(argv)


def plan_of(options: argparse.Namespace, run: Run, config: TrainConfig) -> Plan:
    """What the command line asks for: a sweep that was begun, or a new one. Raises ConfigError for a space that can't be used."""
    if options.resume:
        return read_plan(config.local_runs / options.resume)
    if options.space is None:
        raise ConfigError("--space: is required; name a YAML file with the values to try, train/sweeps/space.py shows one")
    space = read_space(options.space, run.config)
    grid = len(combinations(space))
    only_grids = all(domain.form == "grid" for domain in space.values())
    count = options.trials if options.trials is not None else grid if only_grids else max(_TRIALS, grid)
    settings = draw(space, config.seed, count)
    command = ["python", "-m", options.run, "--config", str(options.config), *(word for pair in options.set for word in ("--set", pair))]
    goal = goal_of(options.metric, options.mode)
    return make_plan(f"{config.name}-sweep-{datetime.now(UTC):%Y%m%d-%H%M%S}", config, settings, goal, command)


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    options = _options(argv)
    run = RUNS[options.run]
    overrides = parse_overrides(options.set) | ({"out": options.out} if options.out else {})
    config = load_config(run.config, options.config, overrides)
    run.data(config)  # tables that can't be used are refused before Ray starts
    if "checkpoint_every_s" not in overrides:
        config = checked_often(config)
    card = sweep(run, config, plan_of(options, run, config), resume=bool(options.resume))
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    job.run_command(main)
