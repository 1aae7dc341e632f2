"""Many series together: bad values, order, weights, corrections and states."""

import numpy as np
import pytest

from collector.detect.series import Series, SeriesSettings, SeriesState, detect_changes

SECOND_NS = 1_000_000_000


def a_series(values, name="a", times=None, weights=None):
    values = np.asarray(values, dtype=np.float64)
    seconds = np.arange(len(values)) if times is None else np.asarray(times)
    return Series(name=name, times_ns=seconds.astype(np.int64) * SECOND_NS, values=values, weights=weights)


def a_step(seed=1, n=100, at=60, size=5.0):
    return 50 + np.random.default_rng(seed).standard_normal(n) + size * (np.arange(n) >= at)


def detect(*many, **settings):
    return detect_changes(many, SeriesSettings(**settings))


def test_a_change_tells_all_about_itself():
    """Index, time, levels, interval, direction and state."""
    (change,) = detect(a_series(a_step())).changes
    assert ("a", 60, 60 * SECOND_NS, "up", "confirmed") == (
        change.series,
        change.index,
        change.time_ns,
        change.direction,
        change.state,
    )
    assert change.low < change.after - change.before < change.high
    assert 0 <= change.p < 0.01


def test_a_change_with_few_points_after_it_is_provisional():
    """What has just begun may still go away."""
    (change,) = detect(a_series(a_step(at=92, size=8))).changes
    assert change.state == "provisional"


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ([], SeriesState.NOT_ENOUGH_DATA),
        ([1.0], SeriesState.NOT_ENOUGH_DATA),
        ([1, 1, 1, 9, 9], SeriesState.NOT_ENOUGH_DATA),
        ([np.nan] * 50, SeriesState.NOT_ENOUGH_DATA),
        ([0.0] * 50, SeriesState.CONSTANT),
        ([1e300, -1e300] * 50, SeriesState.NOT_ENOUGH_DATA),
        ([np.inf, 3.0] * 50, SeriesState.CONSTANT),
        ([1e-300, 2e-300] * 50, SeriesState.TESTED),
        ([1e149, -1e149] * 50, SeriesState.TESTED),
        ([5.0] * 99 + [6.0], SeriesState.TESTED),
        ([0.0, 0.0, 0.0, 1.0] * 50, SeriesState.TESTED),
    ],
)
def test_odd_series_have_a_state_and_no_finding(values, state):
    """Neither an exception nor an alarm."""
    findings = detect(a_series(values))
    assert [] == findings.changes
    assert {"a": state} == findings.states


def test_missing_values_are_skipped_and_counted_in_the_index():
    """The index is that of the row in order of time, whether or not rows before it had values."""
    values = a_step()
    values[[3, 10, 59]] = np.nan
    (change,) = detect(a_series(values)).changes
    assert change.index == 60


def test_rows_out_of_order_are_put_in_order():
    """A clock that jumped back, or a file in any order, changes nothing."""
    order = np.random.default_rng(2).permutation(100)
    (change,) = detect(a_series(a_step()[order], times=order)).changes
    assert (60, 60 * SECOND_NS) == (change.index, change.time_ns)


def test_equal_times_keep_their_order():
    """Repeated measurements of one build share a time."""
    (change,) = detect(a_series(a_step(), times=np.arange(100) // 5)).changes
    assert change.index == 60


def test_a_value_without_samples_is_missing():
    """Weight 0 takes a point out."""
    values, weights = a_step(), np.ones(100)
    values[20:40], weights[20:40] = 1000, 0
    (change,) = detect(a_series(values, weights=weights)).changes
    assert change.index == 60


def test_direction_and_size_decide_what_is_reported():
    """Each setting hides only what it says."""
    series = [a_series(a_step(), "up"), a_series(-a_step(), "down")]
    assert ["up", "down"] == [change.series for change in detect(*series).changes]
    assert ["up"] == [change.series for change in detect(*series, direction="up").changes]
    assert ["down"] == [change.series for change in detect(*series, direction="down").changes]
    assert [] == detect(*series, effect_min=0.2).changes
    assert len(detect(*series, effect_min=0.05).changes) == 2


def test_a_change_from_0_counts_at_any_size():
    """What was not there before has no relative change."""
    (change,) = detect(a_series([0.0] * 50 + [1.0] * 50), effect_min=1e9).changes
    assert change.index == 50


def test_a_daily_cycle_hides_no_step():
    """A step smaller than the cycle is found, and the cycle is not."""
    hours = np.arange(24 * 20)
    wave = 10 * np.sin(2 * np.pi * hours / 24)
    noise = np.random.default_rng(4).standard_normal(len(hours))
    quiet = a_series(100 + wave + noise, "quiet", times=hours * 3600)
    step = a_series(100 + wave + noise + 4 * (hours >= 300), "step", times=hours * 3600)
    assert [("step", 300)] == [(change.series, change.index) for change in detect(quiet, step).changes]
