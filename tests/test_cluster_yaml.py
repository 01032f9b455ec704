"""The files that Ray reads, under Ray's own schemas."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
import ray.autoscaler
import yaml
from ray.autoscaler._private.util import merge_setup_commands
from ray.serve.schema import ServeDeploySchema

from tests.fakes import ROOT

CONFIGS = sorted((ROOT / "serve" / "config").glob("*.yaml"))


@pytest.fixture(scope="module")
def cluster() -> dict:
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


def test_the_cluster_file_is_one_that_ray_takes(cluster):
    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
    jsonschema.validate(cluster, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(cluster | {"surprise": 1}, schema)


def test_the_head_is_one_of_the_node_types_and_there_is_one_of_it(cluster):
    head = cluster["available_node_types"][cluster["head_node_type"]]
    assert (head.get("min_workers", 0), head.get("max_workers", 0)) == (0, 0)


def test_the_cluster_file_holds_machines_and_no_model_settings(cluster):
    assert not {"generator", "persuasion", "sentiment", "clip", "applications"} & cluster.keys()
    assert {"model", "temperature", "prompt_style"} & set(json.dumps(cluster).split('"')) == set()


def test_workers_may_grow_within_the_clusters_limit(cluster):
    for name, kind in cluster["available_node_types"].items():
        assert kind.get("min_workers", 0) <= kind.get("max_workers", 0) <= cluster["max_workers"], name


def test_a_cluster_is_started_with_tokens(cluster):
    starts = [line for key in ("head_start_ray_commands", "worker_start_ray_commands") for line in cluster[key] if "ray start" in line]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in line for line in starts)


def test_the_head_gets_what_ray_speaks_to_aws_with_and_the_others_do_not(cluster):
    assert cluster["provider"]["type"] == "aws"
    merged = merge_setup_commands(cluster | {"worker_setup_commands": []})
    setup = next(i for i, line in enumerate(merged["head_setup_commands"]) if "requirements/install.py" in line)
    assert any("pip install boto3" in line for line in merged["head_setup_commands"][setup + 1 :])
    assert not any("boto3" in line for line in merged["worker_setup_commands"])
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [requirement.partition(">")[0] for requirement in extras["cluster"]] == ["boto3"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_serve_config_is_one_that_ray_takes(path):
    config = ServeDeploySchema.model_validate(yaml.safe_load(path.read_text()))
    (application,) = config.applications
    assert application.import_path == "serve.app:build"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_serve_config_names_deployments_of_the_graph(path):
    config = ServeDeploySchema.model_validate(yaml.safe_load(path.read_text()))
    named = {deployment.name for deployment in config.applications[0].deployments}
    assert named <= {"Ingress", "Retrieval", "Generator", "Persuasion", "Sentiment", "Fusion"}


def test_a_laptop_listens_to_itself_alone():
    config = yaml.safe_load((ROOT / "serve" / "config" / "laptop.yaml").read_text())
    assert config["http_options"]["host"] == "127.0.0.1"
