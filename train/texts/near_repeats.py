"""Texts of which one is nearly the other: a Jaccard similarity of four-character shingles of at least 0.8, found by MinHash (Broder 1997)
in bands and then counted exactly."""

import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

ALIKE = 0.8
_SHINGLE, _BANDS, _ROWS = 4, 16, 4  # a pair of similarity 0.8 shares a band in all but 1 of 5,000 cases
_PRIME = (1 << 61) - 1


def near_repeats(training: Sequence[str], held_out: Sequence[str]) -> list[tuple[int, int]]:
    """(number in held_out, number in training) of texts that are nearly the same, the first found for each held-out text."""
    sets = [[shingles(text) for text in part] for part in (training, held_out)]
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for number, shingled in enumerate(sets[0]):
        for key in _bands(shingled):
            buckets[key].append(number)
    pairs = []
    for number, shingled in enumerate(sets[1]):
        candidates = sorted({other for key in _bands(shingled) for other in buckets.get(key, ())})
        found = next((other for other in candidates if similarity(shingled, sets[0][other]) >= ALIKE), None)
        if found is not None:
            pairs.append((number, found))
    return pairs


def shingles(text: str) -> frozenset[int]:
    """Hashes of every run of four characters, width, case, white space and marks put aside; of a shorter text, of all of it."""
    plain = "".join(each for each in unicodedata.normalize("NFKC", text).lower() if each.isalnum())
    return frozenset(zlib.crc32(plain[at : at + _SHINGLE].encode()) for at in range(max(1, len(plain) - _SHINGLE + 1)))


def similarity(first: frozenset[int], second: frozenset[int]) -> float:
    """Jaccard: how much of what either has both have."""
    return len(first & second) / len(first | second)


def _factors() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    random = np.random.default_rng(0)
    odd, shift = random.integers(1, 1 << 31, (2, _BANDS * _ROWS, 1), dtype=np.uint64)
    return odd, shift


_FACTORS = _factors()


def _bands(shingled: frozenset[int]) -> Iterator[tuple[int, bytes]]:
    """Keys of which two texts share one the more likely, the more they are alike."""
    hashes = np.fromiter(shingled, np.uint64, len(shingled))
    signature = ((_FACTORS[0] * hashes + _FACTORS[1]) % np.uint64(_PRIME)).min(axis=1).reshape(_BANDS, _ROWS)
    for band, row in enumerate(signature):
        yield band, row.tobytes()
