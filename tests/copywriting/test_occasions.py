"""What `copywriting/occasions.py` promises, one behaviour a test."""

from datetime import date, timedelta

import pytest

from copywriting.occasions import KNOWN, NAMES, NEAREST_TAG, days_of, name_of, occasion_on, tag_of
from copywriting.taxonomy import OCCASIONS

YEARS = range(2020, 2036)


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


@pytest.mark.parametrize(
    ("day", "locale", "occasion"),
    [
        (date(2026, 3, 3), "zh-CN", "lantern"),
        (date(2026, 6, 19), "zh-CN", "dragon_boat"),
        (date(2026, 8, 19), "zh-CN", "qixi"),
        (date(2026, 10, 18), "zh-CN", "double_ninth"),
        (date(2026, 12, 12), "zh-CN", "double_twelve"),
        (date(2026, 12, 12), "en-US", "christmas"),
        (date(2026, 11, 26), "en-US", "thanksgiving"),
        (date(2026, 11, 26), "en-GB", "black_friday"),
        (date(2026, 11, 30), "en-US", "cyber_monday"),
        (date(2026, 10, 31), "en-GB", "halloween"),
        (date(2026, 10, 31), "zh-CN", "autumn"),
        (date(2026, 3, 15), "en-GB", "mothers_day"),
        (date(2026, 3, 15), "en-US", "spring"),
        (date(2026, 5, 10), "en-US", "mothers_day"),
        (date(2026, 5, 10), "zh-CN", "mothers_day"),
        (date(2026, 5, 10), "en-GB", "spring"),
        (date(2026, 6, 21), "en-GB", "fathers_day"),
        (date(2026, 4, 5), "en-US", "easter"),
        (date(2026, 12, 26), "en-GB", "boxing_day"),
        (date(2026, 12, 26), "en-US", "new_year"),
    ],
)
def test_each_country_keeps_its_own_days(day: date, locale: str, occasion: str):
    assert occasion_on(day, locale) == occasion


@pytest.mark.parametrize(
    ("occasion", "country", "days"),
    [
        ("spring_festival", "CN", "2020-01-25 2021-02-12 2022-02-01 2023-01-22 2024-02-10 2025-01-29 2026-02-17 2027-02-06 2028-01-26"),
        ("dragon_boat", "CN", "2020-06-25 2021-06-14 2022-06-03 2023-06-22 2024-06-10 2025-05-31 2026-06-19"),
        ("qixi", "CN", "2020-08-25 2021-08-14 2022-08-04 2023-08-22 2024-08-10 2025-08-29 2026-08-19"),
        ("mid_autumn", "CN", "2020-10-01 2021-09-21 2022-09-10 2023-09-29 2024-09-17 2025-10-06 2026-09-25"),
        ("double_ninth", "CN", "2020-10-25 2021-10-14 2022-10-04 2023-10-23 2024-10-11 2025-10-29 2026-10-18"),
        ("easter", "GB", "2020-04-12 2021-04-04 2022-04-17 2023-04-09 2024-03-31 2025-04-20 2026-04-05 2027-03-28"),
        ("mothers_day", "GB", "2020-03-22 2021-03-14 2022-03-27 2023-03-19 2024-03-10 2025-03-30 2026-03-15 2027-03-07"),
    ],
)
def test_movable_days_are_those_of_the_calendar(occasion: str, country: str, days: str):
    for day in map(date.fromisoformat, days.split()):
        assert days_of(country, day.year)[occasion] == day


@pytest.mark.parametrize("year", YEARS)
def test_days_counted_by_weekday_fall_on_it(year: int):
    american, british, chinese = (days_of(country, year) for country in ("US", "GB", "CN"))
    thanksgiving = american["thanksgiving"]
    assert (thanksgiving.weekday(), thanksgiving.month, (thanksgiving.day - 1) // 7) == (3, 11, 3)
    assert american["black_friday"] - thanksgiving == timedelta(days=1)
    assert american["cyber_monday"].weekday() == 0
    for days, occasion, month, week in ((american, "mothers_day", 5, 1), (british, "fathers_day", 6, 2), (chinese, "fathers_day", 6, 2)):
        assert (days[occasion].weekday(), days[occasion].month, (days[occasion].day - 1) // 7) == (6, month, week)
    assert american["easter"].weekday() == british["mothers_day"].weekday() == 6
    assert british["easter"] - british["mothers_day"] == timedelta(weeks=3)


@pytest.mark.parametrize("year", YEARS)
def test_lunar_days_keep_their_distance_and_their_season(year: int):
    days = days_of("CN", year)
    assert date(year, 1, 21) <= days["spring_festival"] <= date(year, 2, 21)
    assert days["lantern"] - days["spring_festival"] == timedelta(days=14)
    assert days["mid_autumn"] - days["qixi"] in (timedelta(days=37), timedelta(days=38))
    assert date(year, 5, 27) <= days["dragon_boat"] <= date(year, 6, 25)
    assert date(year, 9, 7) <= days["mid_autumn"] <= date(year, 10, 8)
    assert days["mid_autumn"] < days["double_ninth"]


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("locale", ["zh-CN", "en-US", "en-GB"])
def test_on_its_last_day_an_occasion_is_on_unless_another_ends_with_it(year: int, locale: str):
    days = days_of(locale[-2:], year)
    for occasion, day in days.items():
        assert days[occasion_on(day, locale)] == day, occasion


def test_every_day_of_a_year_has_an_occasion_that_is_known():
    days = [date.fromordinal(date(2026, 1, 1).toordinal() + i) for i in range(365)]
    assert {occasion_on(day, locale) for day in days for locale in ("zh-CN", "en-US", "en-GB")} <= set(KNOWN)


def test_every_occasion_but_everyday_has_a_name_in_both_languages():
    assert NAMES.keys() == set(KNOWN) - {"everyday"}
    assert all(names.keys() == {"zh", "en"} and all(names.values()) for names in NAMES.values())


def test_every_occasion_has_a_tag_that_the_copybook_and_the_small_model_know():
    assert {tag_of(occasion) for occasion in KNOWN} == set(OCCASIONS)
    assert all(tag_of(occasion) == occasion for occasion in OCCASIONS)
    assert tag_of("店庆周") == "everyday"


@pytest.mark.parametrize("occasion", NEAREST_TAG)
def test_a_borrowed_tag_is_no_other_day(occasion: str):
    assert tag_of(occasion) in ("everyday", "spring", "summer", "autumn", "winter")


def test_a_merchants_holiday_is_called_by_its_own_name_and_everyday_by_none():
    assert name_of("店庆周", "zh") == "店庆周"
    assert (name_of("everyday", "en"), name_of("qixi", "en"), name_of("qixi", "zh")) == (None, "Qixi", "七夕")
