"""A sample shop built once, with blank pictures: drawing them is the business of tests of `demo.pictures`."""

import datetime
from pathlib import Path

import pytest

from demo.shop import build

TODAY = datetime.date(2026, 1, 20)


def blank(shape: str, colour: str, pattern: str, directory: Path, stem: str, seed: int) -> list[Path]:
    """A renderer that writes what it was asked for instead of a picture."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{stem}-front.png"
    path.write_text(f"{shape} {colour} {pattern} {seed}")
    return [path]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a complete sample shop as of TODAY."""
    directory = tmp_path_factory.mktemp("shop")
    build(directory, today=TODAY, render=blank)
    return directory
