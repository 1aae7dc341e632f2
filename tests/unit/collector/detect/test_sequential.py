"""Tests that may be looked at again and again."""

import numpy as np
import pytest

from collector.detect.ratio import Release, compare_ratios
from collector.detect.sequential import anytime_p, critical_statistic, information_of, log_e_values
from tests.unit.collector.detect.simulate import a_release


def cut(release: Release, buckets: int) -> Release:
    return Release(
        cost=release.cost[:, :buckets], work=release.work[:buckets], sampling_variance=release.sampling_variance
    )


@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_whoever_looks_after_every_bucket_is_seldom_wrong(phi):
    """1,000 equal pairs, 55 looks each: p-values of one look err in over 10% by then, those of any time in under 5%."""
    rng = np.random.default_rng(5)
    work, truth = np.full(60, 100.0), np.full(1000, 5.0)
    sides = [a_release(rng, work, truth, phi=phi) for _ in range(2)]
    once, always = np.zeros(1000, bool), np.zeros(1000, bool)
    for buckets in range(6, 61):
        found = compare_ratios(cut(sides[0], buckets), cut(sides[1], buckets), paired=True, confidence=0.95)
        information = np.full(1000, float(buckets))
        once |= found.p_value < 0.05
        always |= anytime_p(log_e_values(found.statistic, found.degrees, information)) < 0.05
    assert once.mean() > 0.1
    assert always.mean() < 0.05


def test_a_change_is_found_at_any_time_too():
    """A fifth more, with noise of a tenth: within 60 buckets nearly always, though a thousand others are tested."""
    rng = np.random.default_rng(6)
    work = np.full(60, 100.0)
    before, after = (a_release(rng, work, np.full(500, cost)) for cost in (5.0, 6.0))
    found = compare_ratios(before, after, paired=True, confidence=0.95)
    p_values = anytime_p(log_e_values(found.statistic, found.degrees, np.full(500, 60.0)))
    assert np.mean(p_values < 0.05 / 1000) > 0.95


def test_the_critical_statistic_is_where_the_e_value_reaches_the_threshold():
    """One is the inverse of the other, wherever it can be reached at all."""
    degrees, information = np.array([4.0, 8.0, 40.0]), np.array([6.0, 13.0, 60.0])
    critical = critical_statistic(float(np.log(20)), degrees, information)
    assert np.exp(log_e_values(critical, degrees, information)) == pytest.approx(np.full(3, 20.0))
    assert np.isinf(critical_statistic(50.0, np.array([1.5]), np.array([1.0]))).all()


def test_odd_statistics_give_no_evidence_or_all_of_it():
    """NaN says nothing; what never varies and differs is certain; no difference is evidence of none."""
    statistic = np.array([np.nan, np.inf, 0.0])
    p_values = anytime_p(log_e_values(statistic, np.full(3, 10.0), np.full(3, 20.0)))
    assert p_values[0] == p_values[2] == 1.0
    assert p_values[1] < 1e-6


def test_two_releases_apart_tell_less_than_two_side_by_side():
    """Information grows with time, and is bounded by the shorter of two releases apart."""
    assert information_of(60, 60, bucket_s=10, paired=True) == 60
    assert information_of(60, 60, bucket_s=10, paired=False) == 30
    assert information_of(10_000, 10, bucket_s=20, paired=False) < 20
