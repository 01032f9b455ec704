"""Take products out of recommendation at once, without building the index again: `python -m retrieval.remove SHOP INDEX PRODUCT_ID …`

Every replica that serves this index leaves them out within a second. They stay in the catalogue, and may be named in a request, until the
merchant's next ingestion.
"""

import argparse
import sys
from pathlib import Path

from artifacts.card import ArtifactError
from artifacts.versions import current
from retrieval.recommend import Recommender
from retrieval.tables import TableError


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns the exit status: 0, or 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m retrieval.remove", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("shop", type=Path)
    parser.add_argument("index", type=Path)
    parser.add_argument("product_id", nargs="+")
    given = parser.parse_args(arguments)
    try:
        recommender = Recommender(given.shop, current(given.index))
        recommender.remove(given.product_id)
    except (ArtifactError, TableError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyError as error:
        print(f"product_id {error}: is not in the catalogue of {given.shop}; name products as products.parquet has them", file=sys.stderr)
        return 1
    print(f"{len(given.product_id)} product(s) are no longer recommended from {given.index}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
