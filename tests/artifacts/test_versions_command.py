"""`python -m artifacts.versions`: publish, promote, roll back, list."""

import subprocess
import sys
from pathlib import Path

import pytest

from artifacts.card import ArtifactError, write_card
from artifacts.pointer import stamp
from artifacts.versions import current, described, kind_of, promote, publish, rollback, versions
from tests.artifacts.indexkit import made


def test_the_command_line_publishes_lists_and_rolls_back(tmp_path):
    root = tmp_path / "index"
    first = publish(root, made(tmp_path / "a", 1))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "artifacts.versions", str(root), *words], capture_output=True, text=True)

    assert run("publish", str(made(tmp_path / "b", 2))).returncode == 0
    second = current(root)
    lines = [line.split() for line in run("list").stdout.splitlines()]
    assert [(line[0], line[2], line[3]) for line in lines] == [(second.name, "serves", "index"), (first.name, "kept", "index")]
    assert run("rollback").stdout.strip() == str(first)
    failed = run("rollback")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ")
    assert run("promote", second.name).stdout.strip() == str(second) == str(current(root))
    assert run("promote", "v-0123456789ab").stderr.startswith(f"error: {root}: keeps no version 'v-0123456789ab'; name one of")


def model(directory: Path, kind: str, note: str, **metrics: float) -> Path:
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(f'{{"note": "{note}"}}')
    write_card(directory, kind=kind, name=note, command="train it", seed=0, metrics=metrics)
    return directory


def test_the_command_line_takes_the_kind_from_the_card(tmp_path):
    root, new = tmp_path / "root", model(tmp_path / "new", "sentiment", "one", step=9, accuracy=0.91234567, before_accuracy=0.3)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "artifacts.versions", str(root), *words], capture_output=True, text=True)

    refused = run("publish", str(new), "--kind", "generator")
    assert (refused.returncode, "'generator' was expected" in refused.stderr) == (1, True)
    assert run("publish", str(new)).returncode == 0
    assert run("list").stdout.split()[2:] == ["serves", "sentiment", "accuracy=0.912346"]
    assert "is_absent: does not exist" in run("publish", str(tmp_path / "is_absent")).stderr
    assert "no version before" in run("rollback").stderr
    assert (
        "holds no versions"
        in subprocess.run([sys.executable, "-m", "artifacts.versions", str(tmp_path), "list"], capture_output=True, text=True).stderr
    )


def test_a_root_holds_one_kind(tmp_path):
    root = tmp_path / "root"
    first = publish(root, model(tmp_path / "a", "sentiment", "one"), "sentiment")
    new = model(tmp_path / "b", "persuasion", "two")
    with pytest.raises(ArtifactError, match=r"holds versions of a 'sentiment', .* is a 'persuasion'; name a root of its own"):
        publish(root, new, "persuasion")
    assert (kind_of(root), versions(root), new.is_dir()) == ("sentiment", [first.name], True)


def test_a_plain_model_is_not_turned_into_a_root_of_versions(tmp_path):
    with pytest.raises(ArtifactError, match="is a model by itself"):
        publish(model(tmp_path / "a", "sentiment", "one"), model(tmp_path / "b", "sentiment", "two"), "sentiment")


def test_any_kept_version_may_serve_again_by_the_name_that_list_or_an_answer_gives_it(tmp_path):
    root = tmp_path / "root"
    first, second, third = (publish(root, model(tmp_path / note, "clip", note), "clip") for note in ("one", "two", "three"))
    assert promote(root, first.name) == first == current(root)
    assert promote(root, second.name.removeprefix("v-")) == second
    assert versions(root) == [second.name, first.name, third.name]
    assert rollback(root, "clip") == first, "what served before"
    assert promote(root, second.name) == current(root), "rolled back, and not yet removed"


def test_promoting_what_serves_moves_the_pointer_so_that_those_who_refused_it_try_again(tmp_path):
    root = tmp_path / "root"
    first = publish(root, model(tmp_path / "a", "clip", "one"), "clip")
    before = stamp(root)
    promote(root, first.name)
    assert stamp(root) != before


@pytest.mark.parametrize("name", ["../new", "v-0123456789ab", "current", ""])
def test_only_what_is_kept_is_promoted(name, tmp_path):
    root = tmp_path / "root"
    first = publish(root, model(tmp_path / "a", "clip", "one"), "clip")
    with pytest.raises(ArtifactError, match="keeps no version"):
        promote(root, name)
    assert current(root) == first


def test_a_damaged_version_is_not_promoted_and_is_listed_as_what_it_is(tmp_path):
    root = tmp_path / "root"
    first = publish(root, model(tmp_path / "a", "clip", "one"), "clip")
    second = publish(root, model(tmp_path / "b", "clip", "two"), "clip")
    (first / "config.json").write_text("{}")
    with pytest.raises(ArtifactError, match="SHA-256"):
        promote(root, first.name)
    (first / "card.json").write_text("not a card")
    assert current(root) == second
    assert described(root)[1].startswith(f"{first.name}  damaged: ")
