"""How the factorisation machine is trained: for each shopper a moment of their history, the product taken next, by sampled softmax.

Called by `python -m train.recommender` with `model: factorisation_machine`. Part of the time the history is hidden, so that context
alone must do: that is how a newcomer looks.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from retrieval.recommenders import registry
from retrieval.recommenders.contract import History
from retrieval.recommenders.factorisation_machine import FactorisationMachine, FactorisationNetwork, features
from train.run.loop import Batch, Recipe
from train.shoppers.choices import Choices
from train.shoppers.sampled_softmax import Negatives, sampled_softmax
from train.shoppers.sequence import owned

_HIDDEN = 0.3
"""Share of examples whose history is hidden."""


def start(choices: Choices, *, dim: int) -> tuple[FactorisationNetwork, list[str]]:
    """A new machine and its context words."""
    data = choices.training
    words = sorted({word for history in data.histories for word in history.context})
    return FactorisationNetwork(len(words), data.products, len(data.attribute_names), owned(choices), dim), words


def recipe(choices: Choices, network: FactorisationNetwork, words: list[str], *, negatives: int, seed: int) -> Recipe:
    """For `train.run.loop.fit`. An epoch shows each shopper as often as they have events, at most 20 times."""
    data = choices.training
    number_of = {word: number for number, word in enumerate(words)}
    taking = [history for history in data.histories if (history.weights > 0).any()]
    if not taking:
        raise ValueError("no shopper took a product in the training data; train `popularity`, or wait for more events")
    examples = [i for i, history in enumerate(taking) for _ in range(min(len(history), 20))]
    drawing = Negatives(data.histories, data.products, negatives)

    def batch(numbers: Sequence[int], epoch: int) -> Batch:
        rng = np.random.default_rng((seed, epoch, numbers[0]))
        moments = [_moment(taking[examples[number]], rng) for number in numbers]
        known, touched = features([before for before, _ in moments], number_of, owned(choices))
        targets = torch.tensor([row + 1 for _, row in moments])
        return {"words": known, "touched": touched, "targets": targets, "negatives": drawing.draw(seed, epoch, numbers[0])}

    def loss(model: nn.Module, given: Batch) -> Tensor:
        queries, products = model(given["words"], given["touched"])
        return sampled_softmax(queries, products, given["targets"], given["negatives"], drawing.log_share)

    def evaluate(model: nn.Module) -> dict[str, float]:
        fitted = FactorisationMachine(model, words, owned(choices))  # type: ignore[arg-type]
        return {key: value for exam in choices.exams for key, value in exam.judge(fitted).items()}

    def export(model: nn.Module, directory: Path) -> None:
        fitted = FactorisationMachine(model, words, owned(choices))  # type: ignore[arg-type]
        registry.save(fitted, data.product_ids, data.attribute_names, directory, choices.content)

    return Recipe(len(examples), batch, loss, evaluate, export)


def _moment(history: History, rng: np.random.Generator) -> tuple[History, int]:
    """(what was known before, the product that was taken then)."""
    place = int(rng.choice(np.flatnonzero(history.weights > 0)))
    return history.until(0 if rng.random() < _HIDDEN else place), int(history.rows[place])
