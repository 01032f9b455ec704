"""Days of the new moon in Beijing, on which months of the Chinese calendar begin.

Meeus, Astronomical Algorithms (2nd edition, 1998), chapter 49, with its thirteen largest terms for the new moon: right to about two
minutes in this century. Leap months are not here: whoever asks knows a month that the new moon is next to.
"""

import math
from datetime import date, timedelta

MONTH_DAYS = 29.530588861
_EPOCH = date(2000, 1, 1)
_EPOCH_JULIAN = 2451544.5  # midnight at the start of that day
_BEIJING_DAYS = 8 / 24
_CLOCK_DAYS = 70 / 86400  # of dynamical time before the clock's, near enough from 1980 to 2050

_TERMS = (  # days, power of the eccentricity factor, multiples of the sun's and the moon's anomaly and of the moon's latitude
    (-0.40720, 0, (0, 1, 0)),
    (0.17241, 1, (1, 0, 0)),
    (0.01608, 0, (0, 2, 0)),
    (0.01039, 0, (0, 0, 2)),
    (0.00739, 1, (-1, 1, 0)),
    (-0.00514, 1, (1, 1, 0)),
    (0.00208, 2, (2, 0, 0)),
    (-0.00111, 0, (0, 1, -2)),
    (-0.00057, 0, (0, 1, 2)),
    (0.00056, 1, (1, 2, 0)),
    (-0.00042, 0, (0, 3, 0)),
    (0.00042, 1, (1, 0, 2)),
    (0.00038, 1, (1, 0, -2)),
)


def new_moon(number: int) -> date:
    """The day in Beijing of the new moon with this number; 0 is that of 6 January 2000."""
    t = number / 1236.85
    mean = 2451550.09766 + MONTH_DAYS * number + 0.00015437 * t**2
    factor = 1 - 0.002516 * t - 0.0000074 * t**2
    sun = math.radians(2.5534 + 29.10535670 * number - 0.0000014 * t**2)
    moon = math.radians(201.5643 + 385.81693528 * number + 0.0107582 * t**2)
    latitude = math.radians(160.7108 + 390.67050284 * number - 0.0016118 * t**2)
    node = math.radians(124.7746 - 1.56375588 * number + 0.0020672 * t**2)
    shift = sum(days * factor**power * math.sin(a * sun + b * moon + c * latitude) for days, power, (a, b, c) in _TERMS)
    instant = mean + shift - 0.00017 * math.sin(node) - _CLOCK_DAYS + _BEIJING_DAYS
    return _EPOCH + timedelta(days=math.floor(instant - _EPOCH_JULIAN))


def new_moon_before(day: date) -> date:
    """The last new moon before this day, in Beijing."""
    number = round((day - _EPOCH).days / MONTH_DAYS) + 1
    while new_moon(number) >= day:
        number -= 1
    return new_moon(number)
