"""Every deployment and every edge of the graph.

    serve run serve/config/laptop.yaml

    Ingress ─┬─ State         the database: who consents, and what they did lately
             ├─ Retrieval     FAISS: products
             ├─ Generator     vLLM: drafts with slots
             ├─ Persuasion ┐  rerankers, batched
             ├─ Sentiment  ┘
             ├─ Fusion        CLIP: the picture for the copy
             └─ (response)    chance of a click, where a model is named: NumPy, in Ingress itself

Replicas, autoscaling and resources have defaults here; a config file overrides them under `deployments:`.
"""

import os
from pathlib import Path
from typing import Any

from ray import serve

from artifacts.card import CARD, verify
from artifacts.pointer import current
from artifacts.source import verified_model
from copywriting.copybook import load
from copywriting.second_reader import KIND, MODEL
from feedback.database import Database
from retrieval.catalogue import Catalogue
from serve.config import GraphSettings, parse
from serve.ingress import Ingress
from serve.scorers import SCORERS
from serve.scorers.response import opened
from serve.stages import FusionStage, GeneratorStage, RetrievalStage, ScorerStage, StateStage

_AUTOSCALING = {"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 8, "upscale_delay_s": 5}


def build(args: dict[str, Any]) -> serve.Application:
    """Build the graph from the `args` of a Serve config. Everything that can be checked before a replica starts is checked here.

    Raises ValueError (bad settings, broken artefact, empty catalogue) with field, value and remedy; DatabaseUnavailable or SchemaMismatch.
    """
    settings = parse(args)
    versions = preflight(settings)
    scorers = {name: _scorer(name).bind(name, getattr(settings, name)) for name in SCORERS}
    ingress: Any = Ingress  # decorators of Serve hide `bind` from a type checker
    return ingress.bind(
        settings,
        versions,
        state=StateStage.bind(settings.state),  # type: ignore[attr-defined]
        retrieval=RetrievalStage.bind(settings),  # type: ignore[attr-defined]
        generator=GeneratorStage.bind(settings.generator),  # type: ignore[attr-defined]
        fusion=FusionStage.bind(settings.clip, str(settings.shop)),  # type: ignore[attr-defined]
        **scorers,
    )


def _scorer(name: str) -> Any:
    return serve.deployment(ScorerStage).options(
        name=name.capitalize(),
        max_ongoing_requests=128,
        max_queued_requests=512,
        autoscaling_config=_AUTOSCALING,
        ray_actor_options={"num_cpus": 0.2},
    )


def preflight(settings: GraphSettings) -> dict[str, str]:
    """Check artefacts, catalogue, copybook and database. Returns the version of each artefact that serves now, as answers report it; of a
    registry it is the current one, and replicas follow from there.

    A model that is no directory of ours may be a hub id: where the hub is switched off (HF_HUB_OFFLINE) it must be here already, so a
    mistyped directory is found now; elsewhere its replica will find out."""
    load(settings.copybook)
    Catalogue.read(settings.shop)
    database = Database(settings.state)
    database.ping()
    database.close()
    versions = {"index": verify(current(settings.index), "index").version, "claims": verify(MODEL, KIND).version}
    for kind in ("generator", "persuasion", "sentiment", "clip"):
        model = getattr(settings, kind).model
        directory = current(Path(model))
        if directory != Path(model) or (directory / CARD).is_file():
            versions[kind] = verify(directory, kind).version
        else:
            if _offline() and kind != "clip":  # open_clip has names of its own
                verified_model(str(model), kind)
            versions[kind] = str(model)
    if settings.response:
        versions["response"] = opened(current(Path(settings.response.model))).version
    return versions


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")  # as the hub's own client reads it
