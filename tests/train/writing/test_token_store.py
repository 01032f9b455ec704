"""Tokens on disk: what is kept, what is held out, and that a store is whole or not there."""

import numpy as np
import pyarrow as pa
import pytest

from train.writing.completions import IGNORED
from train.writing.token_store import SCHEMA, Keys, StoreWriter, TokenStore, is_of, parted


def keys(*rows: tuple[int, int], held_out: tuple[int, ...] = ()) -> Keys:
    """Of (prompt, answer) pairs."""
    prompt, answer = (np.array(column, dtype=np.uint64) for column in zip(*rows, strict=True))
    return Keys(prompt * np.uint64(1000) + answer, prompt, answer, np.isin(np.arange(len(rows)), held_out))


def table(*rows: tuple[list[int], list[bool]]) -> pa.Table:
    return pa.table([pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), SCHEMA.types, strict=True)], SCHEMA.names)


def test_rows_hang_together_by_their_prompt_an_answer_or_through_others():
    groups = keys((1, 10), (1, 11), (2, 11), (3, 0), (4, 0), (5, 12)).groups().tolist()
    assert groups[0] == groups[1] == groups[2]
    assert len(set(groups[2:])) == 4


def test_what_hangs_together_is_held_out_together_and_at_least_one_row_is():
    many = keys(*((number // 2 * 10**15, number) for number in range(1, 2001)))
    training, held_out, left_out = parted(many, 0.1, None)
    assert len(training) + len(held_out) == 2000 and left_out == {"repeated": 0, "held out as well": 0}
    assert not set(many.prompt[training]) & set(many.prompt[held_out])
    few = keys((2**63, 1), (2**63 + 2**60, 2))
    assert len(parted(few, 1e-9, None)[1]) == 1


def test_a_row_that_stands_twice_is_taken_once_where_it_stands_first():
    training, held_out, left_out = parted(keys((1, 5), (2, 6), (1, 5), (3, 7), (2, 6)), 0.01, None)
    assert sorted([*training, *held_out]) == [0, 1, 3] and left_out["repeated"] == 2


def test_rows_that_the_table_holds_out_take_their_likes_out_of_the_training():
    training, held_out, left_out = parted(keys((1, 5), (2, 5), (1, 6), (3, 0), (4, 0), held_out=(0,)), 0.5, None)
    assert held_out.tolist() == [0] and training.tolist() == [3, 4]
    assert left_out["held out as well"] == 2, "the same answer, and the same prompt"


def test_what_stands_in_a_validation_table_is_left_out_and_nothing_else_is_held_out():
    training, held_out, left_out = parted(keys((1, 5), (2, 6), (3, 7)), 0.5, keys((2, 9), (8, 7)))
    assert (training.tolist(), held_out.tolist(), left_out["held out as well"]) == ([0], [], 2)


def test_rows_come_back_as_they_were_written_by_number(tmp_path):
    writer = StoreWriter(tmp_path / "store", "abc")
    writer.add(table(([1, 2, 3], [False, True, True]), ([4, 5], [False, True])))
    writer.add(table(([6, 7, 8, 9], [False, False, True, True])))
    writer.finish(np.array([2, 0]), np.array([1]), {"repeated": 3})
    store = TokenStore.read(tmp_path / "store")
    assert list(store.training) == [([6, 7, 8, 9], [IGNORED, IGNORED, 8, 9]), ([1, 2, 3], [IGNORED, 2, 3])]
    assert store.held_out[0] == ([4, 5], [IGNORED, 5])
    assert store.training.lengths.tolist() == [4, 3] and list(store.training[1:]) == [store.training[1]]
    assert store.left_out == {"repeated": 3}
    assert is_of(tmp_path / "store", "abc") and not is_of(tmp_path / "store", "other data")


def test_an_unfinished_store_is_none_and_the_next_one_takes_its_place(tmp_path):
    StoreWriter(tmp_path / "store", "abc").add(table(([1], [True])))
    assert not is_of(tmp_path / "store", "abc")
    with pytest.raises(FileNotFoundError):
        TokenStore.read(tmp_path / "store")
    again = StoreWriter(tmp_path / "store", "abc")
    again.add(table(([2], [True])))
    again.finish(np.array([0]), np.array([], dtype=np.int64), {})
    assert list(TokenStore.read(tmp_path / "store").training) == [([2], [2])]
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
