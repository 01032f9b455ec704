"""The card of a model or index directory: what it is, how it was made, and a SHA-256 of every file.

`write_card` runs last, so a directory with a card is complete. `verify` runs first, before anything parses a file of the directory.
`check_output` runs before the work that makes a directory, so that nothing else is replaced by it. Registries of versions, promotion and
rollback are not here.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CARD = "card.json"
_BLOCK_BYTES = 1 << 20


class ArtifactError(ValueError):
    """A directory that must not be loaded. The message names the directory, the file and the remedy."""


@dataclass(frozen=True, slots=True)
class Card:
    """What `card.json` holds. `files` maps each relative path to its SHA-256 in hex; `kind` is e.g. `generator`, `index`."""

    kind: str
    name: str
    version: str
    created_at: str
    git_commit: str
    command: str
    seed: int | None
    config: dict[str, Any] = field(default_factory=dict)
    data_hash: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hex, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def git_commit() -> str:
    """Commit of the working tree that runs, with `+changes` where it has any; `unknown` outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    described = subprocess.run(["git", "describe", "--always", "--abbrev=12", "--dirty=+changes"], cwd=root, capture_output=True, text=True)
    return described.stdout.strip() if described.returncode == 0 else "unknown"


def write_card(
    directory: Path,
    *,
    kind: str,
    name: str,
    command: str,
    seed: int | None,
    config: dict[str, Any] | None = None,
    data_hash: str = "",
    metrics: dict[str, float] | None = None,
    also: Mapping[str, str] | None = None,
) -> Card:
    """Hash every file of `directory` and write `card.json` atomically. Returns the card; its version is derived from the hashes. `also` are
    hashes of files that others will add to the directory."""
    partial = directory / f"{CARD}.partial"
    partial.unlink(missing_ok=True)  # of a run that was interrupted: it is no file of the artefact
    files = {relative: sha256_of(directory / relative) for relative in sorted(_files(directory))} | dict(also or {})
    version = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:12]
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    card = Card(kind, name, version, created_at, git_commit(), command, seed, config or {}, data_hash, metrics or {}, files)
    partial.write_text(json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, directory / CARD)  # card.json is last and whole: its presence means the directory is complete
    return card


def _files(directory: Path) -> set[str]:
    """Relative paths of every file but the directory's own card; a card further down is a file like any other."""
    return {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file() and p != directory / CARD}


def read_card(directory: Path) -> Card:
    """Read the card without checking hashes. Raises ArtifactError where the directory or its card is missing or unreadable."""
    path = directory / CARD
    if not path.is_file():
        state = "is not complete" if directory.is_dir() else "does not exist"
        raise ArtifactError(f"{directory}: {state} (no {CARD}); name a directory made by a training or index command, or run it again")
    try:
        return Card(**json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
        raise ArtifactError(f"{path}: not a card ({error}); make the directory again") from error


def check_output(out: Path, kind: str, *, source: Path | None = None) -> None:
    """Refuse an output directory that may not be replaced: an absent or empty one may, and an older one of this kind, but none that is
    or holds `source`, what the output is made from. Raises ArtifactError."""
    if source is not None and out.resolve() in (source.resolve(), *source.resolve().parents):
        raise ArtifactError(f"out = {str(out)!r}: would replace {str(source)!r}, which it is made from; name a directory beside it")
    if out.exists() and (reason := _worth_keeping(out, kind)):
        raise ArtifactError(
            f"out = {str(out)!r}: {reason} and would be deleted; name a directory that is absent, empty or an older {kind}, or move it away"
        )


def _worth_keeping(out: Path, kind: str) -> str:
    """What speaks against deleting `out`; empty where nothing does."""
    if not out.is_dir():
        return "is a file"
    if not any(out.iterdir()):
        return ""
    if not (out / CARD).is_file():
        return f"holds files but no {CARD}"
    try:
        found = read_card(out).kind
    except ArtifactError:
        return f"holds a {CARD} that can't be read"
    return "" if found == kind else f"is a {found!r} directory"


def verify(directory: Path, kind: str) -> Card:
    """Check the kind and every hash. Raises ArtifactError for a wrong kind or a missing, added or changed file."""
    card = read_card(directory)
    if card.kind != kind:
        raise ArtifactError(f"{directory}: is a {card.kind!r} directory, {kind!r} was expected; name a directory of that kind")
    present = _files(directory)
    for relative in sorted(card.files.keys() | present):
        if relative not in card.files or relative not in present:
            state = "is missing" if relative in card.files else "is not on the card"
            raise ArtifactError(f"{directory}: file {relative!r} {state}; restore the directory or make it again with: {card.command}")
        if (actual := sha256_of(directory / relative)) != card.files[relative]:
            raise ArtifactError(
                f"{directory}: file {relative!r} has SHA-256 {actual[:12]}…, its card says {card.files[relative][:12]}…; "
                f"restore it or make the directory again with: {card.command}"
            )
    return card
