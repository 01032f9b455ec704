"""Versions of an index: published whole or not at all, swapped under running searches, rolled back: `artifacts/versions.py`."""

import threading
from pathlib import Path

import numpy as np
import pytest

from artifacts.card import ArtifactError, verify, write_card
from artifacts.versions import POINTER, Live, current, publish, rollback, versions
from retrieval.index import VectorIndex
from tests.artifacts.indexkit import made


def opened(directory: Path) -> VectorIndex:
    verify(directory, "index")
    return VectorIndex.open(directory / "products.faiss")


def answer(index: VectorIndex) -> tuple[int, float]:
    rows, scores = index.search(np.ones(4, np.float32), 1)
    return int(rows[0]), float(scores[0])


def spoil(directory: Path) -> Path:
    path = directory / "products.faiss"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    return directory


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_published_directory_serves(tmp_path):
    root = tmp_path / "index"
    where = publish(root, made(tmp_path / "new", 1))
    assert current(root) == where
    assert answer(opened(where)) == (1, 8.0)
    assert not (tmp_path / "new").exists()


def test_a_directory_without_a_pointer_serves_itself(tmp_path):
    assert current(made(tmp_path / "index", 3)) == tmp_path / "index"
    assert answer(Live(tmp_path / "index", opened).get())[0] == 3


def test_a_changed_directory_is_refused_and_the_old_one_serves_on(tmp_path):
    root = tmp_path / "index"
    first = publish(root, made(tmp_path / "a", 1))
    with pytest.raises(ArtifactError, match="SHA-256"):
        publish(root, spoil(made(tmp_path / "b", 2)))
    assert current(root) == first
    assert [path.name for path in root.glob("v-*")] == [first.name]


def test_a_directory_of_another_kind_is_refused(tmp_path):
    new = made(tmp_path / "new", 1)
    write_card(new, kind="generator", name="x", command="x", seed=None)
    with pytest.raises(ArtifactError, match="'generator'"):
        publish(tmp_path / "index", new)
    assert not (tmp_path / "index").exists()


def test_a_plain_index_is_not_turned_into_a_root_of_versions(tmp_path):
    with pytest.raises(ArtifactError, match="is an index by itself"):
        publish(made(tmp_path / "index", 1), made(tmp_path / "new", 2))
    verify(tmp_path / "index", "index")


def test_two_older_versions_are_kept_and_the_rest_removed(tmp_path):
    root = tmp_path / "index"
    names = [publish(root, made(tmp_path / f"n{number}", number)).name for number in range(5)]
    assert versions(root) == names[:1:-1]
    assert sorted(path.name for path in root.glob("v-*")) == sorted(names[2:])


def test_what_others_put_there_is_never_removed(tmp_path):
    root = tmp_path / "mine"
    (root / "v-1").mkdir(parents=True)
    (root / "v-1" / "weights").write_text("of another")
    with pytest.raises(ArtifactError, match=r"mine: holds 'v-1' and no 'current'"):
        publish(root, made(tmp_path / "new", 1))
    publish(tmp_path / "index", tmp_path / "new")
    (tmp_path / "index" / "v-2.tar").write_text("of another")
    for number in range(2, 6):
        publish(tmp_path / "index", made(tmp_path / f"n{number}", number))
    assert (root / "v-1" / "weights").exists() and (tmp_path / "index" / "v-2.tar").exists()


def test_a_version_that_a_crash_left_without_a_pointer_may_be_published(tmp_path):
    root = tmp_path / "index"
    publish(root, made(tmp_path / "a", 1))
    (root / POINTER).unlink()
    assert answer(opened(publish(root, made(tmp_path / "b", 2))))[0] == 2


def test_of_a_link_the_directory_moves_in(tmp_path):
    made(tmp_path / "runs", 1)
    (tmp_path / "latest").symlink_to("runs")
    where = publish(tmp_path / "index", tmp_path / "latest")
    assert not where.is_symlink() and answer(opened(where))[0] == 1


def test_a_plain_index_can_t_be_rolled_back_and_stays_whole(tmp_path):
    with pytest.raises(ArtifactError, match="index: holds no versions"):
        rollback(made(tmp_path / "index", 1))
    verify(tmp_path / "index", "index")


def test_deletions_go_with_the_version_that_they_belong_to(tmp_path):
    root = tmp_path / "index"
    opened(publish(root, made(tmp_path / "a", 1))).remove(np.array([1]))
    assert len(list(root.glob("v-*.removed.npz"))) == 1
    for number in range(2, 5):
        publish(root, made(tmp_path / f"n{number}", number))
    assert list(root.glob("v-*.removed.npz")) == []


