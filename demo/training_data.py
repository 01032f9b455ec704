"""Write the labelled data that the sentiment scorer is trained on, because training reads files and never imports the demo.

    python -m demo.training_data var/training [--seed 11] [--count 12000]

Texts are composed from a book of clauses. Some clauses are set aside by chance: every text with one of them is marked `held_out`, so
that the scorer is judged on opinions that it never read. The persuasion scorer needs no file of its own: it learns from the copybook.
"""

import argparse
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from demo.reviews import LANGUAGES, clauses_of, labelled_sentences

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
    aside = clauses_set_aside(seed)
    rows = [
        {"locale": locale, "text": text, "label": label, "held_out": any(clause in text.lower() for clause in aside)}
        for locale, text, label in labelled_sentences(seed, count)
    ]
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "sentiment.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), path)
    return path


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write the sample shop's training data")
    parser.add_argument("directory", type=Path, help="where to write")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--count", type=int, default=12000, help="labelled sentences")
    options = parser.parse_args()
    print(write_sentiment(options.directory, options.seed, options.count))


if __name__ == "__main__":
    main()
