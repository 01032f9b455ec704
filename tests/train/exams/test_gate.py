"""The gate before a model may serve: what is too low and what is too unequal, in words."""

import pytest

from train.exams.exam import Interval
from train.exams.gate import limits, too_high, too_low, too_unequal
from train.run.settings import ConfigError


def figure(value):
    return Interval(value, value - 0.1, value + 0.1)


SLICES = {
    "locale": {"zh": {"recall": figure(0.95)}, "en": {"recall": figure(0.85)}, "fr": {"recall": figure(0.9)}},
    "age": {"young": {"recall": figure(0.9)}, "old": {"recall": figure(0.89)}},
}


def test_figures_below_what_is_asked_for_are_said():
    assert too_low({"accuracy": figure(0.91), "bleu_4": 3.0}, {"accuracy": 0.9, "bleu_4": 3.0}) == []
    assert too_low({"accuracy": float("nan")}, {"accuracy": 0.9}) != []
    assert too_low({"accuracy": figure(0.89)}, {"accuracy": 0.9}) == ["accuracy is 0.8900, at least 0.9 is asked for"]


def test_figures_above_what_is_allowed_are_said():
    assert too_high({"perplexity": 3.0, "log_loss": figure(0.3)}, {"perplexity": 3.0, "log_loss": 0.3}) == []
    assert too_high({"log_loss": figure(0.31)}, {"log_loss": 0.3}) == ["log_loss is 0.3100, at most 0.3 is allowed"]
    with pytest.raises(ConfigError, match=r"--most accuracy=0\.9: of accuracy more is better; write --least accuracy=0\.9"):
        too_high({"accuracy": 0.5}, {"accuracy": 0.9})


def test_groups_that_differ_by_more_than_is_allowed_are_said():
    assert too_unequal(SLICES, {"recall": 0.1 + 1e-9}) == []
    (said,) = too_unequal(SLICES, {"recall": 0.05})
    assert said == "recall by locale differs by 0.1000 (zh 0.9500, en 0.8500), at most 0.05 is allowed"


def test_limits_and_figures_that_do_not_exist_are_refused():
    assert limits(["accuracy=0.9", "recall=.5"], "--least") == {"accuracy": 0.9, "recall": 0.5}
    with pytest.raises(ConfigError, match="--least 'accuracy=high': is not NAME=NUMBER"):
        limits(["accuracy=high"], "--least")
    with pytest.raises(ConfigError, match="there is no such figure; use one of"):
        too_unequal(SLICES, {"charm": 0.1})
    with pytest.raises(ConfigError, match="name columns with --slices"):
        too_unequal({}, {"recall": 0.1})
    with pytest.raises(ConfigError, match=r"age has 1 value\(s\) with twenty examples, two are needed"):
        too_unequal(SLICES | {"age": {"old": {"recall": figure(0.9)}}}, {"recall": 0.1})
