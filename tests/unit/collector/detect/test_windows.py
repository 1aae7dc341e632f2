"""Changes in fresh windows, many series at once."""

import numpy as np
import pytest

from collector.detect.finding import FindingState
from tests.unit.collector.detect.windows_support import N_TIMES, a_panel, a_step, noise, scan

HOURS = np.arange(N_TIMES) / 6


@pytest.mark.parametrize("height", [1.0, -1.0])
def test_a_step_is_found_where_it_is(height):
    """Place, levels and interval are those of the step, and the interval holds the truth."""
    findings, funnel = scan(a_panel(100 + noise(1) + a_step(700, height)))
    (one,) = findings
    assert abs(one.index - 700) <= 12
    assert one.low < height < one.high
    assert ("up" if height > 0 else "down") == one.direction
    assert (FindingState.CONFIRMED, "step", 1) == (one.state, one.shape, funnel.change_points)


def test_a_young_change_is_provisional():
    """With under 36 points after it, a change may still go away."""
    (one,) = scan(a_panel(100 + noise(2) + a_step(N_TIMES - 20, 3)))[0]
    assert FindingState.PROVISIONAL == one.state


def test_a_young_change_must_be_large_and_an_old_one_may_be_small():
    """The same step of 3% is reported after a day, and not after three hours."""
    panel = a_panel(100 + noise(3) + a_step(700, 3), 100 + noise(4) + a_step(N_TIMES - 18, 3))
    findings, funnel = scan(panel, young_effect_min=0.1, effect_min=0.02)
    assert (["0"], 1) == ([one.key.name for one in findings], funnel.under_threshold)


def test_a_daily_pattern_is_no_change_and_hides_none():
    """A daily cycle of two deviations raises no alarm, and a step beside it is found."""
    cycle = 2 * np.sin(2 * np.pi * HOURS / 24)
    findings, _ = scan(a_panel(100 + noise(5) + cycle, 100 + noise(6) + cycle + a_step(650)))
    assert ["1"] == [one.key.name for one in findings]


def test_quiet_weekends_are_no_change():
    """In 14 days, what is lower on both weekends is not found, and a step is."""
    n_times = 2016
    weekend = -4.0 * (((np.arange(n_times) * 600 // 86_400 + 19_700 + 3) % 7) >= 5)
    panel = a_panel(100 + noise(7, n_times) + weekend, 100 + noise(8, n_times) + weekend + a_step(1500, 1, n_times))
    assert ["1"] == [one.key.name for one in scan(panel)[0]]


def test_what_went_away_is_counted_and_not_reported():
    """Four hours of ten deviations, a day before the end."""
    spike = a_step(700, 10) - a_step(724, 10)
    findings, _ = scan(a_panel(100 + noise(9) + spike))
    assert [] == findings


def test_a_step_with_a_dip_soon_after_it_keeps_its_place():
    """The dip draws neither the place nor the verdict to itself."""
    dip = a_step(680, -3) - a_step(700, -3)
    (one,) = scan(a_panel(100 + noise(10) + a_step(640, 2) + dip))[0]
    assert abs(one.index - 640) <= 6


def test_a_slow_climb_is_a_creep():
    """A line over the whole window is reported, and named for what it is."""
    (one,) = scan(a_panel(100 + noise(11) + np.linspace(0, 3, N_TIMES)), changes_max=1)[0]
    assert ("creep", "up") == (one.shape, one.direction)


def test_a_climb_between_two_levels_is_one_change():
    """Two days up in the middle of a quiet window: one creep, from the old level to the new one."""
    climb = np.clip((np.arange(N_TIMES) - 400) / 288, 0, 1)
    (one,) = scan(a_panel(100 + noise(17) + 5 * climb))[0]
    assert ("creep", "up") == (one.shape, one.direction)
    assert 5 == pytest.approx(one.after - one.before, abs=0.7)
    assert 400 <= one.index <= 688


def test_two_steps_stay_two_changes():
    """A large one up, and a part of it down again three days later."""
    found, _ = scan(a_panel(100 + noise(18) + a_step(250, 3) - a_step(700, 1)))
    assert [250, 700] == [pytest.approx(one.index, abs=6) for one in found]


def test_quiet_series_raise_no_alarm():
    """1,000 series, independent and autocorrelated ones: at most one alarm, where 0.0003 of each are allowed."""
    rows = [100 + noise(100 + i, phi=(0.0, 0.3, 0.6, 0.8)[i % 4]) for i in range(1000)]
    findings, funnel = scan(a_panel(*rows))
    assert len(findings) <= 1
    assert 1000 == funnel.series


def test_bad_series_have_a_state_and_stop_nothing():
    """One point, zeros, a constant, all missing, infinities, huge values, negative weights: no alarm, no exception."""
    one_point = np.full(N_TIMES, np.nan)
    one_point[5] = 1.0
    odd = 100 + noise(12)
    odd[::50], odd[1::50] = np.inf, 1e300
    rows = [one_point, np.zeros(N_TIMES), np.full(N_TIMES, 7.5), np.full(N_TIMES, np.nan), odd, 100 + noise(13)]
    samples = np.full((6, N_TIMES), 1000.0)
    samples[5] = -1.0
    findings, funnel = scan(a_panel(*rows, samples=samples))
    assert ([], 3, 2) == (findings, funnel.not_enough_data, funnel.constant)


def test_a_side_with_few_samples_is_not_enough():
    """A step after which only 20 requests came is not judged; with one request a step, a whole window can be."""
    panel = a_panel(100 + noise(19) + a_step(844, 9), samples=np.ones((1, N_TIMES)))
    assert [] == scan(panel)[0]
    (one,) = scan(a_panel(100 + noise(19) + a_step(600, 2), samples=np.ones((1, N_TIMES))))[0]
    assert 264 == pytest.approx(one.samples, abs=20)


def test_a_jump_between_constants_is_found():
    """Without any noise."""
    (one,) = scan(a_panel(5 + a_step(600)))[0]
    assert (600, 5.0, 6.0) == (one.index, one.before, one.after)


def test_short_windows_work():
    """30 points, ten of them after a large step."""
    (one,) = scan(a_panel(100 + noise(14, 30) + a_step(20, 15, 30), step_s=10))[0]
    assert 20 == one.index


def test_missing_buckets_change_nothing():
    """A third of the buckets missing: the step is found."""
    values = 100 + noise(15) + a_step(600)
    values[::3] = np.nan
    (one,) = scan(a_panel(values))[0]
    assert abs(one.index - 600) <= 12


def test_logarithms_come_back_in_the_unit():
    """A latency that grows from 100 to 150 ms."""
    (one,) = scan(a_panel(np.log(100) + 0.1 * noise(16) + a_step(600, np.log(1.5)), logarithmic=True))[0]
    assert (pytest.approx(100, rel=0.03), pytest.approx(150, rel=0.03)) == (one.before, one.after)
    assert one.low < 50 < one.high
