"""Daily and weekly cycles, taken out only where they are."""

import numpy as np

from collector.detect.seasonality import without_seasons

HOUR_NS = 3_600_000_000_000


def hours(days, start=0):
    return start + np.arange(days * 24, dtype=np.int64) * HOUR_NS


def test_a_daily_cycle_goes():
    """What is left of a day's wave and noise is the noise."""
    times = hours(14)
    noise = np.random.default_rng(1).standard_normal(len(times))
    left = without_seasons(times, 100 + 10 * np.sin(2 * np.pi * np.arange(len(times)) / 24) + noise)
    assert np.std(left) < 1.5


def test_a_weekly_cycle_goes():
    """Weekends that differ are part of the cycle when there are weeks enough."""
    times = hours(7 * 6)
    noise = np.random.default_rng(2).standard_normal(len(times))
    weekend = (np.arange(len(times)) // 24) % 7 >= 5
    assert np.std(without_seasons(times, 100 - 20 * weekend + noise)) < 1.5


def test_a_step_stays_beside_a_cycle():
    """The level before and after a step keeps its difference."""
    times = hours(20)
    wave = 10 * np.sin(2 * np.pi * np.arange(len(times)) / 24)
    left = without_seasons(times, 100 + wave + 7 * (np.arange(len(times)) >= 240))
    assert abs(np.mean(left[240:]) - np.mean(left[:240]) - 7) < 0.5


def test_noise_stays_as_it_is():
    """Without a cycle nothing is subtracted."""
    times = hours(30)
    values = np.random.default_rng(3).standard_normal(len(times))
    assert values is without_seasons(times, values)


def test_equal_and_few_times_stay_as_they_are():
    """Without spacing, or under four days, there is no cycle to know."""
    values = np.sin(np.arange(48.0))
    assert values is without_seasons(np.zeros(48, dtype=np.int64), values)
    assert values is without_seasons(hours(2), values)
