"""What is refused before a replica starts: settings, artefacts, catalogue, copybook."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from artifacts.card import ArtifactError, write_card
from artifacts.versions import current, publish
from feedback.database import DatabaseUnavailable
from retrieval import schemas, tables
from retrieval.build import build_index
from serve.app import build, preflight
from serve.config import ROOT, parse
from tests.fakes import make_shop


@pytest.fixture
def args(tmp_path: Path) -> dict[str, Any]:
    """Settings of a small shop with an index and four model directories whose cards are right."""
    shop = make_shop(tmp_path)
    build_index(shop, tmp_path / "index", quiet=True)
    models = {}
    for kind in ("generator", "persuasion", "sentiment", "clip"):
        directory = tmp_path / kind
        directory.mkdir()
        (directory / "config.json").write_text("{}")
        write_card(directory, kind=kind, name=kind, command=f"python -m train.{kind}", seed=0)
        models[kind] = {"model": str(directory)}
    return {"shop": str(shop), "index": str(tmp_path / "index"), "state": f"sqlite:///{tmp_path}/state.db", **models}


def test_versions_of_every_artefact_are_reported(args: dict[str, Any]) -> None:
    versions = preflight(parse(args))
    assert set(versions) == {"index", "claims", "generator", "persuasion", "sentiment", "clip"}


def test_of_a_registry_the_current_version_is_checked_and_reported(args: dict[str, Any], tmp_path: Path) -> None:
    expected = preflight(parse(args))
    for kind in ("generator", "persuasion", "sentiment", "clip"):
        root = tmp_path / "registry" / kind
        publish(root, Path(args[kind]["model"]), kind)
        args[kind]["model"] = str(root)
    assert preflight(parse(args)) == expected
    (current(tmp_path / "registry" / "clip") / "config.json").unlink()
    with pytest.raises(ArtifactError, match=r"config\.json' is missing"):
        preflight(parse(args))


def test_a_registry_of_another_kind_is_refused(args: dict[str, Any], tmp_path: Path) -> None:
    publish(tmp_path / "registry", Path(args["persuasion"]["model"]), "persuasion")
    args["sentiment"]["model"] = str(tmp_path / "registry")
    with pytest.raises(ArtifactError, match="'persuasion' directory, 'sentiment' was expected"):
        build(args)


def test_a_model_directory_with_a_wrong_hash_is_refused(args: dict[str, Any]) -> None:
    changed = Path(args["sentiment"]["model"]) / "config.json"
    changed.write_text('{"changed": true}')
    with pytest.raises(ArtifactError, match=r"config\.json.*SHA-256.*python -m train\.sentiment"):
        build(args)


def test_a_directory_of_another_kind_is_refused(args: dict[str, Any]) -> None:
    args["clip"]["model"] = args["generator"]["model"]
    with pytest.raises(ArtifactError, match="'generator' directory, 'clip' was expected"):
        build(args)


def test_an_empty_catalogue_is_refused(args: dict[str, Any]) -> None:
    tables.write(Path(args["shop"]), "products", schemas.PRODUCTS.empty_table())
    with pytest.raises(tables.TableError, match="catalogue is empty; ingest"):
        build(args)


def test_a_missing_table_names_the_command_that_makes_it(args: dict[str, Any]) -> None:
    tables.path_of(Path(args["shop"]), "products").unlink()
    with pytest.raises(tables.TableError, match=r"products\.parquet: no such table.*retrieval\.ingest"):
        build(args)


def test_an_unknown_setting_is_refused_by_name(args: dict[str, Any]) -> None:
    args["generator"]["temprature"] = 0.5
    with pytest.raises(ValueError, match=r"generator\.temprature: unknown key \(value 0\.5\)"):
        build(args)


def test_a_mistyped_model_directory_is_found_before_a_replica_starts(args: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # read once, at import
    args["persuasion"]["model"] = "models/persuasio"
    with pytest.raises(ArtifactError, match=r"persuasion model: 'models/persuasio' is neither a directory nor a hub id"):
        build(args)


def test_a_database_that_can_not_be_used_is_refused_before_a_replica_starts(args: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:1/shop does not answer .*; start it, or correct `state`"):
        build(args | {"state": "postgresql://me@127.0.0.1:1/shop"})
    (tmp_path / "garbage.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(DatabaseUnavailable, match="not a database"):
        build(args | {"state": f"sqlite:///{tmp_path}/garbage.db"})


def test_the_launcher_says_what_is_wrong_with_a_config(tmp_path: Path, args: dict[str, Any]) -> None:
    config = yaml.safe_load((ROOT / "serve" / "config" / "laptop.yaml").read_text())
    config["applications"][0]["args"] = {**args, "shop": None}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    done = subprocess.run([sys.executable, "-m", "serve.launch", str(path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: args.shop: None")
