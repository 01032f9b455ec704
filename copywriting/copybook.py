"""The copybook: hand-written pieces of copy with slots. It is training data, the template fallback and the taste of the product.

A copybook is a directory of YAML files, each `{vertical, locale, pieces: [...]}`. `python -m copywriting.copybook DIR` checks one
and prints every fault with file, line number of the piece and remedy.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import yaml
from rapidfuzz.distance import Indel

from copywriting.brief import Brief
from copywriting.channels import CHANNELS, Language
from copywriting.occasions import tag_of
from copywriting.principles import EVIDENCE, PRINCIPLES
from copywriting.slots import SLOTS, literals, nominal_length, slots_in
from copywriting.taxonomy import GENERAL, INTENTS, OCCASIONS, TONES, VERTICALS

_KEYS = {"channel", "tone", "occasion", "principles", "kind", "intent", "headline", "body", "cta"}
_FORBIDDEN = re.compile(r"[0-9０-９%％¥￥$€£{}\n]")
_TOO_ALIKE = 0.75
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same safe subset; in C where libyaml is there


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of copy. `kind` None suits every kind of its vertical; `intent` is set for chat replies only."""

    piece_id: str
    vertical: str
    language: Language
    channel: str
    tone: str
    occasion: str
    principles: tuple[str, ...]
    parts: tuple[str, ...]
    kind: str | None = None
    intent: str | None = None

    @property
    def template(self) -> str:
        """The parts in the channel's order, one per line: the form in which drafts travel."""
        return "\n".join(self.parts)

    @property
    def slots(self) -> frozenset[str]:
        """Every slot that must have a value before the piece can be used."""
        return frozenset(slots_in(self.template))


def suits(piece: Piece, brief: Brief) -> bool:
    """Does the piece speak of no other kind of product, day or question than the brief's?"""
    return (
        piece.vertical in (brief.vertical, GENERAL)
        and piece.kind in (None, brief.kind)
        and piece.occasion in ("everyday", tag_of(brief.occasion))
        and piece.intent == brief.intent
    )


def fits(piece: Piece, brief: Brief) -> bool:
    """May the piece be used as it is? It suits the brief, and all its slots have values. A piece for a season that calls the day by name
    means the season."""
    named = "occasion" in piece.slots and piece.occasion not in ("everyday", brief.occasion)
    return suits(piece, brief) and not named and piece.slots.issubset(brief.slots)


def load(directory: Path) -> tuple[Piece, ...]:
    """Read every `*.yaml` of a copybook. Raises ValueError naming the file, the piece and the remedy for the first fault."""
    files = sorted(directory.glob("*.yaml"))
    if not files:
        raise ValueError(f"copybook {directory}: no *.yaml files; name a directory that holds a copybook")
    pieces: list[Piece] = []
    for path in files:
        for piece, faults in _read(path):
            if faults:
                raise ValueError(f"{piece.piece_id}: {faults[0]}")
            pieces.append(piece)
    return tuple(pieces)


def _read(path: Path) -> Iterator[tuple[Piece, list[str]]]:
    document = _document(path)
    vertical, language = document["vertical"], document["locale"]
    if vertical not in (*VERTICALS, GENERAL) or language not in ("zh", "en"):
        raise ValueError(f"{path.name}: vertical {vertical!r}, locale {language!r}; use one of {[*VERTICALS, GENERAL]} and zh or en")
    for number, entry in enumerate(document["pieces"], start=1):
        piece_id = f"{path.stem}#{number}"
        if not isinstance(entry, dict) or entry.get("channel") not in CHANNELS:
            raise ValueError(f"{piece_id}: channel must be one of {list(CHANNELS)}: {entry!r}")
        piece = _piece(piece_id, vertical, language, entry)
        yield piece, _faults(piece, entry)


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name}: not YAML ({error}); correct it") from error
    if not isinstance(document, dict) or not {"vertical", "locale"} <= document.keys() or not isinstance(document.get("pieces"), list):
        raise ValueError(f"{path.name}: needs the keys vertical, locale and pieces (a list); see demo/copybook")
    return document


def _piece(piece_id: str, vertical: str, language: Literal["zh", "en"], entry: dict[str, Any]) -> Piece:
    parts = tuple(str(entry.get(part, "")).strip() for part in CHANNELS[entry["channel"]].parts)
    return Piece(
        piece_id, vertical, language, entry["channel"], entry.get("tone", ""), entry.get("occasion", "everyday"),
        tuple(entry.get("principles", ())), parts, entry.get("kind"), entry.get("intent"),
    )  # fmt: skip


