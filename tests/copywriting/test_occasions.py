"""What `copywriting/occasions.py` promises, one behaviour a test."""

from datetime import date

import pytest

from copywriting.occasions import NAMES, occasion_on
from copywriting.taxonomy import OCCASIONS


@pytest.mark.parametrize(
    ("day", "locale", "occasion"),
    [
        (date(2026, 2, 17), "zh-CN", "spring_festival"),  # Chinese New Year 2026
        (date(2026, 2, 1), "zh-CN", "spring_festival"),
        (date(2026, 2, 1), "en-US", "winter"),
        (date(2026, 2, 10), "zh-CN", "valentines"),  # nearer than the festival
        (date(2026, 9, 25), "zh-CN", "mid_autumn"),
        (date(2027, 2, 6), "zh-CN", "spring_festival"),
        (date(2026, 12, 29), "en-GB", "new_year"),
        (date(2026, 11, 11), "zh-CN", "singles_day"),
        (date(2026, 11, 11), "en-US", "autumn"),
        (date(2026, 6, 10), "zh-CN", "mid_year_sale"),
        (date(2026, 8, 25), "en-US", "back_to_school"),
        (date(2026, 12, 24), "zh-CN", "christmas"),
        (date(2026, 12, 26), "zh-CN", "new_year"),
        (date(2026, 7, 20), "zh-CN", "summer"),
        (date(2026, 4, 20), "en-GB", "spring"),
    ],
)
def test_the_nearest_occasion_of_the_market(day: date, locale: str, occasion: str):
    assert occasion_on(day, locale) == occasion


@pytest.mark.parametrize(("year", "day"), [(2024, 29), (2025, 28), (2026, 27), (2027, 26), (2028, 24), (2029, 23)])
def test_black_friday_follows_the_fourth_thursday(year: int, day: int):
    assert occasion_on(date(year, 11, day), "en-US") == "black_friday"
    assert occasion_on(date(year, 11, day + 1), "en-US") != "black_friday"


def test_every_day_of_a_year_has_an_occasion_that_is_known():
    days = [date.fromordinal(date(2026, 1, 1).toordinal() + i) for i in range(365)]
    assert {occasion_on(day, locale) for day in days for locale in ("zh-CN", "en-US", "en-GB")} <= set(OCCASIONS)


def test_every_occasion_but_everyday_has_a_name_in_both_languages():
    assert NAMES.keys() == set(OCCASIONS) - {"everyday"}
    assert all(names.keys() == {"zh", "en"} and all(names.values()) for names in NAMES.values())
