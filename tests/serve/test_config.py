"""What `serve/config.py` promises, one behaviour a test."""

from pathlib import Path

import pytest
import yaml

from serve.config import ROOT, parse

CONFIGS = sorted((ROOT / "serve" / "config").glob("*.yaml"))


def make_args(**changes):
    model = {"model": "hub/model"}
    args = {"shop": "var/shop", "index": "var/index", "state": "sqlite:///var/state.db"}
    args |= {"generator": model, "persuasion": model, "sentiment": model, "clip": model}
    return {**args, **changes}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_the_shipped_configs_are_understood(path: Path):
    (application,) = yaml.safe_load(path.read_text())["applications"]
    settings = parse(application["args"])
    assert application["import_path"] == "serve.app:build"
    assert settings.copybook == ROOT / "demo" / "copybook"


def test_there_is_a_config_for_a_laptop():
    assert "laptop.yaml" in {path.name for path in CONFIGS}


def test_paths_are_the_projects_and_models_too_where_they_exist(tmp_path):
    settings = parse(make_args(shop="var/shop", index=str(tmp_path), generator={"model": "copywriting"}))
    assert settings.shop == ROOT / "var" / "shop"
    assert settings.index == tmp_path
    assert settings.generator.model == str(ROOT / "copywriting")
    assert settings.clip.model == "hub/model"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (make_args(generator={"model": "m", "temprature": 1}), "args.generator.temprature: unknown key (value 1); remove it"),
        (make_args(colour="red"), "args.colour: unknown key (value 'red'); remove it"),
        (
            {key: value for key, value in make_args().items() if key != "index"},
            "args.index: missing; add it (see serve/config/laptop.yaml)",
        ),
        (make_args(clip={}), "args.clip.model: missing; add it"),
        (make_args(generator={"model": "m", "top_p": 1.5}), "args.generator.top_p: 1.5: "),
        (make_args(generator={"model": ""}), "args.generator.model: '': "),
        (make_args(generator={"model": "m", "dtype": "int3"}), "args.generator.dtype: 'int3': "),
        (make_args(products_per_answer=0), "args.products_per_answer: 0: "),
        (make_args(shop=7), "args.shop: 7: "),
        (make_args(state="mysql://host/db"), "args.state: 'mysql://host/db': "),
        (make_args(state="sqlite://"), "args.state: 'sqlite://': "),
        (make_args(state=None), "args.state: None: "),
    ],
)
def test_a_fault_is_told_by_key_value_and_remedy(args, message):
    with pytest.raises(ValueError) as refused:
        parse(args)
    assert message in str(refused.value)
    assert any(remedy in str(refused.value) for remedy in ("remove it", "add it", "correct it"))


def test_the_database_of_shoppers_is_the_projects_or_a_server():
    assert parse(make_args()).state == f"sqlite:///{ROOT}/var/state.db"
    assert parse(make_args(state="sqlite:////mnt/state.db")).state == "sqlite:////mnt/state.db"
    assert parse(make_args(state="postgresql://me@host/shop")).state == "postgresql://me@host/shop"


def test_a_password_is_not_told_with_a_fault():
    with pytest.raises(ValueError) as refused:
        parse(make_args(state="mysql://me:hunter2@host/db"))
    assert "hunter2" not in str(refused.value)
    assert "mysql://me:***@host/db" in str(refused.value)


def test_every_fault_is_told_at_once():
    with pytest.raises(ValueError, match=r"args\.index: missing.*args\.colour: unknown key"):
        parse({key: value for key, value in make_args(colour=1).items() if key != "index"})


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="frozen"):
        parse(make_args()).products_per_answer = 9
