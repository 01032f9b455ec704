"""How the sequence model is trained: at every place of a shopper's history the next product, by sampled softmax.

Called by `python -m train.recommender` with `model: sequence`. A history longer than the network reads gives another window each epoch.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from retrieval.recommenders import registry
from retrieval.recommenders.sequence import SequenceModel, SequenceNetwork, SequenceSettings, padded
from train.run.loop import Batch, Recipe
from train.shoppers.choices import Choices
from train.shoppers.sampled_softmax import Negatives, sampled_softmax


def start(choices: Choices, *, dim: int, layers: int, heads: int, longest: int, dropout: float, temperature: float) -> SequenceNetwork:
    """A new network for these products."""
    data = choices.training
    settings = SequenceSettings(
        products=data.products,
        attributes=len(data.attribute_names),
        dim=dim,
        layers=layers,
        heads=heads,
        longest=longest,
        dropout=dropout,
        temperature=temperature,
    )
    return SequenceNetwork(settings, owned(choices))


def owned(choices: Choices) -> Sequence[Sequence[int]]:
    """Attribute numbers of each product; none where the data has none."""
    return choices.training.attributes or ((),) * choices.training.products


def recipe(choices: Choices, network: SequenceNetwork, *, negatives: int, seed: int) -> Recipe:
    """For `train.run.loop.fit`."""
    settings = network.settings
    read = [history.rows[history.weights > 0] for history in choices.training.histories]
    sequences = [rows for rows in read if len(rows) > 1]
    if not sequences:
        raise ValueError("no shopper has two products in the training data; train `popularity`, or wait for more events")
    drawing = Negatives(choices.training.histories, settings.products, negatives)

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        rng = np.random.default_rng((seed, epoch, numbers[0]))
        windows = [window(sequences[number], settings.longest + 1, rng) for number in numbers]
        rows = padded(windows, settings.longest + 1)
        return {"inputs": rows[:, :-1], "targets": rows[:, 1:], "negatives": drawing.draw(seed, epoch, numbers[0], len(numbers))}

    def loss(model: nn.Module, given: Batch) -> Tensor:
        after, products = model(given["inputs"])
        counts = (given["inputs"] > 0) & (given["targets"] > 0)
        queries = after[counts] / settings.temperature
        return sampled_softmax(queries, products, given["targets"][counts], given["negatives"], drawing.log_share)

    def evaluate(model: nn.Module) -> dict[str, float]:
        fitted = SequenceModel(model, owned(choices))  # type: ignore[arg-type]
        return {key: value for exam in choices.exams for key, value in exam.judge(fitted).items()}

    def export(model: nn.Module, directory: Path) -> None:
        fitted = SequenceModel(model, owned(choices))  # type: ignore[arg-type]
        registry.save(fitted, choices.training.product_ids, choices.training.attribute_names, directory, choices.content)

    return Recipe(len(sequences), batch, loss, evaluate, export, [min(len(rows), settings.longest + 1) for rows in sequences])


def window(rows: NDArray[np.int64], length: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`length` products in a row: the latest half of the time, else anywhere."""
    if len(rows) <= length or rng.random() < 0.5:
        return rows[-length:]
    start = int(rng.integers(0, len(rows) - length + 1))
    return rows[start : start + length]
