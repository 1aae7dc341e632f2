"""Medians, widths and cutting down of the rows of a matrix in which values may be missing."""

from typing import Final

import numpy as np

from collector.detect.windows.panel import BoolArray, FloatArray, IntArray

PER_MEDIAN_DEVIATION: Final = 1.4826
# In standard deviations around the median of a series: what is further away is brought to that.
_CUT: Final = 3.0
_PER_MEAN_DEVIATION: Final = 1.2533
# Where the median deviation is less than this share of the mean one, most values are alike and it says nothing.
_MEDIAN_SHARE_MIN: Final = 0.25
_WIDER_BY_MEANS: Final = 3.0
_POINTS_ENOUGH: Final = 300


def row_medians(values: FloatArray, chosen: BoolArray) -> FloatArray:
    """Return the median of the chosen values of each row, 0 where there are none, shape (n_rows,)."""
    if chosen.all():
        return np.asarray(np.median(values, axis=1))
    rows = np.arange(len(values))
    ordered = np.sort(np.where(chosen, values, np.inf), axis=1)
    counts = chosen.sum(axis=1)
    low, high = (
        ordered[rows, np.maximum(counts - 1, 0) // 2],
        ordered[rows, np.minimum(counts // 2, values.shape[1] - 1)],
    )
    return np.where(counts > 0, (low + high) / 2, 0.0)


def cut_down(values: FloatArray, weights: FloatArray) -> FloatArray:
    """
    Return the series with each value brought to within three standard deviations of their median.

    Args:
        values: Shape (n_series, n_times).
        weights: Same shape; 0 takes a point out.
    """
    # Some hundred points say where a series lies and how wide it is.
    every = max(values.shape[1] // _POINTS_ENOUGH, 1)
    some, present = values[:, ::every], weights[:, ::every] > 0
    middle = row_medians(some, present)
    reach = _CUT * _widths(some, present, middle)
    return np.clip(values, (middle - reach)[:, None], (middle + reach)[:, None])


def side_medians(values: FloatArray, weights: FloatArray, place: IntArray) -> FloatArray:
    """Return the median of the side of its series that each point is on, shape (n_series, n_times)."""
    late = np.arange(values.shape[1])[None, :] >= place[:, None]
    before, after = (row_medians(values, side & (weights > 0)) for side in (~late, late))
    return np.where(late, after[:, None], before[:, None])


def _widths(values: FloatArray, present: BoolArray, middle: FloatArray) -> FloatArray:
    """Return the standard deviation of normal noise as wide as each series; by means where medians say nothing."""
    away = np.abs(values - middle[:, None])
    by_median = PER_MEDIAN_DEVIATION * row_medians(away, present)
    by_mean = _PER_MEAN_DEVIATION * (away * present).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    return np.where(by_median > _MEDIAN_SHARE_MIN * by_mean, by_median, _WIDER_BY_MEANS * by_mean)
