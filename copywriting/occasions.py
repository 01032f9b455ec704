"""What day it is for a shopper: a festival or sale that is near, else the season; and how each is called.

Movable and lunar days come from the `holidays` library; the two that it lacks are counted from those (Lantern) or from the new moon
(Qixi). A merchant's own holidays (`copywriting/market.py`) come first. Weather, school terms and southern seasons are not here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import holidays

from copywriting.channels import Language
from copywriting.moon import new_moon_before
from copywriting.taxonomy import OCCASIONS

NAMES: dict[str, dict[Language, str]] = {
    "spring": {"zh": "春天", "en": "spring"},
    "summer": {"zh": "夏天", "en": "summer"},
    "autumn": {"zh": "秋天", "en": "autumn"},
    "winter": {"zh": "冬天", "en": "winter"},
    "new_year": {"zh": "新年", "en": "New Year"},
    "spring_festival": {"zh": "春节", "en": "Spring Festival"},
    "lantern": {"zh": "元宵节", "en": "the Lantern Festival"},
    "valentines": {"zh": "情人节", "en": "Valentine's Day"},
    "womens_day": {"zh": "女神节", "en": "Women's Day"},
    "easter": {"zh": "复活节", "en": "Easter"},
    "mothers_day": {"zh": "母亲节", "en": "Mother's Day"},
    "childrens_day": {"zh": "儿童节", "en": "Children's Day"},
    "dragon_boat": {"zh": "端午节", "en": "the Dragon Boat Festival"},
    "mid_year_sale": {"zh": "年中大促", "en": "the mid-year sale"},
    "fathers_day": {"zh": "父亲节", "en": "Father's Day"},
    "qixi": {"zh": "七夕", "en": "Qixi"},
    "back_to_school": {"zh": "开学季", "en": "back-to-school season"},
    "mid_autumn": {"zh": "中秋节", "en": "the Mid-Autumn Festival"},
    "double_ninth": {"zh": "重阳节", "en": "the Double Ninth Festival"},
    "halloween": {"zh": "万圣节", "en": "Halloween"},
    "singles_day": {"zh": "双十一", "en": "Singles' Day"},
    "thanksgiving": {"zh": "感恩节", "en": "Thanksgiving"},
    "black_friday": {"zh": "黑色星期五", "en": "Black Friday"},
    "cyber_monday": {"zh": "网络星期一", "en": "Cyber Monday"},
    "double_twelve": {"zh": "双十二", "en": "Double Twelve"},
    "christmas": {"zh": "圣诞节", "en": "Christmas"},
    "boxing_day": {"zh": "节礼日", "en": "Boxing Day"},
    "birthday": {"zh": "生日", "en": "your birthday"},
}
"""Occasion → its name; `everyday` has none."""

NEAREST_TAG: dict[str, str] = {
    "lantern": "everyday",
    "easter": "spring",
    "mothers_day": "spring",
    "dragon_boat": "summer",
    "fathers_day": "summer",
    "qixi": "summer",
    "double_ninth": "autumn",
    "halloween": "autumn",
    "thanksgiving": "autumn",
    "cyber_monday": "everyday",
    "double_twelve": "winter",
    "boxing_day": "winter",
}
"""An occasion that the copybook and the small model have no pieces for → one that they have, and that is as true on the day: its season,
or no day at all where the season may turn within it."""

KNOWN = (*OCCASIONS, *NEAREST_TAG)
"""Every occasion that a request may name."""


def tag_of(occasion: str) -> str:
    """What the copybook and the small model call this occasion: itself, the nearest, or `everyday` for a merchant's own holiday."""
    return occasion if occasion in OCCASIONS else NEAREST_TAG.get(occasion, "everyday")


def name_of(occasion: str, language: Language) -> str | None:
    """How the occasion is called. A merchant's own holiday is its own name; `everyday` has none."""
    if occasion in NAMES:
        return NAMES[occasion][language]
    return occasion if occasion not in KNOWN else None


_SEASONS = ("winter", "winter", "spring", "spring", "spring", "summer", "summer", "summer", "autumn", "autumn", "autumn", "winter")

