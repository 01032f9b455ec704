"""The data card of a classifier: where its texts come from, what there is of what, what was left out, what leaks into the held-out part.

    python -m train.data_card reviews.csv [--validation held_out.csv] [--about "reviews of 2025"] [--out data_card.md]

A run that trains on labelled texts writes it as `data_card.md` beside its report. Leaks are held-out texts that stand in the training
part as well: the same but for width, case and white space, or nearly the same: a Jaccard similarity of four-character shingles of at least
0.8, found by MinHash (Broder 1997) in bands and then counted exactly. Personal data is guessed by patterns and counted, never shown; there
is more of it than patterns find. Who wrote the texts, and whether they may be used, is for `about_data` to say.
"""

import argparse
import re
import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from train.job import run_command
from train.labelled import SEVERAL, Columns, Labelled, Texts, from_table, leaks, parted
from train.settings import ConfigError, data_hash
from train.tables import read_table

DATA_CARD = "data_card.md"
ALIKE = 0.8
_SHINGLE, _BANDS, _ROWS = 4, 16, 4  # a pair of similarity 0.8 shares a band in all but 1 of 5,000 cases
_PRIME = (1 << 61) - 1
_MOST = 200_000
"""Texts beyond which near repeats are looked for in a sample of the training part."""
_HELD_OUT_SHARE = 0.1
PERSONAL: Mapping[str, re.Pattern[str]] = {
    "e-mail addresses": re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"),
    "telephone numbers": re.compile(
        r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d{9}(?!\d)|(?<!\d)\+?\d{1,3}[-. (]\d{2,4}[-. )]{1,2}\d{3,4}[-. ]\d{3,4}(?!\d)"
    ),
    "Chinese identity numbers": re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)"),
    "card numbers": re.compile(r"(?<!\d)(?:\d{4}[ -]){3}\d{4}(?!\d)"),
}
_HAN = re.compile(r"[\u3400-\u9fff]")


def data_card(training: Sequence[Labelled], held_out: Sequence[Labelled], found: Texts, *, name: str, about: str, hashed: str) -> str:
    """The card as Markdown. `found` says which files were read and what was left out; an empty `hashed` is not told."""
    sections = [
        f"# Data card: {name}",
        _origin(found, about, hashed),
        "## Texts\n\n" + _table(("", "training", "held out"), _counts(training, held_out)),
        "## Characters of a text\n\n" + _table(("", "training", "held out"), _lengths(training, held_out)),
        "## Left out\n\n" + (_table(("why", "rows"), [(why, f"{count:,}") for why, count in found.left_out.items()]) or "nothing"),
        "## Leaks\n\n" + _leaks(training, held_out),
        "## Personal data, by patterns\n\n" + _table(("", "texts"), _personal([*training, *held_out])),
    ]
    return "\n\n".join(sections) + "\n"


def near_repeats(training: Sequence[str], held_out: Sequence[str]) -> list[tuple[int, int]]:
    """(number in held_out, number in training) of texts that are nearly the same, the first found for each held-out text."""
    sets = [[shingles(text) for text in part] for part in (training, held_out)]
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for number, shingled in enumerate(sets[0]):
        for key in _bands(shingled):
            buckets[key].append(number)
    pairs = []
    for number, shingled in enumerate(sets[1]):
        candidates = sorted({other for key in _bands(shingled) for other in buckets.get(key, ())})
        found = next((other for other in candidates if similarity(shingled, sets[0][other]) >= ALIKE), None)
        if found is not None:
            pairs.append((number, found))
    return pairs


def shingles(text: str) -> frozenset[int]:
    """Hashes of every run of four characters, width, case, white space and marks put aside; of a shorter text, of all of it."""
    plain = "".join(each for each in unicodedata.normalize("NFKC", text).lower() if each.isalnum())
    return frozenset(zlib.crc32(plain[at : at + _SHINGLE].encode()) for at in range(max(1, len(plain) - _SHINGLE + 1)))


def similarity(first: frozenset[int], second: frozenset[int]) -> float:
    """Jaccard: how much of what either has both have."""
    return len(first & second) / len(first | second)


def _factors() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    random = np.random.default_rng(0)
    odd, shift = random.integers(1, 1 << 31, (2, _BANDS * _ROWS, 1), dtype=np.uint64)
    return odd, shift


_FACTORS = _factors()


