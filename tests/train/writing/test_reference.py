"""The reference is asked once: workers take turns, what it said is kept, and asked again where that is damaged or of something else."""

import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from train.run import storage
from train.writing.dialogues import Dialogue, Turn
from train.writing.preferences import Preference
from train.writing.reference import consult
from train.writing.token_pairs import TokenPairs


class Crew:
    """Workers that are threads, which keep what a run keeps in a directory."""

    def __init__(self, directory: Path, ranks: int) -> None:
        self.directory, self.ranks, self.told = directory, ranks, []
        self._own = threading.local()
        self._values, self._barrier = [None] * ranks, threading.Barrier(ranks, timeout=60)

    def run(self, part) -> None:
        def begin(rank: int) -> None:
            self._own.rank = rank
            part(rank)

        threads = [threading.Thread(target=begin, args=(rank,)) for rank in range(self.ranks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def rank(self):
        return self._own.rank

    def world_size(self):
        return self.ranks

    def gathered(self, value):
        self._values[self.rank()] = value
        self._barrier.wait()
        found = list(self._values)
        self._barrier.wait()
        return found

    def tell(self, record):
        if self.rank() == 0:
            self.told.append(record["phase"])

    def put(self, directory, name):
        storage.keep(directory, self.directory / name)

    def has(self, name):
        return (self.directory / name).is_dir()

    @contextmanager
    def got(self, name):
        yield self.directory / name


class Counting(torch.nn.Module):
    """Says of a text the sum of its tokens; counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.asked = torch.nn.Parameter(torch.ones(1)), 0

    def forward(self, input_ids, labels, attention_mask):
        self.asked += 1
        return (input_ids * attention_mask).sum(1) * self.weight, torch.zeros(())


@pytest.fixture
def base(tmp_path) -> Path:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "weights").write_text("some")
    return tmp_path / "base"


@pytest.fixture
def tokenizer(tokenizer_directory):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tokenizer_directory)


def pairs_of(count: int, tokenizer) -> TokenPairs:
    def said(text: str) -> Dialogue:
        return Dialogue((Turn("user", "tea"), Turn("assistant", text)))

    rows = [Preference(said(f"good {number}"), said(f"bad {number}"), 1.0) for number in range(count)]
    return TokenPairs(rows, tokenizer, limit=96, style="compact", too_long="leave_out")


def consulted(crew: Crew, base: Path, tokenizer, *sizes: int) -> tuple[list[torch.Tensor], list[int]]:
    """What sets of so many pairs hold on each rank, which must be the same, and how often each rank asked."""
    models, found = [Counting() for _ in range(crew.ranks)], {}

    def part(rank: int) -> None:
        own = [pairs_of(size, tokenizer) for size in sizes]
        consult(models[rank], own, base, crew)
        found[rank] = [pairs.reference for pairs in own]

    crew.run(part)
    assert len(found) == crew.ranks
    for of_rank in found.values():
        assert all(map(torch.equal, of_rank, found[0]))
    return found[0], [model.asked for model in models]


@pytest.mark.parametrize(("ranks", "asked"), [(1, [7]), (2, [4, 3]), (3, [3, 2, 2]), (8, [2, 1, 1, 1, 1, 1, 0, 0])])
def test_workers_take_turns_and_all_know_what_was_said_to_each(base, tokenizer, tmp_path, ranks, asked):
    found, counts = consulted(Crew(tmp_path / "run", ranks), base, tokenizer, 90, 5)
    assert counts == asked
    for size, said in zip((90, 5), found, strict=True):
        pairs = pairs_of(size, tokenizer)
        assert torch.equal(said, pairs.ask(Counting())) and said.shape == (2, len(pairs))


def test_what_it_said_is_read_again_unless_the_pairs_or_the_base_are_others_or_the_file_is_damaged(base, tokenizer, tmp_path):
    crew = Crew(tmp_path / "run", 2)
    first, _ = consulted(crew, base, tokenizer, 20, 3)
    again, asked = consulted(crew, base, tokenizer, 20, 3)
    assert asked == [0, 0] and all(map(torch.equal, first, again))
    assert crew.told == ["asking the reference about 20 + 3 pairs"]

    assert consulted(crew, base, tokenizer, 3, 20)[1] == [2, 1]
    (base / "weights").write_text("other")
    assert consulted(crew, base, tokenizer, 20, 3)[1] == [2, 1]
    assert consulted(crew, base, tokenizer, 20, 3)[1] == [0, 0]

    for path in (tmp_path / "run").glob("reference-*/log_probabilities.pt"):
        path.write_bytes(path.read_bytes()[:-40])
    damaged, asked = consulted(crew, base, tokenizer, 20, 3)
    assert asked == [2, 1] and all(map(torch.equal, first, damaged))
    assert any("passing over what the reference said" in told for told in crew.told)
    assert consulted(crew, base, tokenizer, 20, 3)[1] == [0, 0], "it is whole again"
