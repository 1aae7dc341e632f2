"""Noise with outliers: how wide it is, and a series with its spikes cut down to that width."""

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

# Of the running median that a spike is measured from: three points in a row cannot move it.
_WINDOW: Final = 7
# In spreads: of normal noise, 0.3% is cut.
_CUT: Final = 3.0
# The standard deviation of normal noise, in units of its median and of its mean absolute deviation.
_PER_MEDIAN_DEVIATION: Final = 1.4826
_PER_MEAN_DEVIATION: Final = 1.2533
# Where over half of all values are the same, the median deviation is 0, and says nothing about the rest.
_MEDIAN_SHARE_MIN: Final = 0.25


def spread(residuals: NDArray[np.float64]) -> float:
    """Return the standard deviation that normal noise of this width has; outliers hardly count. Shape (n,), n > 0."""
    size = np.abs(residuals)
    by_median = _PER_MEDIAN_DEVIATION * float(np.median(size))
    by_mean = _PER_MEAN_DEVIATION * float(np.mean(size))
    return by_median if by_median > _MEDIAN_SHARE_MIN * by_mean else by_mean


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
    middle = np.median(sliding_window_view(mirrored, _WINDOW), axis=1)
    away = values - middle
    cut = _CUT * spread(away)
    return np.asarray(middle + np.clip(away, -cut, cut), dtype=np.float64)


def step_noise(values: NDArray[np.float64]) -> float:
    """Return the noise from one point to the next, which steps of the level hardly touch. Shape (n,), n > 1."""
    return spread(np.diff(values)) / float(np.sqrt(2))
