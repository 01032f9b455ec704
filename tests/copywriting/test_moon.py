"""What `copywriting/moon.py` promises, one behaviour a test."""

from datetime import date, timedelta
from itertools import pairwise

import holidays
import pytest

from copywriting.moon import new_moon, new_moon_before


@pytest.mark.parametrize("year", range(2000, 2050))
def test_the_new_moon_begins_the_months_that_a_published_calendar_knows(year: int):
    found = holidays.country_holidays("CN", years=year, language="en_US", observed=False)
    firsts = {"Chinese New Year (Spring Festival)": 0, "Dragon Boat Festival": 4, "Mid-Autumn Festival": 14}
    days = {name: min((day for day, said in found.items() if name in said.split("; ")), default=None) for name in firsts}
    known = [day - timedelta(days=firsts[name]) for name, day in days.items() if day]
    assert known  # before 2008 only the Spring Festival was a public holiday
    for first in known:
        assert new_moon_before(first + timedelta(days=1)) == first


def test_months_have_twenty_nine_or_thirty_days():
    days = [new_moon(number) for number in range(250, 460)]
    assert {(after - before).days for before, after in pairwise(days)} == {29, 30}


def test_before_is_before():
    assert new_moon(0) == date(2000, 1, 7)  # 18:14 UTC on the 6th is the 7th in Beijing
    assert new_moon_before(date(2000, 1, 7)) == date(1999, 12, 8)
    assert new_moon_before(date(2000, 1, 8)) == date(2000, 1, 7)
