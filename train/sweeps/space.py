"""What a sweep tries: a YAML file that names, for some keys of a config, the values that they may take.

    learning_rate: {log_uniform: [1.0e-4, 1.0e-2]}     # between the two, every factor as likely
    dropout: {uniform: [0.1, 0.5]}
    layers: {randint: [1, 4]}                          # 1, 2, 3 or 4
    architecture: {choice: [textcnn, gru]}             # any of these
    batch_size: {grid: [16, 32]}                       # each of these in turn, with each of every other grid

A trial's settings depend on the seed and on its number alone: more trials go on where fewer ended, and they are the same in any order.
Knows neither Ray nor torch.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from random import Random
from typing import Any

import yaml
from pydantic import ValidationError

from train.run.settings import C, ConfigError, TrainConfig

Settings = Mapping[str, Any]
_OWN = ("name", "out", "storage", "trackers", "checkpoint_every_s")
_DRAWS = 50  # in a row that only repeat what is there already: the space is used up
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Domain:
    """The values of one key: `form` is one of FORMS, `values` its bounds or its list."""

    form: str
    values: tuple[Any, ...]


def _log_uniform(values: Sequence[Any], random: Random) -> float:
    return _rounded(math.exp(random.uniform(math.log(values[0]), math.log(values[1]))), values)


def _uniform(values: Sequence[Any], random: Random) -> float:
    return _rounded(random.uniform(*values), values)


def _rounded(value: float, bounds: Sequence[float]) -> float:
    """Few digits, so that a command can repeat the value exactly."""
    return min(max(float(f"{value:.{_DIGITS}g}"), bounds[0]), bounds[1])


FORMS: dict[str, Callable[[Sequence[Any], Random], Any]] = {
    "log_uniform": _log_uniform,
    "uniform": _uniform,
    "randint": lambda values, random: random.randint(*values),
    "choice": lambda values, random: random.choice(values),
    "grid": lambda values, random: values[0],  # never drawn: `combinations` sets it
}
_LISTS = ("choice", "grid")


def read_space(path: Path, kind: type[TrainConfig]) -> dict[str, Domain]:
    """The space in this file. Raises ConfigError for a key that the config lacks, and for a form or bounds that can't be used."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"--space {str(path)!r}: can't be read ({error}); name a YAML file, train/sweeps/space.py shows one") from error
    if not isinstance(found, dict) or not found:
        raise ConfigError(f"--space {path}: holds no keys; write lines such as `learning_rate: {{log_uniform: [1.0e-4, 1.0e-2]}}`")
    return {str(key): _domain(f"{path}: {key} = {told!r}", str(key), told, kind) for key, told in found.items()}


def _domain(where: str, key: str, told: object, kind: type[TrainConfig]) -> Domain:
    if key not in kind.model_fields:
        near = get_close_matches(key, kind.model_fields, n=1)
        raise ConfigError(f"{where}: unknown key; " + (f"did you mean {near[0]!r}?" if near else f"use one of {sorted(kind.model_fields)}"))
    if key in _OWN:
        raise ConfigError(f"{where}: the sweep sets this itself; take it out of the space, --set {key}=VALUE holds for every trial")
    if not isinstance(told, dict) or len(told) != 1 or next(iter(told)) not in FORMS:
        raise ConfigError(f"{where}: not a form; write {key}: {{FORM: [...]}} with one of {', '.join(FORMS)}")
    form, values = next(iter(told.items()))
    if not isinstance(values, list) or not values:
        raise ConfigError(f"{where}: {form} needs a list; write {key}: {{{form}: [...]}}")
    return Domain(form, tuple(values) if form in _LISTS else _bounds(where, form, values))


def _bounds(where: str, form: str, values: Sequence[Any]) -> tuple[float, ...]:
    try:
        bounds = tuple(float(value) for value in values)  # YAML takes 1e-4, without a point, for a text
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}; {form} takes two numbers, [lowest, highest]") from error
    if len(bounds) != 2 or not all(map(math.isfinite, bounds)) or bounds[0] >= bounds[1]:
        raise ConfigError(f"{where}: {form} takes two numbers, [lowest, highest], the second one larger")
    if form == "log_uniform" and bounds[0] <= 0:
        raise ConfigError(f"{where}: log_uniform needs bounds above 0; raise the lowest or write uniform")
    if form == "randint":
        if any(bound != int(bound) for bound in bounds):
            raise ConfigError(f"{where}: randint takes whole numbers; write uniform for others")
        return tuple(int(bound) for bound in bounds)
    return bounds


def combinations(space: Mapping[str, Domain]) -> list[dict[str, Any]]:
    """Every combination of the grids; one that is empty where there are none."""
    grids = {key: domain.values for key, domain in space.items() if domain.form == "grid"}
    return [dict(zip(grids, values, strict=True)) for values in itertools.product(*grids.values())]


def draw(space: Mapping[str, Domain], seed: int, count: int) -> list[dict[str, Any]]:
    """Settings of `count` trials, no two alike; fewer where the space has no more. The grids' combinations take turns; ConfigError where
    `count` is too small for all of them."""
    grid = combinations(space)
    if count < len(grid):
        raise ConfigError(f"--trials {count}: the grids have {len(grid)} combinations; raise it to that or more, or shorten a grid")
    return list(itertools.islice(_distinct(space, grid, seed), count))


def _distinct(space: Mapping[str, Domain], grid: Sequence[dict[str, Any]], seed: int) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    repeated = 0
    for number in itertools.count():
        drawn = {key: FORMS[domain.form](domain.values, Random(f"{seed}/{number}/{key}")) for key, domain in space.items()}
        settings = drawn | grid[number % len(grid)]
        told = json.dumps(settings, sort_keys=True, default=str)
        repeated = repeated + 1 if told in seen else 0
        if repeated > _DRAWS * len(grid):
            return
        if told not in seen:
            seen.add(told)
            yield settings


def varied(config: C, settings: Settings) -> C:
    """The config with these settings, checked as a whole. Raises ConfigError naming every key at fault."""
    try:
        return type(config).model_validate(config.model_dump() | dict(settings))
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            key = ".".join(map(str, fault["loc"])) or " with ".join(settings)  # a rule between keys says itself which
            faults.append(f"{key} = {settings.get(key, '…')}: {fault['msg'].removeprefix('Value error, ')}")
        raise ConfigError("; ".join(faults)) from error
