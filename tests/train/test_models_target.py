"""`make models` trains from what it made itself: every path that a run reads was written before it, or comes with the repository."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
_READ = ("data", "tokenizer", "copybook", "base")


def commands() -> Iterator[tuple[str, list[str]]]:
    """(module, arguments) of each line of the target, in order."""
    recipe = re.search(r"^models:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    for line in recipe[1].splitlines():
        module, *arguments = line.partition(" -m ")[2].split()
        yield module, arguments


def config_of(module: str) -> dict:
    return yaml.safe_load((ROOT / "train" / "configs" / f"{module.removeprefix('train.')}.yaml").read_text(encoding="utf-8"))


def test_the_target_trains_every_shipped_model():
    trained = [config_of(module)["out"] for module, _ in commands() if module.startswith("train.")]
    assert sorted(trained) == [
        "models/claims",
        "models/clip",
        "models/generator",
        "models/persuasion",
        "models/recommender",
        "models/response",
        "models/sentiment",
        "models/tokenizer",
    ]


@pytest.mark.parametrize("number", [i for i, (module, _) in enumerate(commands()) if module.startswith("train.")])
def test_what_a_run_reads_was_written_before_it(number: int):
    steps = list(commands())
    written = {Path(path) for module, arguments in steps[:number] if module.startswith("demo.") for path in arguments[:1]}
    written |= {Path(config_of(module)["out"]) for module, _ in steps[:number] if module.startswith("train.")}
    config = config_of(steps[number][0])
    for path in (Path(config[key]) for key in _READ if key in config):
        shipped = path.parts[0] not in ("var", "models") and (ROOT / path).exists()
        directory = path.parent if path.suffix else path  # a step is told a directory, a run may read a file in it
        assert shipped or directory in written, f"{steps[number][0]} reads {path}; by then make models has written {written}"
