"""A registry: versions of one model or index side by side, of which one serves, swapped under running requests.

    python -m artifacts.versions ROOT publish NEW      # NEW moves in and serves
    python -m artifacts.versions ROOT list             # what is kept, which one serves
    python -m artifacts.versions ROOT rollback         # the one before serves again
    python -m artifacts.versions ROOT promote NAME     # any kept one serves

    ROOT/v-3f2a…/   ROOT/v-90cd…/   ROOT/current       the pointer: names of versions, the one that serves first

Every hash is checked before the pointer moves; a directory that fails is refused and the old one goes on serving. Older versions stay, two
of them, for `rollback` and for readers that opened them; a mapped file outlives its name. A directory without a pointer is a model or an
index by itself. Replicas follow the pointer by `artifacts/live.py`. Which version is better (`train.evaluate`), and copying between
machines, are not here.
"""

import argparse
import fcntl
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from artifacts.card import CARD, ArtifactError, read_card, verify
from artifacts.live import Live
from artifacts.pointer import NAME, POINTER, current, point, versions

__all__ = ["KEPT", "POINTER", "Live", "current", "kind_of", "promote", "publish", "rollback", "versions"]

KEPT = 2  # older versions beside the one that serves
_METRICS_SHOWN = 6


def publish(root: Path, new: Path, kind: str = "index") -> Path:
    """Move the directory `new` in as a version and let it serve; returns where it is. Raises ArtifactError, with nothing changed, where a
    hash or the kind is wrong."""
    if (root / CARD).is_file():
        what = "an index" if kind == "index" else "a model"
        raise ArtifactError(
            f"{root}: is {what} by itself and holds no versions; name a directory that is absent, empty or has a {POINTER!r}"
        )
    if not versions(root) and (strange := sorted(path.name for path in root.glob("*") if not _ours(path))):
        raise ArtifactError(f"{root}: holds {strange[0]!r} and no {POINTER!r}; name a directory that is absent, empty or has one")
    new = new.resolve()  # of a link, what it leads to
    card = verify(new, kind)
    if (held := kind_of(root)) not in ("", kind):
        raise ArtifactError(f"{root}: holds versions of a {held!r}, {new} is a {kind!r}; name a root of its own for each kind")
    target = root / f"v-{card.version}"
    if not NAME.fullmatch(target.name):
        raise ArtifactError(f"{new / CARD}: version = {card.version!r} is not twelve hexadecimal digits; make the directory again")
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root):
        if target.is_dir():
            verify(target, kind)  # published before: what is there serves, if it is still whole
        else:
            _moved(new, target, kind)
        _clear(root, _serve(root, target.name))
    return target


def promote(root: Path, name: str) -> Path:
    """Let a version that is kept serve, named as `list` or an answer's `versions` names it; returns where it is. Raises ArtifactError for
    one that is not there or no longer whole. The one that serves now may be promoted again: replicas that refused it try it once more."""
    target = root / (name if name.startswith("v-") else f"v-{name}")
    if not NAME.fullmatch(target.name) or not target.is_dir():
        raise ArtifactError(f"{root}: keeps no version {name!r}; name one of {kept(root)}")
    with _locked(root):
        verify(target, kind_of(root) or read_card(target).kind)
        _serve(root, target.name)
    return target


def rollback(root: Path, kind: str = "index") -> Path:
    """Let the version before the current one serve; returns where it is. What was current is removed at the next publication. Raises
    ArtifactError where there is none before it, or it is no longer whole."""
    if not versions(root):
        raise ArtifactError(f"{root}: holds no versions; name a directory that has a {POINTER!r}")
    with _locked(root):
        names = versions(root)[1:]
        if not names:
            raise ArtifactError(f"{root}: no version before the current one is kept; publish a good one")
        verify(root / names[0], kind)
        point(root, names)
    return root / names[0]


def kind_of(root: Path) -> str:
    """The kind of a root's versions, as the first card that can be read has it; empty where it has none."""
    for name in versions(root):
        try:
            return read_card(root / name).kind
        except ArtifactError:  # a damaged version must not stand in the way of those beside it
            continue
    return ""


def kept(root: Path) -> list[str]:
    """Names of every version that lies there: those of the pointer in its order, then what was rolled back and is not yet removed."""
    named = versions(root)
    rest = sorted(path.name for path in root.glob("v-*") if path.is_dir() and NAME.fullmatch(path.name) and path.name not in named)
    return named + rest


def described(root: Path) -> list[str]:
    """A line for each version: name, date, whether it serves, first figures of its card. Raises ArtifactError where there is none."""
    if not (names := kept(root)):
        raise ArtifactError(f"{root}: holds no versions; publish one")
    return [_line(root / name, serves=number == 0) for number, name in enumerate(names)]


def _line(directory: Path, *, serves: bool) -> str:
    try:
        card = read_card(directory)
    except ArtifactError as error:
        return f"{directory.name}  damaged: {error}"
    shown = [f"{name}={value:g}" for name, value in card.metrics.items() if name != "step" and not name.startswith("before_")]
    return "  ".join([directory.name, card.created_at, "serves" if serves else "kept  ", card.kind, *shown[:_METRICS_SHOWN]])


def _serve(root: Path, name: str) -> list[str]:
    """Point to `name`, those before it behind it; returns all names that are kept."""
    names = [name, *(other for other in versions(root) if other != name)][: 1 + KEPT]
    point(root, names)
    return names


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One publisher at a time, over processes."""
    with (root / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _moved(new: Path, target: Path, kind: str) -> None:
    """Rename on one file system; between two, copy under another name, check and rename, so that no half version has a name."""
    if new.stat().st_dev == target.parent.stat().st_dev:
        new.rename(target)
        return
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(new, partial)
    verify(partial, kind)
    partial.rename(target)


def _clear(root: Path, names: list[str]) -> None:
    """Remove versions that the pointer no longer names, with what belongs to them: only after it moved. What else lies there stays."""
    for path in root.glob("v-*"):
        if _ours(path) and path.name.split(".")[0] not in names:
            path.unlink() if path.is_symlink() or path.is_file() else shutil.rmtree(path)


def _ours(path: Path) -> bool:
    """Whether this module gives things of a root such a name."""
    return path.name.startswith((".", POINTER)) or bool(NAME.fullmatch(path.name.split(".")[0]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m artifacts.versions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    publishing = commands.add_parser("publish", help="move a directory in and let it serve")
    publishing.add_argument("new", type=Path)
    publishing.add_argument("--kind", help="what it has to be, e.g. generator; its card's kind by default")
    commands.add_parser("promote", help="let a kept version serve").add_argument("name")
    commands.add_parser("rollback", help="let the version before serve")
    commands.add_parser("list", help="name, date, state, kind and first figures of each version")
    return parser


def main() -> None:
    """Command line."""
    given = _parser().parse_args()
    try:
        if given.command == "publish":
            print(publish(given.root, given.new, given.kind or read_card(given.new).kind))
        elif given.command == "promote":
            print(promote(given.root, given.name))
        elif given.command == "rollback":
            print(rollback(given.root, kind_of(given.root)))
        else:
            print("\n".join(described(given.root)))
    except ArtifactError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
