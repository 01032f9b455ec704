"""What the retrieval node adds for concerns and the market: where reviewed products stand, and the rows that are on about now."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pytest

from copywriting.shopper import Event, Shopper
from retrieval import schemas, tables
from retrieval.build import build_index
from serve.exchange import FindQuery
from serve.stages import RetrievalStage
from tests.fakes import NOW, make_shop

DAY = timedelta(days=1)


def holiday(name: str, first: timedelta, last: timedelta, locale: str = "en-US") -> dict:
    today = datetime.now(UTC).date()
    empty = {"competitor": None, "category": None, "discount_percent": None}
    return {"from": today + first, "until": today + last, "locale": locale, "kind": "holiday", "name": name, **empty}


@pytest.fixture(scope="module")
def retrieval(tmp_path_factory):
    root = tmp_path_factory.mktemp("market")
    shop = make_shop(root / "shop")
    rows = [holiday("now", -DAY, DAY), holiday("later", 5 * DAY, 9 * DAY), holiday("elsewhere", -DAY, DAY, "en-GB")]
    tables.write(shop, "market", pa.Table.from_pylist(rows, schema=schemas.MARKET))
    build_index(shop, root / "index", now=NOW, quiet=True)
    return RetrievalStage.func_or_class(SimpleNamespace(shop=shop, index=root / "index", products_per_answer=5))


def find(retrieval, *events: Event):
    return retrieval.find(FindQuery(Shopper("ann", "en-US", True, events=events), None, "coat", None, "en-US"))


def test_reviewed_products_come_with_their_place_and_others_do_not(retrieval):
    found = find(
        retrieval,
        Event("review", "jacket", NOW, 2.0, None, "The fabric is thin"),
        Event("review", "gone", NOW, 2.0, None, "Bad"),
        Event("view", "beans", NOW),
    )
    assert found.shelves == {"jacket": ("fashion", "outerwear")}


def test_only_rows_that_are_on_about_now_in_the_locale_are_carried(retrieval):
    assert [row.name for row in find(retrieval).market] == ["now"]
