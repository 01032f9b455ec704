"""The sequence model: self-attention over the latest products, next one predicted; the shopper vector is made at request time.

A causal transformer (SASRec, Kang & McAuley 2018) with unit outputs and a temperature, so that a score is a cosine; a product is its
own embedding plus the mean of its attributes' embeddings, in the input and in the output, so that rare and new products share what is
known of their brand and category. Trained by `train/shoppers/sequence.py` with sampled softmax.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from retrieval.recommenders.contract import History, PreferenceModel, Vectors

_BLOCK = 256


@dataclass(frozen=True, slots=True)
class SequenceSettings:
    """Shape of the network. `longest`: latest products that it reads."""

    products: int
    attributes: int
    dim: int = 64
    layers: int = 2
    heads: int = 2
    longest: int = 50
    dropout: float = 0.5
    temperature: float = 0.07


class SequenceNetwork(nn.Module):
    """Products are numbered from 1; 0 fills up on the left, so that the last position is always the latest product."""

    def __init__(self, settings: SequenceSettings, attributes: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.settings = settings
        dim = settings.dim
        self.product_embedding = nn.Embedding(settings.products + 1, dim)
        self.attribute_embedding = nn.Embedding(settings.attributes + 1, dim)  # number 0 is an attribute that nothing has
        self.position_embedding = nn.Embedding(settings.longest, dim)
        self.blocks = nn.ModuleList(_Block(dim, settings.heads, settings.dropout) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(settings.dropout)
        self.apply(_initialise)
        flat, offsets = bags(attributes)
        self.register_buffer("bag_flat", flat, persistent=False)
        self.register_buffer("bag_offsets", offsets, persistent=False)

    def products(self) -> Tensor:
        """(products + 1, d): row 0 fills up."""
        described = functional.embedding_bag(self.bag_flat, self.attribute_embedding.weight, self.bag_offsets, mode="mean")  # type: ignore[arg-type]
        return self.product_embedding.weight + described

    def forward(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """(b, t) product numbers → unit vectors of the shopper after each of them (b, t, d), unit vectors of all products."""
        products = self.products()
        return self.read(numbers, products), functional.normalize(products, dim=-1)

    def read(self, numbers: Tensor, products: Tensor, *, latest: bool = False) -> Tensor:
        """(b, t) product numbers and the table of `products` → unit vectors of the shopper after each of them (b, t, d), or only after the
        `latest` (b, 1, d), for less work."""
        known = numbers > 0
        length = numbers.shape[1]
        places = torch.arange(length - 1, -1, -1, device=numbers.device)  # counted from the end: the latest is always place 0
        held = (functional.embedding(numbers, products) + self.position_embedding(places)) * math.sqrt(self.settings.dim)
        held = self.dropout(held) * known[..., None]
        causal = torch.ones(length, length, dtype=torch.bool, device=numbers.device).tril()
        mask = causal & known[:, None, None, :] | torch.eye(length, dtype=torch.bool, device=numbers.device)  # what fills up sees itself
        for number, block in enumerate(self.blocks, 1):
            held = block(held, mask, asking=1 if latest and number == len(self.blocks) else length)
        return functional.normalize(self.norm(held), dim=-1)


class _Block(nn.Module):
    """Attention, then a two-layer network, each on normalised input with dropout on what it adds."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self._heads = heads
        self.attention_norm, self.network_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention_in, self.attention_out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.network = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, held: Tensor, mask: Tensor, asking: int) -> Tensor:
        """(b, t, d) → (b, asking, d): what the last `asking` positions hold afterwards."""
        batch, length, dim = held.shape
        parts = self.attention_in(self.attention_norm(held)).view(batch, length, 3, self._heads, dim // self._heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query[:, :, -asking:], key, value, attn_mask=mask[..., -asking:, :])
        held = held[:, -asking:] + self.dropout(self.attention_out(attended.transpose(1, 2).reshape(batch, asking, dim)))
        added: Tensor = held + self.dropout(self.network(self.network_norm(held)))
        return added


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


def bags(attributes: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """What `embedding_bag` wants: all attribute numbers in a row, from 1, and where each product's begin; product 0 is none."""
    sizes = [0, *(len(owned) for owned in attributes)]
    flat = torch.tensor([number + 1 for owned in attributes for number in owned], dtype=torch.long)
    return flat, torch.from_numpy(np.cumsum([0, *sizes[:-1]]).astype(np.int64))


def padded(sequences: Sequence[NDArray[np.int64]], longest: int) -> Tensor:
    """(b, t) product numbers from 1, filled up on the left with 0."""
    length = max(1, min(longest, max(map(len, sequences), default=1)))
    rows = np.zeros((len(sequences), length), np.int64)
    for place, sequence in enumerate(sequences):
        last = sequence[-length:]
        if len(last):
            rows[place, length - len(last) :] = last + 1
    return torch.from_numpy(rows)


class SequenceModel(PreferenceModel):
    """The trained network as a recommender. Deterministic; several threads may share it."""

    name = "sequence"

    def __init__(self, network: SequenceNetwork, attributes: Sequence[Sequence[int]]) -> None:
        self._network = network.eval()
        self._attributes = attributes
        with torch.inference_mode():
            self._products = network.products()  # made once: a request must not cost what the whole catalogue costs
            self.product_vectors = functional.normalize(self._products, dim=-1)[1:].cpu().numpy()

    @property
    def longest(self) -> int:
        """Latest products that count."""
        return self._network.settings.longest

    def shopper_vectors(self, histories: Sequence[History]) -> Vectors:
        """Unit vectors; of a shopper without products, zero. What was taken back or disliked is not read."""
        vectors = np.zeros((len(histories), self.product_vectors.shape[1]), np.float32)
        read = [history.rows[history.weights > 0] for history in histories]
        for start in range(0, len(histories), _BLOCK):
            places = [i for i in range(start, min(start + _BLOCK, len(histories))) if len(read[i])]
            if places:
                with torch.inference_mode():
                    numbers = padded([read[i] for i in places], self.longest)
                    after = self._network.read(numbers.to(self._products.device), self._products, latest=True)
                vectors[places] = after[:, -1].cpu().numpy()
        return vectors

    def new_product_vectors(self, attributes: Sequence[Sequence[int]], content: Vectors | None) -> Vectors | None:
        """What the attributes alone say; a product without any lies in the middle of the others. None where no product has attributes."""
        if not self._network.settings.attributes:
            return None
        weight = self._network.attribute_embedding.weight.detach().cpu().numpy()
        vectors = np.stack([weight[np.array(owned) + 1].mean(0) if len(owned) else weight[:0].sum(0) for owned in attributes])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        placed: Vectors = np.where(lengths > 0, vectors / np.maximum(lengths, 1e-12), self.product_vectors.mean(0)).astype(np.float32)
        return placed

    def save(self, directory: Path) -> None:
        """Weights, shape and the products' attributes."""
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in self._network.state_dict().items()}
        save_file(state, directory / "sequence.safetensors")
        settings = {"settings": asdict(self._network.settings), "attributes": [list(owned) for owned in self._attributes]}
        (directory / "sequence.json").write_text(json.dumps(settings))

    @classmethod
    def load(cls, directory: Path) -> "SequenceModel":
        """From `save`."""
        held = json.loads((directory / "sequence.json").read_text())
        network = SequenceNetwork(SequenceSettings(**held["settings"]), held["attributes"])
        network.load_state_dict(load_file(directory / "sequence.safetensors"))
        return cls(network, held["attributes"])
