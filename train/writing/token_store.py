"""Tokens of a large table on disk, read where they lie: a process holds a few bytes for a row, and of the tokens those that it asks for.

    rows.arrow        `tokens` and `learned` (which of them a loss lies on) of every row, in Arrow's file format, mapped into memory
    lengths.npy       (rows,) int32: tokens of each row
    training.npy, held_out.npy      row numbers, int64
    store.json        of which data it is and what was left out; written last, so that a directory without it is no store

`Keys` says which rows are the same, and which hang together so that all or none of them are held out. Knows neither Ray nor a tokenizer.
"""

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from train.run import storage
from train.writing.completions import IGNORED, Encoded

SCHEMA = pa.schema([("tokens", pa.list_(pa.int32())), ("learned", pa.list_(pa.bool_()))])
_ROWS, _COMPLETE = "rows.arrow", "store.json"
Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]


def digest(text: str, seed: int) -> int:
    """64 bits of a text, by a hash that is another one for each seed."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8, key=str(seed).encode()).digest())


@dataclass(frozen=True, slots=True)
class Keys:
    """(rows,) each: hashes of the whole row, its prompt, and its answer, 0 for one too short to be its prompt's own; whether the table says
    that the row is held out. Two texts share a hash by chance in one of 2 · 10^19 pairs."""

    row: Hashes
    prompt: Hashes
    answer: Hashes
    held_out: NDArray[np.bool_]

    def among(self, others: "Keys") -> NDArray[np.bool_]:
        """(rows,): whose prompt, or whose answer that is not short, the others have, too."""
        found: NDArray[np.bool_] = np.isin(self.prompt, others.prompt) | ((self.answer != 0) & np.isin(self.answer, others.answer))
        return found

    def at(self, numbers: Numbers) -> "Keys":
        """Those of some rows."""
        return Keys(self.row[numbers], self.prompt[numbers], self.answer[numbers], self.held_out[numbers])

    def groups(self) -> Hashes:
        """(rows,): a hash for each row, the same for rows that hang together: by prompt, by an answer, or through others."""
        from scipy.sparse import coo_array  # half a second that those who tokenise all over a cluster don't wait for
        from scipy.sparse.csgraph import connected_components

        prompts, prompt = np.unique(self.prompt, return_inverse=True)
        answers, answer = np.unique(self.answer, return_inverse=True)
        tied = self.answer != 0
        ties = (np.ones(int(tied.sum()), dtype=np.int8), (prompt[tied], len(prompts) + answer[tied]))
        size = len(prompts) + len(answers)
        count, number = connected_components(coo_array(ties, shape=(size, size)), directed=False)
        names = np.full(count, np.iinfo(np.uint64).max, dtype=np.uint64)
        np.minimum.at(names, number[: len(prompts)], prompts)
        found: Hashes = names[number[prompt]]
        return found


def parted(keys: Keys, share: float, validation: Keys | None) -> tuple[Numbers, Numbers, dict[str, int]]:
    """(training rows, held-out rows, how many were left out by reason). Held out are, where there is no `validation`, the rows that the
    table says, else about a `share` of what hangs together; where there is one, none, and what stands in it is left out of the training."""
    distinct = np.sort(np.unique(keys.row, return_index=True)[1]).astype(np.int64)
    kept = keys.at(distinct)
    if validation is not None:
        held = np.zeros(len(distinct), dtype=bool)
    elif kept.held_out.any():
        held = kept.held_out
    else:
        draws = kept.groups() / 2.0**64
        held = draws <= max(share, draws.min(initial=1.0))  # at least one is held out
    leaks = ~held & kept.among(kept.at(np.flatnonzero(held)) if validation is None else validation)
    left_out = {"repeated": len(keys.row) - len(distinct), "held out as well": int(leaks.sum())}
    return distinct[~held & ~leaks], distinct[held], left_out


class TokenRows(Sequence[Encoded]):
    """Some rows of a store, as examples."""

    def __init__(self, table: pa.Table, numbers: Numbers, lengths: NDArray[np.int32]) -> None:
        self._table, self._numbers, self._lengths = table, numbers, lengths

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, number: int) -> Encoded: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Encoded]: ...
    def __getitem__(self, number: int | slice) -> Encoded | Sequence[Encoded]:
        if isinstance(number, slice):
            return TokenRows(self._table, self._numbers[number], self._lengths)
        at = int(self._numbers[number])
        tokens, learned = (self._table[name][at].as_py() for name in SCHEMA.names)
        return tokens, [token if one else IGNORED for token, one in zip(tokens, learned, strict=True)]

    @property
    def lengths(self) -> NDArray[np.int32]:
        """(rows,): tokens of each."""
        found: NDArray[np.int32] = self._lengths[self._numbers]
        return found


@dataclass(frozen=True, slots=True)
class TokenStore:
    """A complete store."""

    training: TokenRows
    held_out: TokenRows
    left_out: Mapping[str, int]

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Raises FileNotFoundError where there is none, or one that was never finished."""
        told = json.loads((directory / _COMPLETE).read_text(encoding="utf-8"))
        with pa.memory_map(str(directory / _ROWS)) as source:
            table = pa.ipc.open_file(source).read_all()  # its pages are read when they are asked for
        lengths = np.load(directory / "lengths.npy", mmap_mode="r")
        parts = [TokenRows(table, np.load(directory / f"{name}.npy", mmap_mode="r"), lengths) for name in ("training", "held_out")]
        return cls(parts[0], parts[1], told["left_out"])


def is_of(directory: Path, hashed: str) -> bool:
    """Whether a complete store of this data lies there."""
    path = directory / _COMPLETE
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["data"] == hashed


class StoreWriter:
    """Writes a store beside its place and moves it there at the end. An unfinished one that a crash left is replaced by the next."""

    def __init__(self, directory: Path, data: str) -> None:
        """`data` is the hash of what is read. One process at a time."""
        self._data = data
        self._target, self._partial = directory, directory.with_name(f"{directory.name}.partial")
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)
        self._file = pa.OSFile(str(self._partial / _ROWS), "wb")
        self._rows = pa.ipc.new_file(self._file, SCHEMA)
        self._lengths: list[NDArray[np.int32]] = []

    def add(self, table: pa.Table) -> None:
        """Rows with the columns of SCHEMA."""
        self._rows.write_table(table.select(SCHEMA.names).cast(SCHEMA))
        lengths = pc.list_value_length(table["tokens"])
        self._lengths.append(np.asarray(lengths, dtype=np.int32))

    def finish(self, training: Numbers, held_out: Numbers, left_out: Mapping[str, int]) -> None:
        """Close it: flushed to the device, then renamed."""
        self._rows.close()
        self._file.close()
        whole = {"lengths": np.concatenate([*self._lengths, np.zeros(0, np.int32)]), "training": training, "held_out": held_out}
        for name, values in whole.items():
            np.save(self._partial / f"{name}.npy", values)
        told: dict[str, Any] = {"data": self._data, "rows": len(whole["lengths"]), "left_out": dict(left_out)}
        (self._partial / _COMPLETE).write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        storage.settle(self._partial)
        shutil.rmtree(self._target, ignore_errors=True)
        os.replace(self._partial, self._target)


def keys_of(columns: Mapping[str, Iterable[NDArray[Any]]]) -> Keys:
    """Keys from their columns, each in parts."""
    joined = {name: np.concatenate(list(parts)) for name, parts in columns.items()}
    return Keys(joined["row"], joined["prompt"], joined["answer"], joined["held_out"])
