"""What `retrieval/index.py` promises, one behaviour a test."""

import numpy as np
import pytest

from retrieval.index import VectorIndex


def unit_vectors(n: int, dim: int = 16, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def by_brute_force(vectors: np.ndarray, query: np.ndarray, k: int, allowed: np.ndarray) -> list[int]:
    scores = np.where(allowed, vectors @ query, -np.inf)
    return [int(row) for row in np.argsort(-scores)[:k] if allowed[row]]


@pytest.mark.parametrize("n", [1, 7, 8, 9, 64, 501])
@pytest.mark.parametrize("share", [0.02, 0.5, 1.0])
def test_a_filtered_search_is_what_brute_force_finds(n, share):
    vectors = unit_vectors(n)
    index = VectorIndex.build(vectors)
    rng = np.random.default_rng(n)
    for query in unit_vectors(5, seed=1):
        allowed = rng.random(n) < share
        rows, scores = index.search(query, 10, allowed)
        assert list(rows) == by_brute_force(vectors, query, 10, allowed)
        assert np.allclose(scores, vectors[rows] @ query, atol=1e-5)


def test_without_a_filter_every_row_may_come_back():
    index = VectorIndex.build(unit_vectors(5))
    rows, scores = index.search(unit_vectors(1)[0], 99)
    assert sorted(rows) == [0, 1, 2, 3, 4]
    assert list(scores) == sorted(scores, reverse=True)


def test_when_nothing_is_allowed_nothing_comes_back():
    rows, scores = VectorIndex.build(unit_vectors(5)).search(unit_vectors(1)[0], 3, np.zeros(5, np.bool_))
    assert len(rows) == len(scores) == 0


def test_an_empty_index_answers_with_nothing(tmp_path):
    VectorIndex.build(np.zeros((0, 16), np.float32)).save(tmp_path / "i.faiss")
    index = VectorIndex.open(tmp_path / "i.faiss")
    assert len(index) == 0
    assert len(index.search(unit_vectors(1)[0], 3)[0]) == 0


def test_a_mapped_index_answers_like_the_one_that_was_saved(tmp_path):
    vectors = unit_vectors(40)
    built = VectorIndex.build(vectors)
    built.save(tmp_path / "i.faiss")
    opened = VectorIndex.open(tmp_path / "i.faiss")
    allowed = np.arange(40) % 3 == 0
    for ours, theirs in zip(opened.search(vectors[3], 10, allowed), built.search(vectors[3], 10, allowed), strict=True):
        assert np.array_equal(ours, theirs)
    assert (len(opened), opened.dim) == (40, 16)
    assert np.array_equal(opened.vector(7), vectors[7])


def test_a_filter_costs_no_neighbour():
    """The best allowed row is found even where every nearer one is forbidden."""
    vectors = unit_vectors(300)
    allowed = np.zeros(300, np.bool_)
    farthest = int(np.argmin(vectors @ vectors[0]))
    allowed[farthest] = True
    assert list(VectorIndex.build(vectors).search(vectors[0], 1, allowed)[0]) == [farthest]
