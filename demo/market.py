"""The sample shop's market table: its own anniversary and members' day, and what three invented competitors promote.

Rows are relative to the shop's day, so that something is always on: written by `demo.shop`.
"""

import datetime
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from demo.merchandise import Text
from retrieval.schemas import MARKET

_ANNIVERSARY = Text("店庆周", "our anniversary week")
_MEMBERS = Text("会员日", "members' day")

_PROMOTIONS: tuple[tuple[int, int, str, float | None, Text, Text], ...] = (
    (-3, 4, "headphones", 20.0, Text("旺声商城", "Hollowell Audio"), Text("耳机专场", "headphone week")),
    (-1, 9, "outerwear", 30.0, Text("北岭衣橱", "Fernway Outfitters"), Text("冬装上新", "the coat event")),
    (2, 12, "food", None, Text("谷仓优选", "Larkspur Pantry"), Text("吃货节", "pantry days")),
)
"""First day and last, from the shop's day on; the category; the discount in percent; who promotes and what it is called."""


def table(today: datetime.date, locales: Sequence[str]) -> pa.Table:
    """The market table of a shop on its day."""
    return pa.Table.from_pylist([*_holidays(today, locales), *_promotions(today, locales)], schema=MARKET)


def _holidays(today: datetime.date, locales: Sequence[str]) -> list[dict[str, Any]]:
    """A month and two from the shop's day: demonstrations of the calendar's occasions are not in the way of them."""
    windows = ((_MEMBERS, 30, 30), (_ANNIVERSARY, 60, 66))
    return [_row(today, first, last, locale, "holiday", named.in_locale(locale)) for named, first, last in windows for locale in locales]


def _promotions(today: datetime.date, locales: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for first, last, category, discount, competitor, named in _PROMOTIONS:
        for locale in locales:
            row = _row(today, first, last, locale, "competitor_promotion", named.in_locale(locale))
            rows.append(row | {"competitor": competitor.in_locale(locale), "category": category, "discount_percent": discount})
    return rows


def _row(today: datetime.date, first: int, last: int, locale: str, kind: str, name: str) -> dict[str, Any]:
    day = datetime.timedelta(days=1)
    empty = {"competitor": None, "category": None, "discount_percent": None}
    return {"from": today + first * day, "until": today + last * day, "locale": locale, "kind": kind, "name": name, **empty}
