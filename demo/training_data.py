"""Write the data that scorers and the response model are trained on, because training reads files and never imports the demo.

    python -m demo.training_data var/training [--seed 11] [--count 12000] [--impressions 60000]

`sentiment.parquet` has labelled sentences, `responses.parquet` impressions with simulated clicks (`demo/responses.py`).

Texts are composed from a book of clauses. Some clauses are set aside by chance: every text with one of them is marked `held_out`, so
that the scorer is judged on opinions that it never read. The persuasion scorer needs no file of its own: it learns from the copybook.

`make demo` fine-tunes on the sample shop's reviews, which are composed from the same book. A share of them drawn by chance would hold
clauses that the base model has read, and judged by those it would look surer than it may be: `write_reviews` therefore holds out the
reviews with a clause that was set aside, which neither training reads. A real shop's reviews need no such file: its people write their own.
"""

import argparse
import tempfile
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from demo.responses import write_responses
from demo.reviews import LANGUAGES, clauses_of, labelled_sentences, polarity_of
from demo.shop import build
from retrieval import tables
from retrieval.features import consenting

SEED = 11
"""Decides which clauses are set aside: base model and fine-tuning must use the same."""
DAY = date(2026, 1, 31)
"""The shop's day before the simulated impressions."""

_SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (("locale", pa.string()), ("text", pa.string()), ("label", pa.string()), ("held_out", pa.bool_()))
    ]
)
_SET_ASIDE = 0.08  # of all clauses; a text has one to three, so about a sixth of the texts


def clauses_set_aside(seed: int) -> tuple[str, ...]:
    """The clauses, in lower case, that no training text may contain."""
    every = sorted(clause.lower() for language in LANGUAGES for clauses in clauses_of(language).values() for clause in clauses)
    return tuple(Random(seed).sample(every, round(len(every) * _SET_ASIDE)))


def write_sentiment(directory: Path, seed: int, count: int) -> Path:
    """`sentiment.parquet` with columns locale, text, label (negative, neutral, positive), held_out. Same seed, same file."""
    return _write(directory / "sentiment.parquet", labelled_sentences(seed, count), seed)


def write_reviews(shop: Path, directory: Path, now: datetime, seed: int = SEED) -> Path:
    """`reviews.parquet`, in the same columns: the distinct reviews of the shop's shoppers who consent at `now`, stars as labels."""
    locales = {row["shopper_id"]: row["locale"] for row in consenting(tables.read(shop, "shoppers"), now).to_pylist()}
    reviews = [row for row in tables.read(shop, "events").to_pylist() if row["kind"] == "review" and row["shopper_id"] in locales]
    sentences = {(locales[row["shopper_id"]], row["text"], polarity_of(round(row["value"]))) for row in reviews}
    return _write(directory / "reviews.parquet", sorted(sentences), seed)


def simulate(directory: Path, seed: int, count: int) -> Path:
    """`responses.parquet`: impressions of the sample shop as it is on DAY. Same seed, same file."""
    with tempfile.TemporaryDirectory() as shop:
        build(Path(shop), today=DAY, render=lambda *_: [])  # tables alone: no shopper here looks at pictures
        return write_responses(Path(shop), directory, datetime.combine(DAY, time(tzinfo=UTC)), seed, count)


def _write(path: Path, sentences: Iterable[tuple[str, str, str]], seed: int) -> Path:
    aside = clauses_set_aside(seed)
    rows = [
        {"locale": locale, "text": text, "label": label, "held_out": any(clause in text.lower() for clause in aside)}
        for locale, text, label in sentences
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), path)
    return path


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write the sample shop's training data")
    parser.add_argument("directory", type=Path, help="where to write")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, default=12000, help="labelled sentences")
    parser.add_argument("--impressions", type=int, default=60000, help="impressions with simulated clicks")
    options = parser.parse_args()
    print(write_sentiment(options.directory, options.seed, options.count))
    print(simulate(options.directory, options.seed, options.impressions))


if __name__ == "__main__":
    main()
