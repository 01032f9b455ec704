"""The real graph, once for all tests of this folder: sample shop, FAISS, vLLM, rerankers and CLIP with the shipped models, of which
generator, sentiment, CLIP and the response model come from registries."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from artifacts.versions import publish
from demo import shop
from feedback.database import Database
from feedback.load import load
from retrieval.build import build_index
from serve.config import ROOT
from serve.launch import Server, running

KINDS = ("generator", "sentiment", "clip", "response")


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="package")
def sample_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample shop and its index, made from a seed."""
    directory = tmp_path_factory.mktemp("graph")
    shop.build(directory / "shop", seed=7)
    build_index(directory / "shop", directory / "index", quiet=True)
    database = Database(f"sqlite:///{directory}/state.db")
    load(directory / "shop", database, quiet=True)
    database.close()
    return directory


@pytest.fixture(scope="package")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root of versions for each of these kinds, with the shipped model in it."""
    directory = tmp_path_factory.mktemp("registries")
    for kind in KINDS:
        publish(directory / kind, shutil.copytree(ROOT / "models" / kind, directory / "new"), kind)
    return directory


@pytest.fixture(scope="package")
def graph(sample_shop: Path, registries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """laptop.yaml with the shipped models, on a free port."""
    config = yaml.safe_load((ROOT / "serve" / "config" / "laptop.yaml").read_text())
    config["http_options"]["port"] = free_port()
    args = config["applications"][0]["args"]
    args |= {"shop": str(sample_shop / "shop"), "index": str(sample_shop / "index"), "state": f"sqlite:///{sample_shop}/state.db"}
    for kind in KINDS:
        args[kind]["model"] = str(registries / kind)
    directory = tmp_path_factory.mktemp("config")
    path = directory / "graph.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True))
    with running(path, log=directory / "serve.log") as server:
        yield server
