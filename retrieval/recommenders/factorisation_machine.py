"""A factorisation machine (Rendle 2010) over what is known of shoppers and products: context words, attributes of what was touched,
product, brand, category, price band.

Ranking needs only the terms that differ between products: shopper features × product features, and the product's own linear and pair
terms, which become one more dimension. So the machine is a shopper vector and a product vector like every other recommender. It says
something of a shopper without a history and of a product without a past. Trained by `train/shoppers/factorisation.py`.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from retrieval.recommenders.contract import History, PreferenceModel, Vectors
from retrieval.recommenders.sequence import bags

LATEST = 20
"""Products whose attributes describe a shopper."""


class FactorisationNetwork(nn.Module):
    """Embeddings of features; `words` context words, `products` products with `attributes` among `count` numbers."""

    def __init__(self, words: int, products: int, count: int, attributes: Sequence[Sequence[int]], dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.word = nn.Embedding(words + 1, dim, padding_idx=0)
        self.touched = nn.Embedding(count + 1, dim, padding_idx=0)
        self.product = nn.Embedding(products + 1, dim)
        self.attribute = nn.Embedding(count + 1, dim)
        self.product_linear = nn.Embedding(products + 1, 1)
        self.attribute_linear = nn.Embedding(count + 1, 1)
        for embedding in (self.word, self.touched, self.product, self.attribute):
            nn.init.normal_(embedding.weight, std=0.05)
        for linear in (self.product_linear, self.attribute_linear):
            nn.init.zeros_(linear.weight)
        flat, offsets = bags(attributes)
        self.register_buffer("bag_flat", flat, persistent=False)
        self.register_buffer("bag_offsets", offsets, persistent=False)

    def products(self) -> Tensor:
        """(products + 1, d + 1)."""
        return self.describe(self.product.weight, self.product_linear.weight, self.bag_flat, self.bag_offsets)  # type: ignore[arg-type]

    def describe(self, own: Tensor, own_linear: Tensor, flat: Tensor, offsets: Tensor) -> Tensor:
        """Product vectors from their own embeddings and their attributes': Σv beside Σw + ½ (|Σv|² - Σ|v|²)."""
        weight = self.attribute.weight
        summed = own + functional.embedding_bag(flat, weight, offsets, mode="sum")
        squares = own.pow(2) + functional.embedding_bag(flat, weight.pow(2), offsets, mode="sum")
        linear = own_linear + functional.embedding_bag(flat, self.attribute_linear.weight, offsets, mode="sum")
        pairs = 0.5 * (summed.pow(2) - squares).sum(1, keepdim=True)
        return torch.cat([summed, linear + pairs], dim=1)

    def forward(self, words: Tensor, touched: Tensor) -> tuple[Tensor, Tensor]:
        """(b, w) context words and (b, t) attributes of touched products, 0 where there are fewer → (b, d + 1), all products."""
        known = (touched > 0).sum(1, keepdim=True).clamp(min=1)
        summed = self.word(words).sum(1) + self.touched(touched).sum(1) / known
        return torch.cat([summed, torch.ones_like(summed[:, :1])], dim=1), self.products()


class FactorisationMachine(PreferenceModel):
    """The trained machine as a recommender."""

    name = "factorisation_machine"

    def __init__(self, network: FactorisationNetwork, words: Sequence[str], attributes: Sequence[Sequence[int]]) -> None:
        self._network = network.eval()
        self._words, self._attributes = list(words), attributes
        self._number = {word: number for number, word in enumerate(words)}
        with torch.inference_mode():
            self.product_vectors = network.products()[1:].cpu().numpy()
            self._word_vectors, self._touched_vectors = network.word.weight[1:].cpu().numpy(), network.touched.weight[1:].cpu().numpy()

    def shopper_vectors(self, histories: Sequence[History]) -> Vectors:
        """Never zero: of nobody it knows what sells. Sums of a few rows: one shopper at a time costs less than the network's calls."""
        vectors = np.ones((len(histories), self.product_vectors.shape[1]), np.float32)
        for vector, history in zip(vectors, histories, strict=True):
            words, touched = described(history, self._number, self._attributes)
            vector[:-1] = self._word_vectors[words].sum(0)
            if touched:
                vector[:-1] += self._touched_vectors[touched].mean(0)
        return vectors

    def new_product_vectors(self, attributes: Sequence[Sequence[int]], content: Vectors | None) -> Vectors | None:
        """What the attributes say, the product's own terms at zero."""
        flat, offsets = bags(attributes)
        nothing = torch.zeros(len(attributes) + 1, self._network.dim)
        with torch.inference_mode():
            vectors: Vectors = self._network.cpu().describe(nothing, nothing[:, :1], flat, offsets)[1:].numpy()
        return vectors

    def save(self, directory: Path) -> None:
        """Weights, words and attributes."""
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in self._network.state_dict().items()}
        save_file(state, directory / "machine.safetensors")
        count = self._network.attribute.num_embeddings - 1
        held = {"dim": self._network.dim, "count": count, "words": self._words, "attributes": [list(owned) for owned in self._attributes]}
        (directory / "machine.json").write_text(json.dumps(held))

    @classmethod
    def load(cls, directory: Path) -> "FactorisationMachine":
        """From `save`."""
        held = json.loads((directory / "machine.json").read_text())
        network = FactorisationNetwork(len(held["words"]), len(held["attributes"]), held["count"], held["attributes"], held["dim"])
        network.load_state_dict(load_file(directory / "machine.safetensors"))
        return cls(network, held["words"], held["attributes"])


def features(histories: Sequence[History], number: dict[str, int], attributes: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """(b, w) numbers of known context words and (b, t) attribute numbers, from 1, of the latest products; 0 fills up."""
    words, touched = zip(*(described(history, number, attributes) for history in histories), strict=True)
    return _rectangle(words), _rectangle(touched)


def described(history: History, number: dict[str, int], attributes: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """Numbers, from 0, of the known context words and of the attributes of the latest products."""
    words = [number[word] for word in history.context if word in number]
    return words, [owned for row in history.rows[history.weights > 0][-LATEST:].tolist() for owned in attributes[row]]


def _rectangle(rows: Sequence[Sequence[int]]) -> Tensor:
    filled = np.zeros((len(rows), max(1, max(map(len, rows), default=1))), np.int64)
    for place, row in enumerate(rows):
        filled[place, : len(row)] = np.array(row, np.int64) + 1
    return torch.from_numpy(filled)
