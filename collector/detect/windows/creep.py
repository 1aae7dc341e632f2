"""Slow climbs: straight ways from one level to another, and lines, that explain a series better than a step does."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from collector.detect.windows.panel import FloatArray, IntArray
from collector.detect.windows.splits import Splits

# Half of how long a climb takes, in points.
_HALVES: Final = (24, 48, 96, 192)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """
    What explains each series best.

    Attributes:
        fitted: Shape (n_series, n_times).
        half: Half the length of its climb in points, shape (n_series,): 0 for a step, n_times for a line through all.
    """

    fitted: FloatArray
    half: IntArray


def best_shapes(values: FloatArray, weights: FloatArray, splits: Splits, *, with_climbs: bool) -> Shapes:
    """
    Return the best of step, line and, if wanted, climbs with their middle at the step.

    Args:
        values: Shape (n_series, n_times).
        weights: Same shape; 0 takes a point out.
        splits: The steps.
        with_climbs: Whether to look at those, which takes time.
    """
    n_times = values.shape[1]
    fitted, half = splits.fitted(n_times), np.zeros(len(values), dtype=np.int64)
    explained = splits.shift**2 / (1 / splits.n_before + 1 / splits.n_after)
    mass = np.maximum(weights.sum(axis=1), 1e-300)
    weighted = weights * values
    mean = weighted.sum(axis=1) / mass
    times = np.arange(n_times, dtype=np.float64)
    for length in (n_times, *(_HALVES if with_climbs else ())):
        ways = times[None, :] if length == n_times else _climbs(splits.place, length, n_times)
        ways_mean = (weights * ways).sum(axis=1) / mass
        spread = np.maximum((weights * ways * ways).sum(axis=1) - mass * ways_mean**2, 0.0)
        together = (weighted * ways).sum(axis=1) - mass * ways_mean * mean
        slope = np.divide(together, spread, out=np.zeros_like(mass), where=spread > 0)
        better = slope * together > explained
        if better.any():
            explained = np.where(better, slope * together, explained)
            half = np.where(better, length, half)
            away = (ways if len(ways) == 1 else ways[better]) - ways_mean[better, None]
            fitted[better] = mean[better, None] + slope[better, None] * away
    return Shapes(fitted=fitted, half=half)


def _climbs(place: IntArray, half: int, n_times: int) -> FloatArray:
    """Return a way from 0 to 1 with its middle at each place."""
    times = np.arange(n_times, dtype=np.float64)
    return np.asarray(np.clip((times[None, :] - (place - half)[:, None]) / (2 * half), 0.0, 1.0))
