"""Noise with outliers, and series without them."""

import numpy as np
import pytest

from collector.detect.robust import despiked, spread, step_noise


def test_outliers_hardly_widen_the_spread():
    """One value in twenty far away leaves the spread near that of the rest."""
    values = np.random.default_rng(1).standard_normal(2000)
    values[::20] += 1000
    assert spread(values) == pytest.approx(1.0, abs=0.1)


def test_spread_is_not_0_when_most_values_are_equal():
    """Where the median deviation is 0, the mean deviation speaks."""
    values = np.zeros(100)
    values[::4] = 1.0
    assert spread(values) > 0


def test_a_spike_goes_and_a_step_stays():
    """A spike of three points is cut down; a step keeps its place and height."""
    values = np.random.default_rng(2).normal(0, 0.1, 60)
    values[30:] += 10
    values[10:13] += 100
    clean = despiked(values)
    assert np.all(np.abs(clean[:30]) < 1)
    assert np.all(np.abs(clean[30:] - 10) < 1)


def test_a_series_shorter_than_the_window_stays_as_it_is():
    """Fewer than seven points are returned unchanged."""
    values = np.array([1.0, 100.0, 1.0])
    assert values.tolist() == despiked(values).tolist()


def test_steps_hardly_touch_the_noise_between_points():
    """The noise is that within the levels."""
    values = np.random.default_rng(3).standard_normal(400) + np.repeat([0, 50, 0, 50], 100)
    assert step_noise(values) == pytest.approx(1.0, abs=0.15)
