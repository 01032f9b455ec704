"""What the space of a sweep may hold, and which settings are drawn from it."""

from pathlib import Path

import pytest
import yaml

from train.run.settings import ConfigError
from train.sweeps.space import Domain, draw, read_space, varied
from train.texts.classifier import ClassifierConfig

SPACE = {
    "learning_rate": {"log_uniform": [1e-4, 1e-2]},
    "dropout": {"uniform": [0.1, 0.5]},
    "layers": {"randint": [1, 4]},
    "architecture": {"choice": ["textcnn", "gru"]},
}


def space_file(directory: Path, space: object) -> Path:
    path = directory / "space.yaml"
    path.write_text(space if isinstance(space, str) else yaml.safe_dump(space), encoding="utf-8")
    return path


def config_in(directory: Path, **settings: object) -> ClassifierConfig:
    return ClassifierConfig(name="tiny", out=directory / "out", storage=str(directory), **settings)


def test_drawn_settings_keep_to_their_bounds_and_are_valid(tmp_path):
    drawn = draw(read_space(space_file(tmp_path, SPACE), ClassifierConfig), seed=3, count=40)
    assert len(drawn) == 40
    assert all(1e-4 <= one["learning_rate"] <= 1e-2 and 0.1 <= one["dropout"] <= 0.5 for one in drawn)
    assert {one["layers"] for one in drawn} == {1, 2, 3, 4}
    assert {one["architecture"] for one in drawn} == {"textcnn", "gru"}
    assert sum(one["learning_rate"] < 1e-3 for one in drawn) in range(10, 31)  # by factors: half of them lie below the middle one
    assert varied(config_in(tmp_path), drawn[0]).dropout == drawn[0]["dropout"]


def test_settings_depend_on_the_seed_and_the_number_of_the_trial_alone(tmp_path):
    space = read_space(space_file(tmp_path, SPACE), ClassifierConfig)
    fewer = read_space(space_file(tmp_path, {key: SPACE[key] for key in ("dropout", "layers")}), ClassifierConfig)
    assert draw(space, 1, 4) == draw(space, 1, 8)[:4]
    assert [one["dropout"] for one in draw(space, 1, 4)] == [one["dropout"] for one in draw(fewer, 1, 4)]
    assert draw(space, 1, 4) != draw(space, 2, 4)


def test_combinations_of_grids_take_turns_and_no_trial_is_made_twice():
    space = {"layers": Domain("grid", (1, 2)), "heads": Domain("grid", (2, 4)), "seed": Domain("choice", (7,))}
    drawn = draw(space, 0, 9)
    assert [(one["layers"], one["heads"]) for one in drawn] == [(1, 2), (1, 4), (2, 2), (2, 4)]
    with pytest.raises(ConfigError, match=r"--trials 3: the grids have 4 combinations; raise it"):
        draw(space, 0, 3)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"learning_rte": {"uniform": [1, 2]}}, r"learning_rte = .*unknown key; did you mean 'learning_rate'"),
        ({"storage": {"choice": ["a"]}}, r"storage = .*take it out of the space"),
        ({"dropout": [0.1, 0.2]}, r"dropout = \[0.1, 0.2\]: not a form; write dropout: \{FORM: \[\.\.\.\]\} with one of log_uniform"),
        ({"dropout": {"normal": [0, 1]}}, r"dropout = .*'normal'.*not a form"),
        ({"dropout": {"choice": 0.1}}, r"choice needs a list"),
        ({"dropout": {"choice": []}}, r"choice needs a list"),
        ({"dropout": {"uniform": [0.5, 0.1]}}, r"the second one larger"),
        ({"dropout": {"uniform": [0.1, "much"]}}, r"'much'.*uniform takes two numbers"),
        ({"learning_rate": {"log_uniform": [0, 1]}}, r"bounds above 0; raise the lowest"),
        ({"layers": {"randint": [1, 2.5]}}, r"whole numbers; write uniform"),
        ({}, r"holds no keys"),
        ("dropout: {", r"can't be read"),
    ],
)
def test_a_space_that_can_t_be_used_is_refused_with_the_remedy(tmp_path, space, message):
    with pytest.raises(ConfigError, match=message):
        read_space(space_file(tmp_path, space), ClassifierConfig)


def test_numbers_that_yaml_takes_for_texts_are_numbers(tmp_path):
    space = read_space(space_file(tmp_path, "learning_rate: {log_uniform: [1e-4, 1e-2]}"), ClassifierConfig)
    assert space["learning_rate"].values == (1e-4, 1e-2)
