"""Many series on one grid of time: what the search reads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.detect.finding import SeriesKey

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# Beyond this, sums of squares overflow.
_VALUE_MAX = 1e150


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """
    Series of one length on the same buckets.

    Attributes:
        keys: Which series each row is.
        start_s: Start of the first bucket, Unix seconds.
        step_s: Length of a bucket, seconds.
        values: Shape (n_series, n_times); what is not finite is a missing value.
        samples: Behind each value (stack samples of the service, or requests), same shape; 0 makes a value missing.
        sample_variance: Of one sample's contribution to the value, shape (n_series,): the noise of a mean over n
            samples is at least this over n. 0 where unknown.
        logarithmic: The values are natural logarithms of what is measured.
    """

    keys: Sequence[SeriesKey]
    start_s: int
    step_s: int
    values: FloatArray
    samples: FloatArray
    sample_variance: FloatArray
    logarithmic: bool = False

    def chunks(self, cells_max: int) -> Iterator["Panel"]:
        """Yield the rows in turn, as many at a time as have *cells_max* cells, at least one."""
        rows = max(cells_max // max(self.values.shape[1], 1), 1)
        for start in range(0, len(self.keys), rows):
            part = slice(start, start + rows)
            yield Panel(
                keys=self.keys[part],
                start_s=self.start_s,
                step_s=self.step_s,
                values=self.values[part],
                samples=self.samples[part],
                sample_variance=self.sample_variance[part],
                logarithmic=self.logarithmic,
            )


def usable(panel: Panel) -> BoolArray:
    """Return which values count: finite, and with samples behind them. Shape (n_series, n_times)."""
    with np.errstate(invalid="ignore"):
        finite = np.abs(panel.values) < _VALUE_MAX
        return np.asarray(finite & (panel.samples > 0) & (panel.samples < _VALUE_MAX))


def point_weights(samples: FloatArray, present: BoolArray) -> FloatArray:
    """
    Return how much each point counts: n / (n + usual n), scaled to a mean of 1 over the points present.

    Sampling noise alone would make it n, and noise that all points share would make it 1; this lies between, and no
    point counts over twice as much as the usual one.

    Args:
        samples: Behind each point, shape (n_series, n_times).
        present: Which points hold a value, same shape.
    """
    counts = np.where(present, samples, 0.0)
    points = np.maximum(present.sum(axis=1, keepdims=True), 1)
    usual = np.maximum(counts.sum(axis=1, keepdims=True) / points, 1e-300)
    weights = counts / (counts + usual)
    scale = weights.sum(axis=1, keepdims=True) / points
    return np.asarray(np.divide(weights, scale, out=np.zeros_like(weights), where=scale > 0))
