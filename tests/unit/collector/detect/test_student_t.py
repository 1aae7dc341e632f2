"""Student's t against printed tables and against itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.detect.student_t import two_sided_p, two_sided_quantile


@pytest.mark.parametrize(
    ("confidence", "degrees", "expected"),
    [
        # Abramowitz & Stegun, table 26.10.
        (0.95, 1, 12.706),
        (0.95, 5, 2.571),
        (0.95, 30, 2.042),
        (0.99, 10, 3.169),
        (0.80, 4, 1.533),
        (0.95, 1e8, 1.95996),
    ],
)
def test_quantiles_are_those_of_the_tables(confidence, degrees, expected):
    """The quantile is the printed one to all its digits."""
    assert two_sided_quantile(confidence, np.array([degrees]))[0] == pytest.approx(expected, abs=6e-4)


@settings(deadline=None, max_examples=60)
@given(st.floats(0.5, 0.9999), st.floats(1, 1e6))
def test_quantile_and_tail_are_inverse(confidence, degrees):
    """The tail beyond a quantile is what the confidence leaves."""
    quantile = two_sided_quantile(confidence, np.array([degrees]))
    assert two_sided_p(quantile, np.array([degrees]))[0] == pytest.approx(1 - confidence, rel=1e-6)


def test_tails_far_out_are_small_and_not_zero():
    """A statistic of 30 with 40 degrees of freedom has a probability that is tiny, positive and not rounded to 0."""
    p_value = two_sided_p(np.array([30.0]), np.array([40.0]))[0]
    assert 1e-40 < p_value < 1e-25


def test_the_ends_are_exact():
    """0 is never surprising, an infinite statistic always is, and what is no number stays none."""
    p_values = two_sided_p(np.array([0.0, np.inf, -np.inf, np.nan]), np.full(4, 7.0))
    np.testing.assert_array_equal([1.0, 0.0, 0.0, np.nan], p_values)
