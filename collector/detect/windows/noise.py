"""How uncertain the levels beside a split are, and how likely chance makes such a split, for all series at once."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from collector.detect.student_t import two_sided_p
from collector.detect.windows.panel import BoolArray, FloatArray
from collector.detect.windows.splits import Splits

# Lengths over which sums are compared, in points: what a first-order autoregression does not know of.
_BLOCKS: Final = (6, 24, 72)
_BLOCKS_MIN: Final = 8
_PHI_MAX: Final = 0.95
# The more the noise resembles itself, the less is known of how much it does.
_DEGREES_KEPT: Final = 2 / 3
_DEGREES_POWER: Final = 1.5
_DEGREES_MIN: Final = 2.0
_INFLATION_MAX: Final = 1e6
_ROUNDING: Final = 1e-12
# Statistics below this are not significant in any series, so that their exact probability does not matter.
_STATISTIC_MIN: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """
    Of each series, all of shape (n_series,).

    Attributes:
        long_run_variance: Variance of a mean times the points it is of.
        per_point: Variance of the difference of both levels, in units of that.
        degrees: Of freedom, of that estimate.
        points: Present in the series.
    """

    long_run_variance: FloatArray
    per_point: FloatArray
    degrees: FloatArray
    points: FloatArray

    def take(self, which: BoolArray) -> "Noise":
        """Return that of some of the series."""
        return Noise(
            long_run_variance=self.long_run_variance[which],
            per_point=self.per_point[which],
            degrees=self.degrees[which],
            points=self.points[which],
        )

    @property
    def standard_error(self) -> FloatArray:
        """That of the difference of both levels."""
        return np.asarray(np.sqrt(self.long_run_variance * self.per_point))


def measure_noise(
    values: FloatArray,
    weights: FloatArray,
    splits: Splits,
    *,
    fitted: FloatArray,
    floor: FloatArray,
    widened: FloatArray,
) -> Noise:
    """
    Estimate the noise around what was fitted to each series.

    It is the largest of what an autoregression under white noise says, what sums over blocks say (each brought down by
    its own uncertainty, so that the largest is not simply the luckiest), and what sampling alone must cause. Points
    with fewer samples are taken to be noisier: a level measured at night is less certain than one of as many points by
    day.

    Args:
        values: Shape (n_series, n_times).
        weights: Same shape, mean 1; 0 takes a point out.
        splits: The levels whose difference is in question.
        fitted: What to look around: those levels, or a line; same shape as *values*.
        floor: Smallest variance of one point, shape (n_series,).
        widened: By how much what was subtracted from the values widens the variance, at least 1, shape (n_series,).

    Source: as ``autocorrelation.variance_inflation``; sums over blocks: Carlstein, Ann. Statist. 14 (1986).
    """
    present = weights > 0
    residuals = np.where(present, values - fitted, 0.0)
    points = np.maximum(present.sum(axis=1), 3).astype(np.float64)
    power = np.einsum("ij,ij->i", residuals, residuals)
    variance = power / (points - 2)
    largest = np.maximum(variance * _autoregressive_inflation(residuals, power, points) * widened, floor)
    for length in _BLOCKS:
        n_blocks = residuals.shape[1] // length
        if n_blocks < _BLOCKS_MIN:
            break
        blocks = residuals[:, -n_blocks * length :].reshape(len(residuals), n_blocks, length).sum(axis=2)
        filled = np.maximum(points * (n_blocks - 2) / n_blocks, 1.0)
        of_blocks = np.einsum("ij,ij->i", blocks, blocks) / filled
        largest = np.maximum(largest, of_blocks / (1 + math.sqrt(2 / (n_blocks - 2))))
    rounding = _ROUNDING * np.maximum(np.abs(splits.before), np.abs(splits.after))
    long_run = np.maximum(largest, rounding**2)
    inflation = np.divide(long_run, variance, out=np.ones_like(variance), where=variance > 0)
    inflation = np.clip(inflation, 1.0, _INFLATION_MAX)
    degrees = np.maximum(points / inflation**_DEGREES_POWER * _DEGREES_KEPT - 2, _DEGREES_MIN)
    late = np.arange(values.shape[1])[None, :] >= splits.place[:, None]
    points_after = (present & late).sum(axis=1)
    per_point = (points - points_after) / splits.n_before**2 + points_after / splits.n_after**2
    return Noise(long_run_variance=long_run, per_point=per_point, degrees=degrees, points=points)


def _autoregressive_inflation(residuals: FloatArray, power: FloatArray, points: FloatArray) -> FloatArray:
    """
    Return by how much correlation of neighbours widens the variance of a mean, at least 1.

    Sampling noise hides the correlation of what is sampled: lag 1 alone would say too little. In an autoregression
    under white noise, each further lag is smaller by the same factor, which is read from the lags 1 to 3; where they
    are within their own noise, it is brought towards 0.
    """
    lags = [
        np.divide(
            np.einsum("ij,ij->i", residuals[:, lag:], residuals[:, :-lag]),
            power,
            out=np.zeros_like(power),
            where=power > 0,
        )
        for lag in (1, 2, 3)
    ]
    # Two means were taken out, which makes lags look smaller (Kendall).
    first, second, third = (np.maximum(lag + 2 * (1 + 3 * lag) / points, 0.0) for lag in lags)
    factor = np.clip((second + third) / (first + second + 1 / np.sqrt(points)), 0.0, _PHI_MAX)
    plain = np.minimum(first, _PHI_MAX)
    return np.asarray(np.maximum(1 + 2 * first / (1 - factor), (1 + plain) / (1 - plain)))


def search_factor(statistic: FloatArray, n_times: FloatArray, before_min: float, after_min: float) -> FloatArray:
    """
    Return by how much searching all places raises the chance of a statistic at one of them.

    Source: James, James & Siegmund, "Tests for a change-point", Biometrika 74 (1987), equation 10: the leading term
    of the tail of the largest of standardised splits between two fractions of a series, over the normal tail.
    """
    first = np.clip(before_min / n_times, 1e-6, 0.49)
    last = np.clip(after_min / n_times, 1e-6, 0.49)
    width = np.log((1 - first) * (1 - last) / (first * last))
    return np.asarray(1 + statistic**2 / 2 * width)


def chances(shift: FloatArray, errors: FloatArray, noise: Noise, before_min: float, after_min: float) -> FloatArray:
    """Return the probability that chance makes a split as clear anywhere in the series, shape (n_series,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(shift == 0, 0.0, np.abs(shift) / errors)
    p_values = np.ones_like(statistic)
    clear = np.flatnonzero(statistic > _STATISTIC_MIN)
    if len(clear):
        tails = two_sided_p(statistic[clear], noise.degrees[clear])
        # Heavier tails are those of a smaller normal statistic; the factor belongs to that one.
        normal = np.sqrt(np.maximum(-2 * np.log(np.maximum(tails, 1e-300)), 1.0))
        p_values[clear] = np.minimum(tails * search_factor(normal, noise.points[clear], before_min, after_min), 1.0)
    return p_values
