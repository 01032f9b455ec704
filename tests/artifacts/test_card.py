"""What `artifacts/card.py` promises, one behaviour a test."""

import json
from pathlib import Path

import pytest

from artifacts.card import CARD, ArtifactError, Card, check_output, read_card, verify, write_card


def make_directory(tmp_path: Path, **options: object) -> tuple[Path, Card]:
    directory = tmp_path / "model"
    (directory / "encoder").mkdir(parents=True)
    (directory / "weights.bin").write_bytes(b"weights")
    (directory / "encoder" / "encoder.json").write_text("{}")
    settings = {"kind": "index", "name": "shop", "command": "python -m retrieval.build shop index", "seed": 3, **options}
    return directory, write_card(directory, **settings)  # type: ignore[arg-type]


def test_a_directory_is_verified_as_it_was_written(tmp_path: Path):
    directory, written = make_directory(tmp_path, metrics={"products": 2.0}, config={"dim": 4}, data_hash="abc")
    assert verify(directory, "index") == written == read_card(directory)
    assert set(written.files) == {"weights.bin", "encoder/encoder.json"}
    assert (written.seed, written.metrics, written.config, written.data_hash) == (3, {"products": 2.0}, {"dim": 4}, "abc")


def test_the_version_follows_the_files_and_nothing_else(tmp_path: Path):
    _, one = make_directory(tmp_path / "one")
    _, same = make_directory(tmp_path / "two", name="another", seed=9)
    directory, _ = make_directory(tmp_path / "three")
    (directory / "weights.bin").write_bytes(b"other weights")
    changed = write_card(directory, kind="index", name="shop", command="c", seed=3)
    assert one.version == same.version != changed.version


def test_no_card_is_left_where_writing_it_fails(tmp_path: Path):
    with pytest.raises(TypeError):
        make_directory(tmp_path, config={"not for json": object()})
    assert not (tmp_path / "model" / CARD).exists()


def test_a_card_interrupted_half_way_neither_counts_nor_disturbs_the_next(tmp_path: Path):
    directory, _ = make_directory(tmp_path)
    (directory / CARD).rename(directory / f"{CARD}.partial")
    with pytest.raises(ArtifactError, match="is not complete"):
        verify(directory, "index")
    write_card(directory, kind="index", name="shop", command="c", seed=0)
    verify(directory, "index")


@pytest.mark.parametrize("name", ["weights.bin", "encoder/encoder.json"])
def test_a_changed_file_is_refused_with_its_name_and_how_to_make_it_again(tmp_path: Path, name: str):
    directory, _ = make_directory(tmp_path)
    content = bytearray((directory / name).read_bytes())
    content[0] ^= 1
    (directory / name).write_bytes(content)
    with pytest.raises(ArtifactError) as refused:
        verify(directory, "index")
    assert str(directory) in str(refused.value)
    assert repr(name) in str(refused.value)
    assert "python -m retrieval.build shop index" in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path):
    directory, _ = make_directory(tmp_path)
    (directory / "weights.bin").unlink()
    with pytest.raises(ArtifactError, match=r"'weights\.bin' is missing"):
        verify(directory, "index")


@pytest.mark.parametrize("name", ["extra.py", "encoder/extra.bin", "encoder/card.json"])
def test_an_added_file_is_refused(tmp_path: Path, name: str):
    directory, _ = make_directory(tmp_path)
    (directory / name).write_text("import os")
    with pytest.raises(ArtifactError, match=rf"'{name}' is not on the card"):
        verify(directory, "index")


def test_a_directory_of_another_kind_is_refused(tmp_path: Path):
    directory, _ = make_directory(tmp_path)
    with pytest.raises(ArtifactError, match=r"is a 'index' directory, 'generator' was expected; name a directory of that kind"):
        verify(directory, "generator")


def test_a_directory_without_a_card_is_not_complete(tmp_path: Path):
    (tmp_path / "weights.bin").write_bytes(b"weights")
    with pytest.raises(ArtifactError, match="is not complete"):
        read_card(tmp_path)


def test_a_directory_that_is_not_there_is_said_so(tmp_path: Path):
    with pytest.raises(ArtifactError, match="does not exist"):
        verify(tmp_path / "nowhere", "index")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"kind": "index"}', b'{"unknown": 1}', b"\xff\xfe\x00"])
def test_an_unreadable_card_is_refused_with_the_remedy(tmp_path: Path, content: bytes):
    (tmp_path / CARD).write_bytes(content)
    with pytest.raises(ArtifactError, match=r"not a card .*; make the directory again"):
        verify(tmp_path, "index")


def test_the_card_is_json_that_people_can_read(tmp_path: Path):
    directory, _ = make_directory(tmp_path, name="云杉")
    text = (directory / CARD).read_text(encoding="utf-8")
    assert "云杉" in text
    assert json.loads(text)["git_commit"]


def test_an_absent_or_empty_directory_and_an_older_one_of_the_same_kind_may_be_replaced(tmp_path: Path):
    check_output(tmp_path / "absent", "index")
    (tmp_path / "empty").mkdir()
    check_output(tmp_path / "empty", "index")
    directory, _ = make_directory(tmp_path)
    (directory / "left over").write_text("x")
    check_output(directory, "index", source=tmp_path / "shop")


def test_an_output_that_holds_anything_else_is_refused_with_the_remedy(tmp_path: Path):
    directory, _ = make_directory(tmp_path)
    unreadable = tmp_path / "unreadable"
    unreadable.mkdir()
    (unreadable / CARD).write_text("{")
    reasons = {
        tmp_path: r"holds files but no card\.json",
        directory: r"is a 'index' directory",
        unreadable: r"holds a card\.json that can't be read",
        directory / "weights.bin": "is a file",
    }
    for out, reason in reasons.items():
        with pytest.raises(
            ArtifactError, match=rf"out = '{out}': {reason} and would be deleted; name .* absent, empty or an older generator"
        ):
            check_output(out, "generator")


@pytest.mark.parametrize("out", ["index", "index/shop", "index/../index"])
def test_an_output_that_is_or_holds_its_source_is_refused(tmp_path: Path, out: str):
    (tmp_path / "index" / "shop").mkdir(parents=True)
    write_card(tmp_path / "index", kind="index", name="i", command="c", seed=0)
    with pytest.raises(ArtifactError, match=rf"out = '.*{out}': would replace '.*index/shop', which it is made from; name"):
        check_output(tmp_path / out, "index", source=tmp_path / "index" / "shop")
