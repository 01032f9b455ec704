"""The data card of a table of labelled texts, without a run.

    python -m train.data_card reviews.csv [--validation held_out.csv] [--about "reviews of 2025"] [--out data_card.md]

What it holds: `train/texts/data_card.py`.
"""

import argparse
from pathlib import Path

from train.job import run_command
from train.run.settings import ConfigError, data_hash
from train.run.tables import read_table
from train.texts.data_card import data_card
from train.texts.labelled import Columns, from_table, parted

_HELD_OUT_SHARE = 0.1


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
