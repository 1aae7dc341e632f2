"""The changes along one history, on series made for the purpose."""

import numpy as np
import pytest

from collector.detect.history import find_changes
from collector.detect.student_t import two_sided_quantile


def places(values, p_max=0.01):
    return [found.step.place for found in find_changes(values, np.ones(len(values)), p_max=p_max)]


def noise(seed, n):
    return np.random.default_rng(seed).standard_normal(n)


def autoregressive(seed, n, phi):
    steps = noise(seed, n)
    for i in range(1, n):
        steps[i] += phi * steps[i - 1]
    return steps


@pytest.mark.parametrize("n", [40, 150, 1000, 20_000])
@pytest.mark.parametrize("size", [6.0, -6.0])
def test_a_large_step_is_found_where_it_is(n, size):
    """The first point after the change is named, in short and in long histories."""
    values = 100 + noise(n, n) + size * (np.arange(n) >= 2 * n // 3)
    assert [2 * n // 3] == places(values)


def test_several_steps_are_all_found():
    """Steps up and down, near and far from each other."""
    values = noise(1, 300) + np.repeat([0, 6, 0, -6, 4], [80, 30, 60, 50, 80])
    assert [80, 110, 170, 220] == places(values)


def test_noise_of_many_kinds_is_quiet():
    """Of 200 series without a change at most two get an alarm."""
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        base = noise(seed, 300)
        kinds = [
            base,
            autoregressive(seed, 300, 0.7),
            np.cumsum(base),
            np.exp(base),
            np.round(base) + rng.choice([0, 8], 300),
        ]
        alarms += sum(bool(places(values)) for values in kinds)
    assert alarms <= 2


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_what_goes_away_at_once_is_no_change(length):
    """An excursion of a few points is not reported."""
    values = noise(5, 200)
    values[100 : 100 + length] += 12
    assert [] == places(values)


def test_an_excursion_that_lasts_is_two_changes():
    """A regression and its revert are both reported."""
    values = noise(6, 200)
    values[100:130] += 8
    assert [100, 130] == places(values)


def test_a_steady_climb_is_no_step():
    """A straight trend has no place where it changed."""
    assert [] == places(noise(7, 300) + np.linspace(0, 10, 300))


def test_a_step_under_outliers_is_found():
    """Spikes around a step do not hide it; one just before it moves it by a few points at most."""
    values = noise(8, 120) + 5 * (np.arange(120) >= 60)
    values[[20, 58, 64, 90]] += 60
    (place,) = places(values)
    assert abs(place - 60) <= 3


def test_the_interval_holds_the_true_difference():
    """Over many series the 95% interval of the difference holds it as often as that, within what chance allows."""
    held = 0
    for seed in range(100):
        values = noise(1000 + seed, 200) + 4 * (np.arange(200) >= 100)
        (found,) = find_changes(values, np.ones(200), p_max=0.01)
        half_width = two_sided_quantile(0.95, np.array([found.degrees]))[0] * found.standard_error
        held += abs(found.step.after - found.step.before - 4) <= half_width
    assert 88 <= held <= 100


def test_weights_decide_what_a_level_is():
    """Values with few samples behind them hardly count for the level."""
    values = np.where(np.arange(200) % 2 == 0, 0.0, 1.0) + 10 * (np.arange(200) >= 100) + 0.1 * noise(9, 200)
    weights = np.where(np.arange(200) % 2 == 0, 100.0, 1.0)
    (found,) = find_changes(values, weights, p_max=0.01)
    assert found.step.before == pytest.approx(0.01, abs=0.05)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 9])
def test_few_points_have_no_finding(n):
    """Under ten points nothing is claimed."""
    assert [] == places(np.arange(n, dtype=np.float64) * 100)
