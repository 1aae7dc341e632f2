"""Neighbouring time buckets resemble each other: how much less than n independent ones do they tell?"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Above this the estimate says "hardly anything is known", and the correction would divide by almost nothing.
_PHI_MAX: Final = 0.9
# The factor is itself an estimate from few buckets; found by simulation: with a third of the degrees of freedom given
# up for it, false alarms far out in the tail come at their nominal rate.
_DEGREES_KEPT: Final = 2 / 3
_DEGREES_MIN: Final = 1.5


def variance_inflation(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return by how much autocorrelation widens the variance of a mean, under a first-order autoregression.

    The lag-1 correlation r of a short series is biased downwards; Kendall's correction adds (1 + 3r)/n. Two guards keep
    chance from making findings: no row is taken to be less correlated than all rows are on average, and negative
    correlation, which would narrow the variance, counts as none.

    Args:
        residuals: Of all series of one comparison, in order of time, mean 0, shape (n_series, n_buckets).

    Returns:
        (1 + phi) / (1 - phi), at least 1, shape (n_series,).

    Source: Kendall, Biometrika 41 (1954), "Note on bias in the estimation of autocorrelation"; the long-run variance
    of an AR(1) is its variance times the returned factor (Priestley, Spectral Analysis and Time Series, 5.3).
    """
    n_buckets = residuals.shape[1]
    power = np.sum(residuals * residuals, axis=1)
    moving = power > 0
    lagged = np.sum(residuals[:, 1:] * residuals[:, :-1], axis=1)
    raw = np.divide(lagged, power, out=np.zeros_like(power), where=moving)
    phi = np.where(moving, raw + (1 + 3 * raw) / n_buckets, 0.0)
    average = float(phi[moving].mean()) if moving.any() else 0.0
    phi = np.clip(np.maximum(phi, average), 0.0, _PHI_MAX)
    inflation: NDArray[np.float64] = (1 + phi) / (1 - phi)
    return inflation


def degrees_of_freedom(n_buckets: int, inflation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the degrees of freedom of a variance from so many correlated buckets; shape of *inflation*."""
    return np.maximum(n_buckets / inflation * _DEGREES_KEPT - 0.5, _DEGREES_MIN)
