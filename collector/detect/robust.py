"""Noise with outliers: how wide it is, and a series with its spikes cut down to that width."""

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

# Of the running median that a spike is measured from: three points in a row cannot move it.
_WINDOW: Final = 7
_BLOCK: Final = 1 << 16
# In spreads: of normal noise, 0.3% is cut.
_CUT: Final = 3.0
# Quantiles of the absolute value of normal noise, in units of its standard deviation.
_QUANTILES: Final = ((0.5, 0.6745), (0.75, 1.1503), (0.9, 1.6449))
_PER_MEAN_DEVIATION: Final = 1.2533
# What is smaller than this share of the largest residual is 0 but for rounding.
_ROUNDING: Final = 1e-12


def spread(residuals: NDArray[np.float64]) -> float:
    """
    Return the standard deviation that normal noise of this width has; outliers hardly count.

    It is taken from the median deviation; where over half of the values are the same, from a higher quantile.

    Args:
        residuals: Around 0, shape (n,), n > 0.
    """
    size = np.abs(residuals)
    nothing = _ROUNDING * float(np.max(size))
    for (_, in_deviations), quantile in zip(
        _QUANTILES, np.quantile(size, [share for share, _ in _QUANTILES]), strict=True
    ):
        if quantile > nothing:
            return float(quantile) / in_deviations
    return _PER_MEAN_DEVIATION * float(np.mean(size))


def despiked(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return the series with each value brought to within three spreads of the running median of seven points.

    A running median keeps the place of a step, which a running mean would smear.

    Args:
        values: Finite, in order of time, shape (n,).

    Returns:
        Same shape; a series of under seven points comes back as it is.
    """
    if len(values) < _WINDOW:
        return values.copy()
    half = _WINDOW // 2
    mirrored = np.concatenate([values[half:0:-1], values, values[-2 : -half - 2 : -1]])
    windows = sliding_window_view(mirrored, _WINDOW)
    # The median copies what it is given, seven times the series.
    blocks = [np.median(windows[at : at + _BLOCK], axis=1) for at in range(0, len(values), _BLOCK)]
    middle = np.concatenate(blocks)
    away = values - middle
    cut = _CUT * spread(away)
    return np.asarray(middle + np.clip(away, -cut, cut), dtype=np.float64)


def step_noise(values: NDArray[np.float64]) -> float:
    """Return the noise from one point to the next, which steps of the level hardly touch. Shape (n,), n > 1."""
    return spread(np.diff(values)) / float(np.sqrt(2))
