"""Matrix factorisation for implicit feedback: iALS with the objective and the scaled regularisation of Rendle et al. 2022.

    L = Σ_seen w (1 - ⟨p, q⟩)² + α Σ_all ⟨p, q⟩² + λ (Σ_shoppers (|seen| + α n)^ν |p|² + Σ_products (|seen by| + α m)^ν |q|²)

Alternating exact solutions; a shopper who comes later is folded in by one solution against the fixed products. Source: "Revisiting the
Performance of iALS on Item Recommendation Benchmarks" (RecSys 2022), after Hu, Koren & Volinsky 2008.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_matrix

from retrieval.interactions import Interactions
from retrieval.recommenders.contract import History, PreferenceModel, Vectors

_BLOCK = 4096  # non-zeros solved together: bounds memory to _BLOCK × dim floats and a batch of Gram matrices


@dataclass(frozen=True, slots=True)
class AlsSettings:
    """`unobserved` is α, the weight of every product not taken; `regularisation` λ; `scaling` ν in [0, 1]; `weighted`: strength of an
    event counts (log), else every product touched counts 1."""

    dim: int = 64
    iterations: int = 16
    unobserved: float = 0.1
    regularisation: float = 0.01
    scaling: float = 1.0
    weighted: bool = False
    init_scale: float = 0.1


class Als(PreferenceModel):
    """Fitted product factors; shoppers are folded in."""

    name = "als"

    def __init__(self, product_vectors: Vectors, settings: AlsSettings) -> None:
        self.product_vectors = product_vectors
        self.settings = settings
        self._gram = torch.from_numpy(product_vectors.T @ product_vectors)

    @classmethod
    def fit(
        cls, interactions: Interactions, settings: AlsSettings, seed: int = 0, told: Callable[[int], None] = lambda done: None
    ) -> "Als":
        """Alternate. `told` hears the number of finished iterations."""
        seen = matrix(interactions.histories, interactions.products, weighted=settings.weighted)
        of_products = csr_matrix(seen.T)
        generator = torch.Generator().manual_seed(seed)
        products = torch.randn(interactions.products, settings.dim, generator=generator) * settings.init_scale / settings.dim**0.5
        for iteration in range(settings.iterations):
            shoppers = solve(seen, products, settings)
            products = solve(of_products, shoppers, settings)
            told(iteration + 1)
        return cls(products.numpy(), settings)

    def shopper_vectors(self, histories: Sequence[History]) -> Vectors:
        """Fold in: one linear system each."""
        if len(histories) == 1:
            return self._folded(histories[0])[None]
        seen = matrix(histories, len(self.product_vectors), weighted=self.settings.weighted)
        folded: Vectors = solve(seen, torch.from_numpy(self.product_vectors), self.settings, self._gram).numpy()
        return folded

    def _folded(self, history: History) -> Vectors:
        """(d,) what `solve` finds for one row, without what it needs to do many at once: this is what a shopper waits for."""
        settings = self.settings
        rows, place = np.unique(history.rows, return_inverse=True)
        sums = np.bincount(place, history.weights, len(rows))
        taken, strengths = rows[sums > 0], sums[sums > 0]
        if not len(taken):
            return np.zeros(self.product_vectors.shape[1], np.float32)
        weights = 1 + np.log1p(strengths) if settings.weighted else np.ones(len(taken))
        vectors = self.product_vectors[taken]
        system = settings.unobserved * self._gram.numpy() + (vectors.T * weights) @ vectors
        system += (
            settings.regularisation
            * (len(taken) + settings.unobserved * len(self.product_vectors)) ** settings.scaling
            * np.eye(len(system))
        )
        folded: Vectors = np.linalg.solve(system, vectors.T @ weights).astype(np.float32)
        return folded

    def save(self, directory: Path) -> None:
        """Factors and settings."""
        np.save(directory / "products.npy", self.product_vectors, allow_pickle=False)
        (directory / "als.json").write_text(json.dumps(asdict(self.settings)))

    @classmethod
    def load(cls, directory: Path) -> "Als":
        """From `save`."""
        settings = AlsSettings(**json.loads((directory / "als.json").read_text()))
        return cls(np.load(directory / "products.npy", allow_pickle=False), settings)


def matrix(histories: Sequence[History], products: int, *, weighted: bool) -> csr_matrix:
    """(m, n) how much of each product each shopper took: 1, or 1 + log of the events' weight. What was sent back is not in it."""
    owner = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    rows = np.concatenate([history.rows for history in histories]) if histories else np.empty(0, np.int64)
    weights = np.concatenate([history.weights for history in histories]) if histories else np.empty(0, np.float32)
    summed = csr_matrix((weights.astype(np.float32), (owner, rows)), shape=(len(histories), products))
    summed.sum_duplicates()
    summed.data[summed.data <= 0] = 0
    summed.eliminate_zeros()
    summed.data = 1 + np.log1p(summed.data) if weighted else np.ones_like(summed.data)
    return summed


def solve(seen: csr_matrix, fixed: torch.Tensor, settings: AlsSettings, gram: torch.Tensor | None = None) -> torch.Tensor:
    """(rows, d) the factors of one side that minimise L while the other side, (columns, d), is fixed. Rows without entries are zero."""
    counts = np.diff(seen.indptr)
    background = settings.unobserved * (fixed.T @ fixed if gram is None else gram)
    strength = settings.regularisation * (counts + settings.unobserved * seen.shape[1]) ** settings.scaling
    solved = torch.zeros(seen.shape[0], settings.dim)
    order = np.argsort(counts, kind="stable")
    order = order[counts[order] > 0]
    padded = torch.cat([fixed, torch.zeros(1, settings.dim)])
    start = 0
    while start < len(order):
        longest = counts[order[start]]
        end = start + 1
        while end < len(order) and counts[order[end]] * (end + 1 - start) <= max(_BLOCK * 8, longest) and end - start < _BLOCK // 4:
            end += 1
        part = order[start:end]
        vectors, roots = _gather(seen, part, int(counts[part[-1]]), padded)
        system = torch.baddbmm(background.expand(len(part), -1, -1), vectors.mT, vectors)
        system.diagonal(dim1=1, dim2=2).add_(torch.from_numpy(strength[part]).float()[:, None])
        solved[part] = torch.cholesky_solve(vectors.mT @ roots[:, :, None], torch.linalg.cholesky(system))[:, :, 0]
        start = end
    return solved


def _gather(seen: csr_matrix, part: np.ndarray, width: int, padded: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(b, width, d) vectors of what these rows have, times the root of their weights, and (b, width) these roots; 0 where a row has
    fewer. The last row of `padded` is zero."""
    counts = seen.indptr[part + 1] - seen.indptr[part]
    filled = np.arange(width) < counts[:, None]
    places = (seen.indptr[part, None] + np.arange(width))[filled]
    columns = np.full((len(part), width), len(padded) - 1)
    columns[filled] = seen.indices[places]
    vectors = padded[torch.from_numpy(columns)]
    data = np.sqrt(seen.data[places])
    roots = np.zeros((len(part), width), np.float32)
    roots[filled] = data
    held = torch.from_numpy(roots)
    return vectors if (data == 1).all() else vectors * held[:, :, None], held
