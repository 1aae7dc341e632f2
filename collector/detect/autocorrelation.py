"""Neighbouring time buckets resemble each other: how much less than n independent ones do they tell?"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Above this the estimate says "hardly anything is known", and the correction would divide by almost nothing.
_PHI_MAX: Final = 0.9
_EFFECTIVE_MIN: Final = 2.5


def variance_inflation(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return by how much autocorrelation widens the variance of a mean, under a first-order autoregression.

    The lag-1 correlation of a short series is biased towards 0 and below; Kendall's correction (1 + 3r)/n undoes that.
    Negative correlation would narrow the variance: that is never granted, so that a chance pattern in a short series
    cannot make a finding.

    Args:
        residuals: In order of time, mean 0, shape (n_series, n_buckets).

    Returns:
        (1 + phi) / (1 - phi), at least 1, shape (n_series,).

    Source: Kendall, Biometrika 41 (1954), "Note on bias in the estimation of autocorrelation"; the long-run variance
    of an AR(1) is its variance times the returned factor (Priestley, Spectral Analysis and Time Series, 5.3).
    """
    n_buckets = residuals.shape[-1]
    power = np.sum(residuals * residuals, axis=-1)
    lagged = np.sum(residuals[..., 1:] * residuals[..., :-1], axis=-1)
    raw = np.divide(lagged, power, out=np.zeros_like(power), where=power > 0)
    phi = np.clip(raw + (1 + 3 * raw) / n_buckets, 0.0, _PHI_MAX)
    phi = np.where(power > 0, phi, 0.0)
    inflation: NDArray[np.float64] = (1 + phi) / (1 - phi)
    return inflation


def effective_buckets(n_buckets: int, inflation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many independent buckets would tell as much, at least 2.5; shape of *inflation*."""
    return np.maximum(n_buckets / inflation, _EFFECTIVE_MIN)
