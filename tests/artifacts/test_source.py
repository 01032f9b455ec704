"""What `artifacts/source.py` promises, one behaviour a test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from artifacts.card import ArtifactError, write_card
from artifacts.source import verified_model
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


def test_without_a_network_a_hub_id_is_refused_with_field_value_and_remedy(tmp_path: Path):
    # The hub library reads its environment when it is first imported, so this asks in a process of its own.
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    asked = subprocess.run([sys.executable, "-c", _ASK], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert asked.returncode == 0, asked.stderr
    for line, model in zip(asked.stdout.splitlines(), ("someone/unheard-of", "/no/such/directory"), strict=True):
        assert line.startswith(f"sentiment model: '{model}' is neither a directory nor a hub id that can be reached")
        assert line.endswith("give a local model directory, or allow access to the hub")
