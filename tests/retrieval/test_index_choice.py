"""What kind of index a corpus gets: `retrieval/index_choice.py`."""

import numpy as np
import pytest

from retrieval.index_choice import FLAT_FLOATS, HNSW_ROWS, KINDS, IndexKindError, choose, lists_for, on_gpu, same_length


@pytest.mark.parametrize(
    ("rows", "dim", "kind"),
    [
        (0, 128, "flat"),
        (FLAT_FLOATS // 128, 128, "flat"),
        (FLAT_FLOATS // 128 + 1, 128, "hnsw"),
        (1_000_000, 384, "hnsw"),
        (HNSW_ROWS - 1, 128, "hnsw"),
        (HNSW_ROWS, 128, "ivf-rabitq"),
        (6_000_000, 1024, "ivf-rabitq"),
    ],
)
def test_size_and_dimension_choose_the_kind_and_say_why(rows, dim, kind):
    choice = choose(rows, dim)
    assert choice.kind == kind
    assert choice.reason == KINDS[kind].reason


def test_a_graph_is_searched_further_in_a_larger_corpus():
    assert [choose(rows, 384, "hnsw").pool for rows in (1_000, 100_000, 1_000_000)] == [128, 128, 256]


def test_a_large_corpus_beside_a_gpu_gets_lists_that_the_gpu_can_search():
    kind = choose(HNSW_ROWS, 128, gpus=1).kind
    assert on_gpu(kind, 1)


def test_a_large_corpus_of_unequal_lengths_gets_lifted_lists_of_8_bit_numbers():
    choice = choose(HNSW_ROWS, 128, unit=False)
    assert (choice.kind, choice.lifted) == ("ivf-sq8", True)
    assert choice.probes > choose(HNSW_ROWS, 128, "ivf-sq8").probes


def test_graphs_stay_unlifted_whatever_the_lengths():
    assert not choose(1_000_000, 384, unit=False).lifted


@pytest.mark.parametrize("kind", ["ivf-pq", "ivf-rabitq"])
def test_codes_of_few_bits_are_refused_for_unequal_lengths(kind):
    with pytest.raises(IndexKindError, match=r"differ in length.*ivf-sq8"):
        choose(100_000, 64, kind, unit=False)


def test_an_explicit_kind_overrides_the_size():
    choice = choose(50_000, 64, "ivf-pq")
    assert choice.kind == "ivf-pq"
    assert choice.reason.startswith("asked for")


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(IndexKindError, match=r"kind = 'annoy'.*hnsw"):
        choose(10, 10, "annoy")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("ivf")])
def test_too_few_rows_for_lists_are_scanned(kind):
    choice = choose(50, 16, kind)
    assert choice.kind == "flat"
    assert "50 rows train no lists" in choice.reason


@pytest.mark.parametrize("rows", [1_000, 20_000, 1_000_000, 10_000_000])
def test_every_list_has_rows_enough_to_be_trained(rows):
    assert rows / lists_for(rows) > 27  # a power of two may be up to sqrt(2) above the 39 rows aimed at


@pytest.mark.parametrize("dim", [2, 7, 48, 100, 384])
def test_the_subquantisers_divide_the_dimension(dim):
    parts = int(choose(50_000, dim, "ivf-pq").factory.split("PQ")[1].split("x")[0])
    assert dim % parts == 0


@pytest.mark.parametrize(
    ("kind", "gpus", "expected"),
    [("flat", 1, True), ("ivf-sq8", 2, True), ("hnsw", 1, False), ("ivf-rabitq", 1, False), ("ivf-pq", 1, False), ("flat", 0, False)],
)
def test_only_flat_and_plain_lists_go_to_a_gpu(kind, gpus, expected):
    assert on_gpu(kind, gpus) is expected


def test_lengths_within_a_thousandth_count_as_one():
    vectors = np.eye(4, dtype=np.float32)
    assert same_length(vectors)
    assert same_length(vectors * np.array([[1], [1.0005], [1], [1]], np.float32))
    assert not same_length(vectors * np.array([[1], [1.1], [1], [1]], np.float32))
    assert same_length(np.empty((0, 4), np.float32))
