"""What the reference says of a run's pairs: asked once, by all workers in turn, and kept in the run's directory.

A worker that is replaced, and a run that goes on, reads it there: to ask is a forward pass over every pair, about a third of an epoch. What
is kept is named by the pairs' tokens and by the base, so that a run which goes on with others asks again.
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from artifacts.card import ArtifactError, verify, write_card
from train.run.settings import data_hash
from train.writing.token_pairs import TokenPairs

_KIND = "reference"
_FILE = "log_probabilities.pt"


class Workers(Protocol):
    """What is asked of the workers of a run: train/run/worker.py, or one that a test makes."""

    def rank(self) -> int:
        """This worker's number."""

    def world_size(self) -> int:
        """How many there are."""

    def gathered(self, value: Any) -> list[Any]:
        """Every rank's value."""

    def tell(self, record: Mapping[str, Any]) -> None:
        """Show it to the user."""

    def put(self, directory: Path, name: str) -> None:
        """Keep files."""

    def has(self, name: str) -> bool:
        """Whether files are kept."""

    def got(self, name: str) -> AbstractContextManager[Path]:
        """Files that are kept."""


def consult(model: Any, sets: Sequence[TokenPairs], base: Path, workers: Workers) -> None:
    """Fill in what the reference says of each set of pairs. `model` (train/writing/preference_loss.py) has the weights in `base`. Call on
    every rank."""
    # what the base is does not depend on the rank: one reads it
    name = workers.gathered(_name(sets, base) if workers.rank() == 0 else None)[0]
    said = _read(name, workers)
    if not all(workers.gathered(said is not None)):
        said = _asked(model, sets, workers)
        if workers.rank() == 0:
            _keep(said, name, workers)
    assert said is not None
    for pairs, of_them in zip(sets, said, strict=True):
        pairs.reference = of_them


def _name(sets: Sequence[TokenPairs], base: Path) -> str:
    digest = sha256(data_hash([base]).encode())
    for pairs in sets:
        digest.update(f"{len(pairs)} pairs".encode())
        for text in (part for both in pairs.encoded for tokens_and_labels in both for part in tokens_and_labels):
            digest.update(np.asarray([len(text), *text], dtype=np.int64).tobytes())
    return f"{_KIND}-{digest.hexdigest()[:16]}"


def _asked(model: Any, sets: Sequence[TokenPairs], workers: Workers) -> list[Tensor]:
    workers.tell({"phase": f"asking the reference about {' + '.join(str(len(pairs)) for pairs in sets)} pairs"})
    rank, ranks = workers.rank(), workers.world_size()
    turns = workers.gathered([list(pairs.ask_in_turn(model, rank, ranks)) for pairs in sets])
    return [_joined([turn[number] for turn in turns]) for number in range(len(sets))]


def _joined(turns: Sequence[Sequence[Tensor]]) -> Tensor:
    """(2, pairs), of the batches that the ranks took in turn: rank by rank the first of each, then the second."""
    rounds = range(max(len(turn) for turn in turns))
    return torch.cat([turn[number] for number in rounds for turn in turns if number < len(turn)], 1)


def _read(name: str, workers: Workers) -> list[Tensor] | None:
    """What was kept, None where it was not, or not whole."""
    if not workers.has(name):
        return None
    with workers.got(name) as directory:
        try:
            verify(directory, _KIND)
        except ArtifactError as error:
            workers.tell({"phase": f"passing over what the reference said: {error}"})
            return None
        found: list[Tensor] = torch.load(directory / _FILE, weights_only=True)
        return found


def _keep(said: list[Tensor], name: str, workers: Workers) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        torch.save(said, directory / _FILE)
        write_card(directory, kind=_KIND, name=name, command="", seed=None)
        workers.put(directory, name)
