"""What day it is for a shopper: a festival or sale that is near, else the season; and how each is called.

Movable and lunar days come from the `holidays` library. Weather, school terms and competitors' promotions are not here.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import holidays

from copywriting.channels import Language

NAMES: dict[str, dict[Language, str]] = {
    "spring": {"zh": "春天", "en": "spring"},
    "summer": {"zh": "夏天", "en": "summer"},
    "autumn": {"zh": "秋天", "en": "autumn"},
    "winter": {"zh": "冬天", "en": "winter"},
    "new_year": {"zh": "新年", "en": "New Year"},
    "spring_festival": {"zh": "春节", "en": "Spring Festival"},
    "valentines": {"zh": "情人节", "en": "Valentine's Day"},
    "womens_day": {"zh": "女神节", "en": "Women's Day"},
    "childrens_day": {"zh": "儿童节", "en": "Children's Day"},
    "mid_year_sale": {"zh": "年中大促", "en": "the mid-year sale"},
    "back_to_school": {"zh": "开学季", "en": "back-to-school season"},
    "mid_autumn": {"zh": "中秋节", "en": "the Mid-Autumn Festival"},
    "singles_day": {"zh": "双十一", "en": "Singles' Day"},
    "black_friday": {"zh": "黑色星期五", "en": "Black Friday"},
    "christmas": {"zh": "圣诞节", "en": "Christmas"},
    "birthday": {"zh": "生日", "en": "your birthday"},
}
"""Occasion → its name; `everyday` has none."""


@dataclass(frozen=True, slots=True)
class _Window:
    """An occasion that fills `days_before` days up to its last day."""

    occasion: str
    last: date
    days_before: int


_SEASONS = ("winter", "winter", "spring", "spring", "spring", "summer", "summer", "summer", "autumn", "autumn", "autumn", "winter")


@lru_cache(maxsize=64)
def _windows(country: str, year: int) -> tuple[_Window, ...]:
    fixed = {"new_year": (1, 3, 8), "valentines": (2, 14, 9), "christmas": (12, 25, 20)}
    chinese = {
        "womens_day": (3, 8, 7),
        "childrens_day": (6, 1, 7),
        "mid_year_sale": (6, 18, 14),
        "back_to_school": (9, 3, 14),
        "singles_day": (11, 11, 10),
    }
    days = fixed | (chinese if country == "CN" else {"back_to_school": (9, 5, 20)})
    windows = [_Window(name, date(year, month, day), before) for name, (month, day, before) in days.items()]
    if country == "CN":
        windows += _lunar(year)
    else:
        november = date(year, 11, 1)
        fourth_friday = november + timedelta(days=(3 - november.weekday()) % 7 + 22)
        windows.append(_Window("black_friday", fourth_friday, 7))
    return tuple(windows)


def _lunar(year: int) -> list[_Window]:
    named = {"春节": ("spring_festival", 21), "中秋节": ("mid_autumn", 14)}
    found = []
    for day, name in sorted(holidays.country_holidays("CN", years=year, language="zh_CN").items()):
        for part in name.split("; "):
            if part in named:
                occasion, before = named.pop(part)
                found.append(_Window(occasion, day, before))
    return found


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