def test_rolling_back_brings_the_version_before_and_refuses_when_there_is_none(tmp_path):
    root = tmp_path / "index"
    first = publish(root, made(tmp_path / "a", 1))
    publish(root, made(tmp_path / "b", 2))
    assert rollback(root) == first == current(root)
    with pytest.raises(ArtifactError, match="no version before"):
        rollback(root)
    assert current(root) == first


def test_rolling_back_to_a_damaged_version_is_refused(tmp_path):
    root = tmp_path / "index"
    spoil(publish(root, made(tmp_path / "a", 1)))
    second = publish(root, made(tmp_path / "b", 2))
    with pytest.raises(ArtifactError, match="SHA-256"):
        rollback(root)
    assert current(root) == second


def test_what_was_published_before_serves_again(tmp_path):
    root = tmp_path / "index"
    first = publish(root, made(tmp_path / "a", 1))
    publish(root, made(tmp_path / "b", 2))
    assert publish(root, made(tmp_path / "again", 1)) == first == current(root)
    assert len(versions(root)) == 2


@pytest.mark.parametrize("text", ["../elsewhere", "v-123", "v-0123456789ab/..", ""])
def test_a_pointer_that_names_no_version_is_refused(text, tmp_path):
    (tmp_path / POINTER).write_text(text)
    with pytest.raises(ArtifactError, match="is no name of a version"):
        current(tmp_path)


def test_a_version_on_the_card_that_is_no_hash_is_refused(tmp_path):
    new = made(tmp_path / "new", 1)
    card = new / "card.json"
    version = verify(new, "index").version
    card.write_text(card.read_text().replace(version, "../../away"))
    with pytest.raises(ArtifactError, match="hexadecimal"):
        publish(tmp_path / "index", new)


def test_a_holder_looks_once_a_second_and_swaps(tmp_path):
    root, clock = tmp_path / "index", Clock()
    publish(root, made(tmp_path / "a", 1))
    live = Live(root, opened, clock=clock)
    publish(root, made(tmp_path / "b", 2))
    clock.now = 0.9
    assert answer(live.get())[0] == 1
    clock.now = 1.0
    assert answer(live.get())[0] == 2
    assert live.version == current(root).name


def test_a_version_that_does_not_open_leaves_the_old_one_serving_and_is_read_once(tmp_path, caplog):
    root, clock, tried = tmp_path / "index", Clock(), list[str]()

    def opener(directory: Path) -> VectorIndex:
        tried.append(directory.name)
        return opened(directory)

    publish(root, made(tmp_path / "a", 1))
    live = Live(root, opener, clock=clock)
    spoil(publish(root, made(tmp_path / "b", 2)))
    for second in range(1, 4):
        clock.now = float(second)
        assert answer(live.get())[0] == 1
    assert len(tried) == 2
    assert "SHA-256" in live.refused
    (said,) = [record.getMessage() for record in caplog.records]
    assert f"{tried[0]} goes on serving" in said, "once, in the log of whoever serves"
    assert "SHA-256" in said
    publish(root, made(tmp_path / "c", 3))
    clock.now = 5.0
    assert (answer(live.get())[0], live.refused) == (3, "")


def test_a_holder_takes_over_deletions(tmp_path):
    root, clock = tmp_path / "index", Clock()
    publish(root, made(tmp_path / "a", 1))
    live = Live(root, opened, refresh=VectorIndex.refresh, clock=clock)
    opened(current(root)).remove(np.array([1]))
    clock.now = 2.0
    assert answer(live.get())[0] != 1


def test_searches_go_on_through_twenty_swaps_and_each_answer_is_of_one_version(tmp_path):
    root = tmp_path / "index"
    publish(root, made(tmp_path / "n0", 0))
    live = Live(root, opened, every_s=0.0)
    done, wrong, seen = threading.Event(), list[object](), set[int]()

    def search() -> None:
        while not done.is_set():
            try:
                row, score = answer(live.get())
            except Exception as error:  # whatever it is, it belongs into the assertion below
                wrong.append(error)
                return
            seen.add(row)
            if score != 4 * (1.0 + row):  # row and score come from the same version, or not
                wrong.append((row, score))

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 21):
        publish(root, made(tmp_path / f"n{number}", number))
        while live.version != current(root).name and not wrong:
            live.get()
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert answer(live.get()) == (20, 84.0)
    assert len(seen) > 5