def _bands(shingled: frozenset[int]) -> Iterator[tuple[int, bytes]]:
    """Keys of which two texts share one the more likely, the more they are alike."""
    hashes = np.fromiter(shingled, np.uint64, len(shingled))
    signature = ((_FACTORS[0] * hashes + _FACTORS[1]) % np.uint64(_PRIME)).min(axis=1).reshape(_BANDS, _ROWS)
    for band, row in enumerate(signature):
        yield band, row.tobytes()


def _origin(found: Texts, about: str, hashed: str) -> str:
    rows = [("about", about or "nobody said; set `about_data`"), ("files", ", ".join(path.name for path in found.files))]
    return _table(("", ""), [*rows, ("SHA-256", f"`{hashed}`" if hashed else "not told")])


def _counts(training: Sequence[Labelled], held_out: Sequence[Labelled]) -> list[tuple[str, ...]]:
    parts = (training, held_out)
    rows = [("all", *(f"{len(part):,}" for part in parts))]
    for what, of in (
        ("label", lambda row: row.label.split(SEVERAL)),
        ("mostly", lambda row: [script(row.text)]),
        ("group", lambda row: [row.group]),
    ):
        counts = [Counter(each for row in part for each in of(row)) for part in parts]
        for value in sorted(set().union(*counts) - {""}):
            rows.append((f"{what} {value}", *(_share(count[value], len(part)) for count, part in zip(counts, parts, strict=True))))
    return rows


def script(text: str) -> str:
    """Chinese where a third of the letters are Chinese characters, else an alphabet; a language is more than that."""
    letters = sum(each.isalpha() for each in text)
    return "Chinese characters" if letters and len(_HAN.findall(text)) >= letters / 3 else "an alphabet"


def _share(count: int, whole: int) -> str:
    return f"{count:,} ({count / whole:.1%})" if whole else "0"


def _lengths(training: Sequence[Labelled], held_out: Sequence[Labelled]) -> list[tuple[str, ...]]:
    lengths = [np.array([len(row.text) for row in part] or [0]) for part in (training, held_out)]
    points = (("shortest", 0), ("one in twenty below", 5), ("median", 50), ("one in twenty above", 95), ("longest", 100))
    return [(name, *(f"{np.percentile(each, point):,.0f}" for each in lengths)) for name, point in points]


def _leaks(training: Sequence[Labelled], held_out: Sequence[Labelled]) -> str:
    same = leaks(training, held_out)
    looked = training if len(training) <= _MOST else Random(0).sample(list(training), _MOST)
    pairs = near_repeats([row.text for row in looked], [row.text for row in held_out])
    other = sum(held_out[one].label != looked[two].label for one, two in pairs)
    rows = [
        ("the same text in both parts", _share(len(same), len(held_out))),
        (f"nearly the same (Jaccard of at least {ALIKE}), the same included", _share(len(pairs), len(held_out))),
        ("of these, with another label", f"{other:,}"),
    ]
    note = "" if looked is training else f"\n\nLooked for among {_MOST:,} of the training texts, drawn by chance."
    return _table(("held-out texts", ""), rows) + note


def _personal(rows: Sequence[Labelled]) -> list[tuple[str, ...]]:
    return [(name, f"{sum(bool(pattern.search(row.text)) for row in rows):,}") for name, pattern in PERSONAL.items()]


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    escaped = (tuple(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, ("---",) * len(heads), *escaped)) if rows else ""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Describe a table of labelled texts")
    parser.add_argument("table", type=Path, help="Parquet, JSON lines, CSV or TSV")
    parser.add_argument("--validation", type=Path, help="the table that is held out (default: a tenth of TABLE, by seed)")
    parser.add_argument("--about", default="", help="where the texts come from, in words")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write this file (default: print)")
    given = parser.parse_args()
    tables = [path for path in (given.table, given.validation) if path]
    if absent := [path for path in tables if not path.is_file()]:
        raise ConfigError(f"TABLE = {str(absent[0])!r}: no such file; name a table of labelled texts")
    found, *apart = (from_table(read_table(path), path, Columns(), None) for path in tables)
    training, held_out, whole = parted(found, apart[0] if apart else None, _HELD_OUT_SHARE, given.seed)
    if apart:
        training = list(found.rows)  # as they stand: a card shows the leaks that a run would leave out
    card = data_card(training, held_out, whole, name=given.table.name, about=given.about, hashed=data_hash(tables))
    if given.out:
        given.out.write_text(card, encoding="utf-8")
    else:
        print(card, end="")


if __name__ == "__main__":
    run_command(main)
