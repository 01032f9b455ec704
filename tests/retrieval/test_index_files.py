"""Index files: shared by those who map them, refused by hash before they are parsed, and what was deleted from them stays deleted."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from artifacts.card import ArtifactError, verify, write_card
from retrieval import tombstones
from retrieval.bitmap import Bitmap
from retrieval.index import VectorError, VectorIndex
from retrieval.index_choice import KINDS
from retrieval.index_engine import IndexFileError, faiss
from tests.retrieval.vectorkit import built, corpus


def saved(directory: Path, kind: str = "flat") -> Path:
    """An index directory with a card; returns its one file."""
    directory.mkdir(parents=True)
    built(kind).save(directory / "products.faiss")
    write_card(directory, kind="index", name="test", command="make it", seed=None)
    return directory / "products.faiss"


def mappings(path: Path) -> list[dict[str, int]]:
    """Fields in kB of each place where this process maps a file."""
    found: list[dict[str, int]] = []
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        field, _, rest = line.partition(":")
        if " " in field:
            inside = line.endswith(str(path))
            found += [{}] if inside else []
        elif inside and rest.strip().endswith("kB"):
            found[-1][field] = int(rest.split()[0])
    return found


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="page accounting is Linux's")
@pytest.mark.parametrize("kind", list(KINDS))
def test_two_that_open_a_file_share_its_pages(kind, tmp_path):
    path = saved(tmp_path / "index", kind)
    opened = [VectorIndex.open(path) for _ in range(2)]
    for index in opened:
        index.search_many(corpus().queries, 10)
    maps = mappings(path)
    kilobytes = path.stat().st_size // 1024
    assert len(maps) == 2
    assert all(one["Size"] >= kilobytes for one in maps)
    assert all(one["Private_Dirty"] == one["Anonymous"] == 0 for one in maps)
    assert sum(one["Pss"] for one in maps) < 0.75 * sum(one["Rss"] for one in maps)  # a page in both counts half in each


@pytest.mark.parametrize("at", [0.0, 0.01, 0.5, 0.999])
def test_a_changed_byte_is_refused_by_hash_before_faiss_reads_it(at, tmp_path):
    path = saved(tmp_path / "index", "hnsw")
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 0x40
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"'products\.faiss' has SHA-256"):
        verify(path.parent, "index")


def test_a_type_of_index_that_is_none_of_ours_is_refused(tmp_path):
    foreign = faiss.index_factory(8, "LSH")
    faiss.write_index(foreign, str(tmp_path / "i.faiss"))
    with pytest.raises(IndexFileError, match="IndexLSH"):
        VectorIndex.open(tmp_path / "i.faiss")


@pytest.mark.parametrize("kind", list(KINDS))
def test_what_is_removed_never_comes_back_with_any_filter(kind, tmp_path):
    index = VectorIndex.open(saved(tmp_path / "index", kind))
    query = corpus().queries[0]
    gone = index.search(query, 10)[0]
    index.remove(gone)
    for mask in (None, np.ones(20_000, np.bool_), np.isin(np.arange(20_000), gone), np.arange(20_000) % 2 == 0):
        rows, _ = index.search(query, 10, mask)
        assert not set(rows.tolist()) & set(gone.tolist())
    left = np.isin(np.arange(20_000), gone, invert=True)
    assert len(set(index.search(query, 10)[0].tolist()) & corpus().best(query, 10, left)) >= 9
    assert len(index.search(query, 10, np.isin(np.arange(20_000), gone))[0]) == 0
    assert index.removed == 10


def test_deletions_outlive_the_process_and_leave_the_card_whole(tmp_path):
    path = saved(tmp_path / "index")
    VectorIndex.open(path).remove(np.array([3, 5]))
    VectorIndex.open(path).remove(np.array([5, 9]))
    verify(path.parent, "index")
    assert VectorIndex.open(path).removed == 3


def test_a_replica_that_is_running_takes_over_deletions_of_another(tmp_path):
    path = saved(tmp_path / "index")
    one, other = VectorIndex.open(path), VectorIndex.open(path)
    best = int(one.search(corpus().queries[0], 1)[0][0])
    one.remove(np.array([best]))
    other.refresh()
    assert int(other.search(corpus().queries[0], 1)[0][0]) != best


def test_deletions_of_several_writers_are_all_kept(tmp_path):
    path = saved(tmp_path / "index")
    writers = [threading.Thread(target=VectorIndex.open(path).remove, args=(np.arange(start, start + 25),)) for start in range(0, 200, 25)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert np.array_equal(tombstones.load(path), np.arange(200))


def test_deletions_from_an_older_build_hide_nothing_of_a_newer_one(tmp_path):
    path = saved(tmp_path / "index")
    VectorIndex.open(path).remove(np.arange(100))
    VectorIndex.build(corpus().vectors[::-1]).save(path)
    write_card(path.parent, kind="index", name="test", command="make it", seed=None)
    assert VectorIndex.open(path).removed == 0


def test_compacting_leaves_out_what_was_removed_and_says_which_rows_are_left():
    index = VectorIndex.build(corpus().vectors[:50])
    index.remove(np.array([0, 7, 49]))
    smaller, rows = index.compacted()
    assert len(smaller) == len(rows) == 47
    assert not {0, 7, 49} & set(rows.tolist())
    assert np.array_equal(smaller.vector(5), index.vector(int(rows[5])))
    assert rows[smaller.search(corpus().queries[0], 1)[0][0]] == index.search(corpus().queries[0], 1)[0][0]


@pytest.mark.parametrize("row", [-1, 50])
def test_removing_a_row_that_is_not_there_is_refused(row):
    with pytest.raises(VectorError, match=r"rows 0\.\.49"):
        VectorIndex.build(corpus().vectors[:50]).remove(np.array([row]))


def test_removing_everything_leaves_an_index_that_answers_with_nothing():
    index = VectorIndex.build(corpus().vectors[:50])
    index.remove(np.arange(50))
    assert len(index.search(corpus().queries[0], 3)[0]) == 0


@pytest.mark.parametrize("size", [1, 7, 8, 9, 1_001])
def test_a_bitmap_says_of_rows_what_its_mask_says(size):
    mask = np.random.default_rng(size).random(size) < 0.4
    other = np.random.default_rng(size + 1).random(size) < 0.7
    bitmap = Bitmap.pack(mask)
    assert np.array_equal(bitmap.holds(np.arange(size)), mask)
    assert not bitmap.holds(np.array([[-1]])).any()
    assert (bitmap.count, bitmap.rows.tolist(), len(bitmap)) == (mask.sum(), np.flatnonzero(mask).tolist(), size)
    assert np.array_equal(bitmap.both(Bitmap.pack(other)).rows, np.flatnonzero(mask & other))
    assert np.array_equal(bitmap.inverted().rows, np.flatnonzero(~mask))
    assert bitmap.inverted().count == size - bitmap.count
    assert np.array_equal(Bitmap.of_rows(np.flatnonzero(mask), size).bits, bitmap.bits)


def test_the_file_of_deletions_is_bound_to_the_hash_on_the_card(tmp_path):
    path = saved(tmp_path / "index")
    tombstones.add(path, np.array([1]))
    card = json.loads((path.parent / "card.json").read_text())
    with np.load(tombstones.file_of(path)) as kept:
        assert str(kept["index"]) == card["files"]["products.faiss"]
