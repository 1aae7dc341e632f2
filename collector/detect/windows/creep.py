"""Slow climbs: a straight line through the whole window that explains a series better than two levels do."""

from dataclasses import dataclass

import numpy as np

from collector.detect.windows.panel import BoolArray, FloatArray
from collector.detect.windows.splits import Splits


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """
    The weighted least-squares line of each series.

    Attributes:
        time_mean, mean, slope: Shape (n_series,); the slope is per point.
        explained: Weighted sum of squares that the line takes away, same shape.
    """

    time_mean: FloatArray
    mean: FloatArray
    slope: FloatArray
    explained: FloatArray

    def take(self, which: BoolArray) -> "Lines":
        """Return those of some of the series."""
        return Lines(
            time_mean=self.time_mean[which],
            mean=self.mean[which],
            slope=self.slope[which],
            explained=self.explained[which],
        )

    def fitted(self, n_times: int) -> FloatArray:
        """Return the lines as a series each, shape (n_series, n_times)."""
        times = np.arange(n_times, dtype=np.float64)[None, :] - self.time_mean[:, None]
        return np.asarray(self.mean[:, None] + self.slope[:, None] * times)


def fit_lines(values: FloatArray, weights: FloatArray) -> Lines:
    """Return the line through each series; shapes (n_series, n_times)."""
    times = np.arange(values.shape[1], dtype=np.float64)
    mass = np.maximum(weights.sum(axis=1), 1e-300)
    weighted = weights * values
    time_mean, mean = weights @ times / mass, weighted.sum(axis=1) / mass
    spread = np.maximum(weights @ times**2 - mass * time_mean**2, 0.0)
    together = weighted @ times - mass * time_mean * mean
    slope = np.divide(together, spread, out=np.zeros_like(mass), where=spread > 0)
    return Lines(time_mean=time_mean, mean=mean, slope=slope, explained=slope * together)


def is_creep(lines: Lines, splits: Splits) -> BoolArray:
    """Return whether each line explains more than its split does."""
    return np.asarray(lines.explained > splits.shift**2 / (1 / splits.n_before + 1 / splits.n_after))