_EVERYWHERE = {"new_year": 8, "valentines": 9, "christmas": 20, "back_to_school": 20, "fathers_day": 10, "mothers_day": 10}
_WESTERN = _EVERYWHERE | {"easter": 10, "halloween": 14, "black_friday": 7, "cyber_monday": 3}
_DAYS_BEFORE: dict[str, dict[str, int]] = {
    "CN": _EVERYWHERE
    | {"spring_festival": 21, "lantern": 7, "womens_day": 7, "childrens_day": 7, "dragon_boat": 10, "mid_year_sale": 14, "qixi": 7}
    | {"back_to_school": 14, "mid_autumn": 14, "double_ninth": 7, "singles_day": 10, "double_twelve": 8},
    "US": _WESTERN | {"thanksgiving": 3},
    "GB": _WESTERN | {"boxing_day": 1},
}
"""Country → its occasions, and how many days before the last day each begins to fill."""

_IN_LIBRARY: dict[str, tuple[str, str]] = {
    "spring_festival": ("CN", "Chinese New Year (Spring Festival)"),
    "dragon_boat": ("CN", "Dragon Boat Festival"),
    "mid_autumn": ("CN", "Mid-Autumn Festival"),
    "double_ninth": ("HK", "Double Ninth Festival"),
    "easter": ("US", "Easter Sunday"),
    "mothers_day": ("US", "Mother's Day"),
    "fathers_day": ("US", "Father's Day"),
    "thanksgiving": ("US", "Thanksgiving Day"),
    "halloween": ("US", "Halloween"),
}


@dataclass(frozen=True, slots=True)
class _Window:
    """An occasion that fills `days_before` days up to its last day."""

    occasion: str
    last: date
    days_before: int


@lru_cache(maxsize=256)
def days_of(country: str, year: int) -> Mapping[str, date]:
    """The last day of every occasion that the country keeps in this year, in no order."""
    found = _movable(year)
    found |= {"new_year": date(year, 1, 3), "valentines": date(year, 2, 14), "womens_day": date(year, 3, 8)}
    found |= {"childrens_day": date(year, 6, 1), "mid_year_sale": date(year, 6, 18), "singles_day": date(year, 11, 11)}
    found |= {"double_twelve": date(year, 12, 12), "christmas": date(year, 12, 25), "boxing_day": date(year, 12, 26)}
    found["back_to_school"] = date(year, 9, 3 if country == "CN" else 5)
    if country == "GB":
        found["mothers_day"] = found["easter"] - timedelta(days=21)  # Mothering Sunday, the fourth in Lent
    return {occasion: found[occasion] for occasion in _DAYS_BEFORE.get(country, _WESTERN)}


@lru_cache(maxsize=128)
def _movable_days(year: int) -> Mapping[str, date]:
    calendars = {
        country: holidays.country_holidays(country, years=year, language="en_US", observed=False, categories=categories)
        for country, categories in (("CN", ("public",)), ("HK", ("public", "optional")), ("US", ("public", "unofficial")))
    }
    found: dict[str, date] = {}
    for occasion, (country, name) in _IN_LIBRARY.items():
        found[occasion] = min(day for day, said in calendars[country].items() if name in said.split("; "))
    found["lantern"] = found["spring_festival"] + timedelta(days=14)
    # The eighth month begins fourteen days before Mid-Autumn; the seventh, of which Qixi is the seventh day, with the new moon before.
    found["qixi"] = new_moon_before(found["mid_autumn"] - timedelta(days=14)) + timedelta(days=6)
    found["black_friday"] = found["thanksgiving"] + timedelta(days=1)
    found["cyber_monday"] = found["thanksgiving"] + timedelta(days=4)
    return found


def _movable(year: int) -> dict[str, date]:
    return dict(_movable_days(year))


@lru_cache(maxsize=256)
def _windows(country: str, year: int) -> tuple[_Window, ...]:
    before = _DAYS_BEFORE.get(country, _WESTERN)
    return tuple(_Window(occasion, last, before[occasion]) for occasion, last in days_of(country, year).items())


def occasion_on(day: date, locale: str) -> str:
    """The nearest occasion whose window holds `day` in the locale's country, else the northern season."""
    country = locale.rpartition("-")[2]
    near = [
        w
        for year in (day.year, day.year + 1)
        for w in _windows(country, year)
        if timedelta(0) <= w.last - day <= timedelta(days=w.days_before)
    ]
    if near:
        return min(near, key=lambda window: window.last).occasion
    return _SEASONS[day.month - 1]
