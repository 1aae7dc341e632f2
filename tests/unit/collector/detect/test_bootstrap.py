"""Latency and errors, on requests whose truth is known."""

import numpy as np
import pytest

from collector.detect.bootstrap import STATISTICS, compare_requests
from tests.unit.collector.detect.simulate import FIRST_INDEX, some_requests


def compared(baseline, candidate, *, paired=True, resamples=500):
    found = compare_requests(
        baseline, candidate, first_index=FIRST_INDEX, paired=paired, confidence=0.95, resamples=resamples
    )
    rows = zip(found.baseline, found.candidate, found.low, found.high, found.p_value, strict=True)
    names = ("baseline", "candidate", "low", "high", "p_value")
    return {name: dict(zip(names, row, strict=True)) for name, row in zip(STATISTICS, rows, strict=True)}


@pytest.mark.parametrize("paired", [True, False])
def test_without_a_change_intervals_hold_zero_nineteen_times_in_twenty(paired):
    """In 400 comparisons of equal releases, each statistic's 95% interval holds 0 in at least 91%."""
    rng = np.random.default_rng(8)
    load = np.full(24, 30.0)
    held = dict.fromkeys(STATISTICS, 0)
    for _ in range(400):
        sides = [some_requests(rng, load, error_rate=0.03) for _ in range(2)]
        for name, row in compared(sides[0], sides[1], paired=paired, resamples=300).items():
            held[name] += row["low"] <= 0 <= row["high"]
    assert {name: count for name, count in held.items() if count < 0.91 * 400} == {}


def test_a_slower_release_is_slower_in_all_of_its_latencies():
    """20% on every request shows in mean, p50, p95 and p99, and the intervals hold the truth; errors do not change."""
    rng = np.random.default_rng(1)
    load = np.full(40, 80.0)
    found = compared(some_requests(rng, load), some_requests(rng, load, slower=1.2))
    for name in ("mean", "p50", "p95", "p99"):
        row = found[name]
        assert row["p_value"] < 0.005, name
        assert row["low"] <= 0.2 * row["baseline"] * 1.05, name
        assert row["high"] >= 0.2 * row["baseline"] * 0.95, name
    assert found["error_rate"]["p_value"] == 1.0


def test_a_slow_tail_shows_in_p99_and_mean_but_not_in_the_median():
    """Three times the latency for 2% of the requests moves p99 most, the mean by 4%, and the median hardly."""
    rng = np.random.default_rng(2)
    load = np.full(40, 250.0)
    found = compared(some_requests(rng, load, wander=0.01), some_requests(rng, load, tail=3.0, wander=0.01))
    assert found["p99"]["p_value"] < 0.005
    assert found["p99"]["candidate"] > 1.3 * found["p99"]["baseline"]
    assert found["mean"]["p_value"] < 0.01
    assert found["p50"]["p_value"] > 0.05


def test_p_values_go_below_what_the_number_of_resamples_can_show():
    """A change of many standard errors survives the correction for a thousand tests with 200 resamples."""
    rng = np.random.default_rng(3)
    load = np.full(40, 80.0)
    found = compared(some_requests(rng, load), some_requests(rng, load, slower=2.0), resamples=200)
    assert found["mean"]["p_value"] < 1e-6


def test_the_same_data_gives_the_same_answer():
    """Loading a page twice shows the same interval twice."""
    rng = np.random.default_rng(4)
    sides = [some_requests(rng, np.full(20, 30.0)) for _ in range(2)]
    assert compared(sides[0], sides[1]) == compared(sides[0], sides[1])


def test_a_release_against_itself_differs_in_nothing():
    """Paired with itself, every difference, its interval and its doubt are exact."""
    rng = np.random.default_rng(5)
    side = some_requests(rng, np.full(20, 30.0), error_rate=0.1)
    for row in compared(side, side).values():
        assert (row["low"], row["high"], row["p_value"]) == (0.0, 0.0, 1.0)


def test_a_handful_of_errors_is_no_certainty():
    """Three errors where there were none, in 600 requests each, may be chance: p stays above 0.05."""
    rng = np.random.default_rng(6)
    baseline, candidate = (some_requests(rng, np.full(20, 30.0)) for _ in range(2))
    candidate.errors[[2, 9, 15]] = 1
    assert compared(baseline, candidate)["error_rate"]["p_value"] > 0.05


def test_errors_that_rise_clearly_are_found():
    """From 1% to 8% of 1,200 requests is no chance."""
    rng = np.random.default_rng(7)
    load = np.full(40, 30.0)
    found = compared(some_requests(rng, load, error_rate=0.01), some_requests(rng, load, error_rate=0.08))
    assert found["error_rate"]["p_value"] < 1e-3
    assert found["error_rate"]["low"] <= 0.07 <= found["error_rate"]["high"]


def test_a_bucket_without_requests_is_allowed():
    """An operation that rests for some buckets is compared by the others."""
    rng = np.random.default_rng(9)
    load = np.array([0.0] * 10 + [40.0] * 20)
    found = compared(some_requests(rng, load), some_requests(rng, load, slower=1.5))
    assert found["mean"]["p_value"] < 0.01
