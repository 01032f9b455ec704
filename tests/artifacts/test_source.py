"""What `artifacts/source.py` promises, one behaviour a test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from artifacts.card import ArtifactError, write_card
from artifacts.source import verified_model, version_of
from artifacts.versions import publish, rollback
from tests.fakes import ROOT

_ASK = """
from artifacts.card import ArtifactError
from artifacts.source import verified_model
for model in ("someone/unheard-of", "/no/such/directory"):
    try:
        verified_model(model, "sentiment")
    except ArtifactError as error:
        print(error)
"""


def make_model(directory: Path) -> Path:
    directory.mkdir()
    (directory / "config.json").write_text("{}")
    return directory


def test_a_directory_of_ours_is_checked_against_its_card(tmp_path: Path):
    model = make_model(tmp_path / "model")
    write_card(model, kind="sentiment", name="m", command="python -m train.sentiment", seed=0)
    assert verified_model(str(model), "sentiment") == str(model)
    (model / "config.json").write_text("{ }")
    with pytest.raises(ArtifactError, match=r"config\.json"):
        verified_model(str(model), "sentiment")


def test_a_directory_of_ours_is_refused_in_another_role(tmp_path: Path):
    model = make_model(tmp_path / "model")
    write_card(model, kind="generator", name="m", command="c", seed=0)
    with pytest.raises(ArtifactError, match="'sentiment' was expected"):
        verified_model(str(model), "sentiment")


def test_any_other_directory_is_taken_as_it_is(tmp_path: Path):
    model = make_model(tmp_path / "model")
    assert verified_model(str(model), "sentiment") == str(model)


def test_of_a_registry_the_version_that_serves_is_meant(tmp_path: Path):
    root, where = tmp_path / "root", []
    for note in ("one", "two"):
        model = make_model(tmp_path / note)
        (model / "config.json").write_text(f'"{note}"')
        write_card(model, kind="sentiment", name=note, command="python -m train.sentiment", seed=0)
        where.append(publish(root, model, "sentiment"))
    assert verified_model(str(root), "sentiment") == str(where[1])
    rollback(root, "sentiment")
    assert verified_model(str(root), "sentiment") == str(where[0])
    assert version_of(str(root)) == version_of(str(where[0])) == where[0].name.removeprefix("v-")
    (where[0] / "config.json").unlink()
    with pytest.raises(ArtifactError, match="is missing"):
        verified_model(str(root), "sentiment")


def test_a_model_without_a_card_is_known_by_its_name(tmp_path: Path):
    assert version_of("someone/large") == "someone/large"
    assert version_of(str(make_model(tmp_path / "model"))) == str(tmp_path / "model")


def test_without_a_network_a_hub_id_is_refused_with_field_value_and_remedy(tmp_path: Path):
    # The hub library reads its environment when it is first imported, so this asks in a process of its own.
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    asked = subprocess.run([sys.executable, "-c", _ASK], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert asked.returncode == 0, asked.stderr
    for line, model in zip(asked.stdout.splitlines(), ("someone/unheard-of", "/no/such/directory"), strict=True):
        assert line.startswith(f"sentiment model: '{model}' is neither a directory nor a hub id that can be reached")
        assert line.endswith("give a local model directory, or allow access to the hub")
