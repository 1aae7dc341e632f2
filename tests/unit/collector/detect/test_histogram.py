"""Quantiles of latency histograms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.detect.histogram import interpolated_quantiles_ns, quantiles_ms


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1_000, 10**11), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_within_the_promised_error(durations_ns, share):
    """The histogram's quantile is at most 2.2% from the quantile of the durations themselves."""
    indexes, counts = np.unique(np.floor(np.log2(durations_ns) * 16).astype(int), return_counts=True)
    exact = sorted(durations_ns)[int(np.ceil(share * len(durations_ns) * (1 - 1e-12))) - 1]
    assert quantiles_ms(indexes.tolist(), counts.tolist(), (share,))[0] * 1e6 == pytest.approx(exact, rel=0.0222)


def test_an_interpolated_quantile_moves_within_its_bin():
    """Ten requests in one bin: p10 lies a tenth of the bin's octave share above its lower edge, p90 nine tenths."""
    low, high = interpolated_quantiles_ns(320, np.array([[10.0]]), (0.1, 0.9))[:, 0]
    assert low == pytest.approx(2 ** ((320 + 0.1) / 16))
    assert high == pytest.approx(2 ** ((320 + 0.9) / 16))


def test_an_empty_histogram_has_the_quantile_zero():
    """A resample without requests gives 0 and no warning."""
    assert interpolated_quantiles_ns(0, np.zeros((1, 3)), (0.5,)).tolist() == [[0.0]]
