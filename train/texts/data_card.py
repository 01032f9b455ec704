"""The data card of a run on texts: where they come from, what there is of what, what was left out, what leaks into the held-out part.

A run that trains on texts, with labels or without, writes it as `data_card.md` beside its report. Leaks are held-out texts that stand in
the training part as well: the same but for width, case and white space, or nearly the same (`train/texts/near_repeats.py`). Personal data
is guessed by patterns and counted, never shown; there is more of it than patterns find. Who wrote the texts, and whether they may be used,
is for `about_data` to say.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import numpy as np

from train.texts.labelled import SEVERAL, Labelled, Texts, leaks
from train.texts.near_repeats import ALIKE, near_repeats

DATA_CARD = "data_card.md"
_MOST = 200_000
"""Texts beyond which near repeats are looked for in a sample of the training part."""
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


def plain_card(
    training: Sequence[str],
    held_out: Sequence[str],
    files: Sequence[Path],
    left_out: Mapping[str, int],
    *,
    name: str,
    about: str,
    hashed: str,
) -> str:
    """As `data_card`, of texts without labels."""
    parts = [[Labelled(text, "") for text in texts] for texts in (training, held_out)]
    found = Texts((*parts[0], *parts[1]), tuple(files), left_out)
    return data_card(parts[0], parts[1], found, name=name, about=about, hashed=hashed)


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
    ]
    if any(row.label for row in training):
        rows.append(("of these, with another label", f"{other:,}"))
    note = "" if looked is training else f"\n\nLooked for among {_MOST:,} of the training texts, drawn by chance."
    return _table(("held-out texts", ""), rows) + note


def _personal(rows: Sequence[Labelled]) -> list[tuple[str, ...]]:
    return [(name, f"{sum(bool(pattern.search(row.text)) for row in rows):,}") for name, pattern in PERSONAL.items()]


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    escaped = (tuple(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, ("---",) * len(heads), *escaped)) if rows else ""
