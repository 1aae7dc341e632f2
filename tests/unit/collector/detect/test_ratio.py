"""CPU per work, on releases whose truth is known."""

import numpy as np
import pytest

from collector.detect.discovery import benjamini_hochberg
from collector.detect.ratio import Release, binomial_variance, compare_ratios
from tests.unit.collector.detect.simulate import a_release, a_sampled_release, autoregressive


def a_load(rng, n_buckets, phi=0.5):
    """Requests per bucket, wandering by a third."""
    return 100 * np.exp(0.3 * autoregressive(rng, (n_buckets,), phi))


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("n_buckets", [10, 30, 60])
@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_the_interval_holds_the_true_difference_nineteen_times_in_twenty(paired, n_buckets, phi):
    """Over 2,000 rows with a known change, 95% intervals hold it in 91% to 99%, also when cost is autocorrelated."""
    rng = np.random.default_rng([n_buckets, int(phi * 10), paired])
    work_b = a_load(rng, n_buckets)
    work_c = work_b * 0.4 if paired else a_load(rng, n_buckets)
    truth_b, truth_c = np.full(2000, 5.0), np.full(2000, 5.5)
    found = compare_ratios(
        a_release(rng, work_b, truth_b, phi=phi),
        a_release(rng, work_c, truth_c, phi=phi),
        paired=paired,
        confidence=0.95,
    )
    coverage = np.mean((found.low <= 0.5) & (found.high >= 0.5))
    # A short series cannot show how strongly it is correlated: ten buckets may miss a little more often.
    lowest = 0.85 if phi and n_buckets < 30 else 0.91
    assert lowest <= coverage <= 0.99


@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_without_a_change_few_answers_hold_a_finding(phi):
    """Of 60 answers of 100 unchanged functions each, one in twenty may hold a finding after correction; 8 at most."""
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(60):
        work = a_load(rng, 40, phi)
        sides = [a_release(rng, work, np.full(100, 3.0), phi=phi) for _ in range(2)]
        found = compare_ratios(sides[0], sides[1], paired=True, confidence=0.95)
        wrong += bool((benjamini_hochberg(found.p_value) < 0.05).any())
    assert wrong <= 8


@pytest.mark.parametrize("samples_per_bucket", [1, 5, 50])
def test_sampled_functions_give_no_more_false_alarms_than_they_may(samples_per_bucket):
    """Counts as small as one sample in a bucket keep the share of p below 0.05 at 6% or less."""
    rng = np.random.default_rng(samples_per_bucket)
    work = a_load(rng, 40)
    rate = np.full(3000, samples_per_bucket / 100)
    sides = [a_sampled_release(rng, work, rate) for _ in range(2)]
    found = compare_ratios(sides[0], sides[1], paired=True, confidence=0.95)
    assert np.mean(found.p_value < 0.05) <= 0.06


def test_a_fifth_more_cpu_is_found_among_unchanged_functions():
    """One function of 200 that costs 20% more is the only finding, and its interval holds the truth."""
    rng = np.random.default_rng(3)
    work = a_load(rng, 40)
    before = np.full(200, 10.0)
    after = before.copy()
    after[17] = 12.0
    found = compare_ratios(a_release(rng, work, before), a_release(rng, work, after), paired=True, confidence=0.95)
    assert list(np.flatnonzero(benjamini_hochberg(found.p_value) < 0.05)) == [17]
    assert found.low[17] <= 2.0 <= found.high[17]


def test_noise_that_both_releases_feel_drops_out_when_paired():
    """A common disturbance of 30% widens the unpaired interval by more than three times."""
    rng = np.random.default_rng(4)
    work = a_load(rng, 40)
    common = 1 + 0.3 * rng.standard_normal(40)
    sides = [
        Release(
            cost=(5.0 * work * common * (1 + 0.01 * rng.standard_normal(40)))[None, :],
            work=work,
            sampling_variance=np.zeros(1),
        )
        for _ in range(2)
    ]
    widths = {}
    for paired in (True, False):
        found = compare_ratios(sides[0], sides[1], paired=paired, confidence=0.95)
        widths[paired] = found.high[0] - found.low[0]
    assert widths[False] > 3 * widths[True]


def test_load_that_doubles_changes_no_ratio():
    """Twice the traffic with twice the CPU is the same CPU per request, exactly."""
    work = np.array([10.0, 20, 30, 40, 50, 60])
    before = Release(cost=7.0 * work[None, :], work=work, sampling_variance=np.zeros(1))
    after = Release(cost=14.0 * work[None, :], work=2 * work, sampling_variance=np.zeros(1))
    found = compare_ratios(before, after, paired=True, confidence=0.95)
    assert found.baseline[0] == pytest.approx(7.0)
    assert found.candidate[0] == pytest.approx(7.0)
    assert found.p_value[0] == pytest.approx(1.0)


def test_few_samples_are_never_surer_than_their_number_allows():
    """Counts that happen to agree from bucket to bucket get the interval of their number, not of their agreement."""
    work = np.ones(20)
    quiet = Release(
        cost=np.ones((1, 20)), work=work, sampling_variance=binomial_variance(np.array([20.0]), np.zeros(1))
    )
    found = compare_ratios(quiet, quiet, paired=True, confidence=0.95)
    # Two sides of 20 samples: a relative error of sqrt(2/20) = 0.316, times about 2.1.
    assert found.high[0] == pytest.approx(0.66, abs=0.03)


def test_a_cost_that_is_all_of_the_samples_has_no_sampling_error():
    """The share of a function that every sample holds is known; that of an accounted cost is not sampled at all."""
    np.testing.assert_allclose(
        [0.0, 0.0, 0.01], binomial_variance(np.array([100.0, 0.0, 50.0]), np.array([1.0, 0.3, 0.5]))
    )
