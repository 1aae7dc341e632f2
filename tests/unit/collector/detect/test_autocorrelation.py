"""How much a mean's variance grows with autocorrelation."""

import numpy as np
import pytest

from collector.detect.autocorrelation import degrees_of_freedom, variance_inflation
from tests.unit.collector.detect.simulate import autoregressive


@pytest.mark.parametrize("phi", [0.3, 0.6])
def test_the_factor_is_that_of_the_process(phi):
    """Over single series of 60 buckets the median factor is within a fifth of (1 + phi) / (1 - phi)."""
    rows = autoregressive(np.random.default_rng(1), (500, 60), phi)
    residuals = rows - rows.mean(axis=1, keepdims=True)
    found = [variance_inflation(row[None, :])[0] for row in residuals]
    assert np.median(found) == pytest.approx((1 + phi) / (1 - phi), rel=0.2)


def test_no_row_is_taken_to_be_less_correlated_than_all_are_on_average():
    """Among rows of 0.5 the smallest factor is about 3, though single estimates scatter below it."""
    rows = autoregressive(np.random.default_rng(2), (500, 60), 0.5)
    residuals = rows - rows.mean(axis=1, keepdims=True)
    assert variance_inflation(residuals).min() == pytest.approx(3.0, rel=0.1)


def test_alternation_and_constancy_never_narrow_the_variance():
    """Series that swing to and fro, and those that are all 0, have the factor of independence."""
    rows = np.array([[1.0, -1.0] * 10, [0.0] * 20])
    np.testing.assert_array_equal([1.0, 1.0], variance_inflation(rows))


def test_degrees_of_freedom_have_a_floor():
    """However correlated a series is, some degrees of freedom stay."""
    np.testing.assert_allclose([12.83, 1.5], degrees_of_freedom(20, np.array([1.0, 19.0])), atol=0.01)