def _faults(piece: Piece, entry: dict[str, Any]) -> list[str]:
    """Every reason why this piece may not stand in a copybook, each with its remedy."""
    channel = CHANNELS[piece.channel]
    wanted = {*_KEYS} - {"headline", "body", "cta"} | set(channel.parts)
    faults = [f"key {key!r} does not belong in a {piece.channel} piece; remove it" for key in entry.keys() - wanted]
    faults += [
        f"{name} is empty; {piece.channel} has {channel.parts}" for name, text in zip(channel.parts, piece.parts, strict=True) if not text
    ]
    if piece.tone not in TONES:
        faults.append(f"tone {piece.tone!r}; use one of {TONES}")
    if piece.occasion not in OCCASIONS:
        faults.append(f"occasion {piece.occasion!r}; use one of {OCCASIONS}")
    if piece.kind is not None and piece.kind not in VERTICALS.get(piece.vertical, ()):
        faults.append(f"kind {piece.kind!r}; use one of {VERTICALS.get(piece.vertical, ())}")
    if (piece.channel == "chat_reply") != (piece.intent in INTENTS):
        faults.append(f"intent {piece.intent!r}; chat_reply needs one of {INTENTS}, other channels none")
    if not piece.principles or set(piece.principles) - set(PRINCIPLES):
        faults.append(f"principles {list(piece.principles)}; name one or more of {PRINCIPLES}")
    return faults + _text_faults(piece)


def _text_faults(piece: Piece) -> list[str]:
    faults = [f"unknown slot {{{slot}}}; use one of {list(SLOTS)}" for slot in sorted(piece.slots - SLOTS.keys())]
    for part in piece.parts:
        for literal in literals(part):
            if found := _FORBIDDEN.search(literal):
                faults.append(f"{found.group()!r} in {literal!r}: digits, currency, percent and braces only inside slots")
    for principle in piece.principles:
        evidence = EVIDENCE.get(principle)
        if evidence and not piece.slots.intersection(evidence):
            faults.append(f"principle {principle} without its evidence; use one of {evidence} or drop the principle")
    if faults:
        return faults
    faults += _length_faults(piece)
    has_chinese = bool(re.search(r"[\u4e00-\u9fff]", piece.template))
    if has_chinese != (piece.language == "zh"):
        faults.append(f"text is not in {piece.language}")
    return faults


def _length_faults(piece: Piece) -> list[str]:
    channel = CHANNELS[piece.channel]
    lengths = [nominal_length(part, piece.language) for part in piece.parts]
    allowed = [channel.limit_of(name, piece.language) for name in channel.parts]
    faults = [
        f"{name} is about {length} characters when filled; {piece.channel} allows {limit}"
        for name, length, limit in zip(channel.parts, lengths, allowed, strict=True)
        if length > limit
    ]
    if sum(lengths) > channel.max_chars[piece.language]:
        faults.append(f"about {sum(lengths)} characters when filled; {piece.channel} allows {channel.max_chars[piece.language]}")
    return faults


def _alike(pieces: Sequence[Piece]) -> Iterator[tuple[Piece, Piece, float]]:
    """Pairs of one file that a reader would call the same piece."""
    for (one, its), (other, others) in combinations([(piece, piece.template) for piece in pieces], 2):
        # what two texts have in common in their order is never less than the blocks that difflib takes a hundred times longer to find
        if Indel.normalized_similarity(its, others) > _TOO_ALIKE:
            ratio = SequenceMatcher(None, others, its, autojunk=False).ratio()
            if ratio > _TOO_ALIKE:
                yield one, other, ratio


def check(directory: Path) -> list[str]:
    """Every fault of every piece, and every pair within a file that is too alike."""
    faults: list[str] = []
    for path in sorted(directory.glob("*.yaml")):
        pieces: list[Piece] = []
        for piece, own in _read(path):
            pieces.append(piece)
            faults += [f"{piece.piece_id}: {fault}" for fault in own]
        faults += [f"{a.piece_id} and {b.piece_id} are {ratio:.0%} alike; rewrite one" for a, b, ratio in _alike(pieces)]
    return faults


def _main(directory: Path) -> int:
    faults = check(directory)
    print(*faults, sep="\n")
    if not faults:
        pieces = load(directory)
        for field in ("vertical", "language", "channel", "tone", "occasion", "kind", "intent"):
            print(f"{field}: {dict(sorted(Counter(str(getattr(piece, field)) for piece in pieces).items()))}")
        print(f"principles: {dict(Counter(p for piece in pieces for p in piece.principles))}")
        print(f"slots: {dict(Counter(slot for piece in pieces for slot in piece.slots))}")
        print(f"{len(pieces)} pieces, no faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1])))
