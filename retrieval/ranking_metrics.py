"""How good a ranking of all products is: hit rate, recall and NDCG at k, with products already seen left out of the ranking.

Every product is ranked, never a sample of them, which would reorder methods (Krichene & Rendle 2020).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.recommenders.contract import History, Scoring

_BLOCK = 512


def ranks_of_targets(model: Scoring, histories: Sequence[History], targets: Sequence[int], *, mask_seen: bool = True) -> NDArray[np.int64]:
    """(m,) place of each shopper's one target among all products, 0 the best. Equal scores count against the target."""
    places = []
    for start in range(0, len(histories), _BLOCK):
        part = histories[start : start + _BLOCK]
        wanted = np.asarray(targets[start : start + _BLOCK])
        scores = _masked(model, part) if mask_seen else model.scores(part)
        mine = scores[np.arange(len(part)), wanted]
        unseen = ~np.isfinite(mine)
        mine = np.where(unseen, np.nan, mine)  # a target that the shopper had seen can't be found
        places.append(np.where(unseen, scores.shape[1], (scores >= mine[:, None]).sum(1) - 1))
    return np.concatenate(places) if places else np.empty(0, np.int64)


def hit_metrics(ranks: NDArray[np.int64], ks: Sequence[int] = (5, 10, 20)) -> dict[str, float]:
    """HR@k and NDCG@k of one target each."""
    gains = 1 / np.log2(ranks + 2)
    return {
        name: float(value)
        for k in ks
        for name, value in ((f"hr_{k}", (ranks < k).mean()), (f"ndcg_{k}", np.where(ranks < k, gains, 0).mean()))
    }


def set_metrics(model: Scoring, histories: Sequence[History], targets: Sequence[set[int]], k: int = 20) -> dict[str, float]:
    """Recall@k (as LightGCN's protocol has it: hits ÷ number of targets), NDCG@k and HR@k of several targets each; shoppers without
    targets are left out."""
    chosen = [i for i, wanted in enumerate(targets) if wanted]
    recalls, ndcgs, hits = [], [], []
    discounts = 1 / np.log2(np.arange(2, k + 2))
    for start in range(0, len(chosen), _BLOCK):
        part = chosen[start : start + _BLOCK]
        for i, top in zip(part, top_rows(model, [histories[i] for i in part], k), strict=True):
            found = np.array([row in targets[i] for row in top], float)
            recalls.append(found.sum() / len(targets[i]))
            ndcgs.append((found * discounts[: len(found)]).sum() / discounts[: min(k, len(targets[i]))].sum())
            hits.append(found.any())
    return {f"recall_{k}": float(np.mean(recalls)), f"ndcg_{k}": float(np.mean(ndcgs)), f"hr_{k}": float(np.mean(hits))}


def top_rows(model: Scoring, histories: Sequence[History], k: int) -> NDArray[np.int64]:
    """(m, k) best rows that a shopper has not seen."""
    scores = _masked(model, histories)
    k = min(k, scores.shape[1])
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
    top: NDArray[np.int64] = np.take_along_axis(best, order, 1)
    return top


def _masked(model: Scoring, histories: Sequence[History]) -> NDArray[np.float32]:
    scores = model.scores(histories)
    for row, history in enumerate(histories):
        scores[row, history.rows] = -np.inf
    return scores
