"""What every kind of index promises: neighbours near those of brute force, filters without leaks, one answer for one and for many."""

import threading

import numpy as np
import pytest

from retrieval.bitmap import Bitmap
from retrieval.index import VectorError, VectorIndex
from retrieval.index_choice import KINDS
from tests.retrieval.vectorkit import built, corpus

EVERYTHING = [np.ones(20_000, np.bool_)] * 30


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_nearest_ten_are_found(kind):
    assert corpus().recall(built(kind), EVERYTHING) >= (1.0 if kind == "flat" else 0.95)


@pytest.mark.parametrize("spread", [0.3, 0.7])
@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf-sq8"])
def test_the_largest_inner_products_are_found_among_vectors_of_any_length(kind, spread):
    made = corpus(spread)
    assert made.recall(built(kind, spread), EVERYTHING) >= 0.95
    rows, scores = built(kind, spread).search(made.queries[0], 10)
    assert np.allclose(scores, made.vectors[rows] @ made.queries[0], rtol=5e-3)
    assert list(scores) == sorted(scores, reverse=True)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.01, 0.0005])
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_random_filter_neither_leaks_nor_costs_neighbours(kind, share):
    rng = np.random.default_rng(int(share * 1e4))
    masks = [rng.random(20_000) < share for _ in range(30)]
    for query, mask in zip(corpus().queries, masks, strict=True):
        rows, _ = built(kind).search(query, 10, mask)
        assert mask[rows].all()
        assert len(rows) == len(set(rows.tolist())) == min(10, int(mask.sum()))
    assert corpus().recall(built(kind), masks) >= 0.95


@pytest.mark.parametrize("share", [0.7, 0.3, 0.1])
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_filter_that_forbids_the_whole_neighbourhood_of_a_query_keeps_recall(kind, share):
    masks = [corpus().far_from(query, share) for query in range(30)]
    assert corpus().recall(built(kind), masks) >= 0.95


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_bitmap_packed_once_filters_like_its_mask(kind):
    mask = np.random.default_rng(3).random(20_000) < 0.3
    for ours, theirs in zip(
        built(kind).search(corpus().queries[0], 10, mask), built(kind).search(corpus().queries[0], 10, Bitmap.pack(mask)), strict=True
    ):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("filtered", [False, True], ids=["all rows", "filtered"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_many_queries_get_the_answers_that_each_gets_alone(kind, filtered):
    mask = np.random.default_rng(4).random(20_000) < 0.4 if filtered else None
    rows, scores = built(kind).search_many(corpus().queries, 10, mask, threads=2)
    assert rows.shape == scores.shape == (30, 10)
    for query, together in zip(corpus().queries, rows, strict=True):
        alone = built(kind).search(query, 10, mask)[0]
        assert len(set(alone.tolist()) & set(together.tolist())) >= 9  # two rows of one score may change places at the edge


@pytest.mark.parametrize("kind", list(KINDS))
def test_asking_for_more_than_there_is_gives_every_row_once(kind):
    vectors = corpus().vectors[:1_500]
    rows, _ = VectorIndex.build(vectors, kind).search(corpus().queries[0], 5_000)
    assert sorted(rows.tolist()) == list(range(1_500))


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_mapped_file_answers_like_the_index_that_was_built(kind, tmp_path):
    built(kind).save(tmp_path / "i.faiss")
    opened = VectorIndex.open(tmp_path / "i.faiss")
    assert (opened.kind, len(opened), opened.dim) == (kind, 20_000, 24)
    mask = np.random.default_rng(5).random(20_000) < 0.5
    for query in corpus().queries[:5]:
        assert np.array_equal(opened.search(query, 10)[0], built(kind).search(query, 10)[0])
        assert np.array_equal(opened.search(query, 10, mask)[0], built(kind).search(query, 10, mask)[0])
    assert np.allclose(opened.vector(7), corpus().vectors[7], atol=1e-3)


@pytest.mark.parametrize("kind", list(KINDS))
def test_threads_that_share_an_index_get_the_answers_of_one(kind):
    mask = np.random.default_rng(6).random(20_000) < 0.3
    expected = [built(kind).search(query, 10, mask)[0].tolist() for query in corpus().queries]
    wrong: list[int] = []

    def search() -> None:
        for _ in range(5):
            for number, query in enumerate(corpus().queries):
                if built(kind).search(query, 10, mask)[0].tolist() != expected[number]:
                    wrong.append(number)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_tiny_corpus_is_searched_whatever_kind_was_asked_for(kind, rows):
    index = VectorIndex.build(corpus().vectors[:rows], kind)
    assert sorted(index.search(corpus().queries[0], 3)[0].tolist()) == sorted(
        corpus().best(corpus().queries[0], 3, np.arange(20_000) < rows)
    )


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf-sq8"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_refused_with_its_row(kind, bad):
    vectors = corpus().vectors[:2_000].copy()
    vectors[1_234, 3] = bad
    with pytest.raises(VectorError, match=r"row 1234 .*leave it out"):
        VectorIndex.build(vectors, kind)


def test_numbers_too_large_for_16_bits_are_refused_by_kinds_that_keep_16():
    vectors = corpus().vectors[:2_000] * np.float32(1e6)
    with pytest.raises(VectorError, match="scale them down"):
        VectorIndex.build(vectors, "ivf-sq8")
    assert VectorIndex.build(vectors, "hnsw").search(corpus().queries[0], 1)[0].shape == (1,)


@pytest.mark.parametrize("shape", [(5,), (5, 0), (2, 5, 3)])
def test_what_is_no_table_of_vectors_is_refused(shape):
    with pytest.raises(VectorError, match="shape"):
        VectorIndex.build(np.zeros(shape, np.float32))


def test_a_query_of_another_dimension_is_refused():
    with pytest.raises(VectorError, match=r"shape \(23,\).* 24 numbers"):
        built("flat").search(np.zeros(23, np.float32), 3)


def test_a_filter_of_another_length_is_refused():
    with pytest.raises(VectorError, match=r"19999 entries.*20000 rows"):
        built("hnsw").search(corpus().queries[0], 3, np.ones(19_999, np.bool_))


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_query_that_is_not_finite_gets_no_answer_and_spoils_none(kind):
    queries = corpus().queries[:3].copy()
    queries[1] = np.nan
    rows, _ = built(kind).search_many(queries, 5)
    assert (rows[[0, 2]] >= 0).all()
    assert len(built(kind).search(queries[0], 5)[0]) == 5
