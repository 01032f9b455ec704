"""A shop in which tea drinkers and runners never meet, and every recommender fitted on it."""

from types import SimpleNamespace

import numpy as np
import torch

from retrieval.interactions import Interactions
from retrieval.recommenders.als import Als, AlsSettings
from retrieval.recommenders.content import Content
from retrieval.recommenders.contract import History, PreferenceModel
from retrieval.recommenders.factorisation_machine import FactorisationMachine, FactorisationNetwork
from retrieval.recommenders.hybrid import Hybrid
from retrieval.recommenders.popularity import Popularity
from retrieval.recommenders.sequence import SequenceModel, SequenceNetwork, SequenceSettings

TEA, RUN = range(6), range(6, 12)
ATTRIBUTES = tuple((0,) if row in TEA else (1,) for row in range(12))


def history(rows, context=(), days=None) -> History:
    """An event a day, the last one now, unless `days` says otherwise."""
    rows = np.array(rows, np.int64)
    ages = np.arange(len(rows) - 1, -1, -1, dtype=np.float32) if days is None else np.array(days, np.float32)
    return History(rows, np.ones(len(rows), np.float32), ages, context)


def tea_and_running() -> Interactions:
    """Sixty who drink tea and sixty who run; each has taken four products of their six."""
    rng = np.random.default_rng(3)
    histories = [
        history(rng.choice(group, 4, replace=False), ("club:tea",) if group is TEA else ("club:run",))
        for _ in range(60)
        for group in (TEA, RUN)
    ]
    content = np.zeros((12, 5), np.float32)
    content[:6, 0] = content[6:, 1] = 1
    content += rng.normal(0, 0.1, content.shape).astype(np.float32)
    ids = tuple(f"p{row}" for row in range(12))
    return Interactions(ids, tuple(map(str, range(120))), tuple(histories), ("tea", "run"), ATTRIBUTES, content)


def models(shop: Interactions) -> dict[str, PreferenceModel]:
    """Every recommender, fitted on it."""
    torch.manual_seed(0)
    als = Als.fit(shop, AlsSettings(dim=4, iterations=6))
    sequence = SequenceModel(SequenceNetwork(SequenceSettings(12, 2, dim=8, heads=2, longest=5), ATTRIBUTES), ATTRIBUTES)
    machine = FactorisationMachine(FactorisationNetwork(2, 12, 2, ATTRIBUTES, 4), ["club:run", "club:tea"], ATTRIBUTES)
    parts = {
        "popularity": Popularity.fit(shop),
        "als": als,
        "content": Content.fit(shop, als.product_vectors),
        "sequence": sequence,
        "factorisation_machine": machine,
    }
    targets = [set(np.setdiff1d(TEA if one.rows[0] in TEA else RUN, one.rows).tolist()) for one in shop.histories]
    return {**parts, "hybrid": Hybrid.fit(parts, SimpleNamespace(histories=shop.histories, targets=targets), None, shop, seed=0)}
