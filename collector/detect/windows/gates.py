"""Is a significant split a lasting change of level, or something that comes and goes?"""

from enum import IntEnum
from typing import Final

import numpy as np

from collector.detect.windows.panel import BoolArray, FloatArray, IntArray
from collector.detect.windows.robust import PER_MEDIAN_DEVIATION, row_medians
from collector.detect.windows.splits import Splits

# Points that are averaged before medians are taken: counts of rare functions have a median of 0.
_BLOCK: Final = 6
# Of the shift of the means, what the medians and the end of the series must still show.
_MEDIANS_SHARE: Final = 0.5
_TAIL_SHARE: Final = 0.5
_TAIL_PART: Final = 3
_POINTS_MIN: Final = 3
# A dip may lie in that third; then the last ninth must show so much.
_END_PART: Final = 9
_END_SHARE: Final = 0.75
# Blocks further from the level of their side, in deviations of the blocks, are an excursion; if they are few.
_EXCURSION_FROM: Final = 3.5
_EXCURSION_SHARE_MAX: Final = 1 / 3
# A level is not new when this share of the history before was as far away for as long.
_USUAL_SHARE: Final = 0.05
_AS_FAR: Final = 0.7
_HISTORY_PARTS: Final = 4


class Outcome(IntEnum):
    """What a split is."""

    LASTS = 0
    WENT_AWAY = 1
    USUAL = 2


def judge(values: FloatArray, weights: FloatArray, splits: Splits) -> IntArray:
    """
    Return the Outcome of each split, shape (n_series,).

    Args:
        values: Without seasons, outliers cut down, shape (n_series, n_times).
        weights: Same shape; 0 takes a point out.
        splits: All with a place.

    It lasts when medians and the last third tell the same as the means. The reference's rule skips that test for levels
    that are new, and lets through 21% of what goes away; here a level must be new and stay.
    """
    shift = splits.shift
    lasts = _medians_agree(values, weights, splits) & _tail_stays(values, weights, splits)
    usual = _was_there_before(values, weights, splits)
    outcome = np.where(lasts, np.where(usual, Outcome.USUAL, Outcome.LASTS), Outcome.WENT_AWAY)
    return np.where(shift == 0, Outcome.WENT_AWAY, outcome).astype(np.int64)


def _medians_agree(values: FloatArray, weights: FloatArray, splits: Splits) -> BoolArray:
    means, mass = _blocks(values, weights)
    ends = np.minimum(np.arange(means.shape[1]) * _BLOCK + _BLOCK, values.shape[1])
    whole = mass > 0
    before = whole & (ends[None, :] <= splits.place[:, None])
    after = whole & (ends[None, :] - _BLOCK >= splits.place[:, None])
    few = after.sum(axis=1) < _POINTS_MIN
    middle_after = row_medians(means, after)
    if few.any():
        late = (weights[few] > 0) & (np.arange(values.shape[1])[None, :] >= splits.place[few, None])
        middle_after[few] = row_medians(values[few], late)
    between = middle_after - row_medians(means, before)
    return np.asarray(between * np.sign(splits.shift) >= _MEDIANS_SHARE * np.abs(splits.shift))


def _tail_stays(values: FloatArray, weights: FloatArray, splits: Splits) -> BoolArray:
    third = _level_at_end(values, weights, splits, _TAIL_PART) >= _TAIL_SHARE * np.abs(splits.shift)
    ninth = _level_at_end(values, weights, splits, _END_PART) >= _END_SHARE * np.abs(splits.shift)
    return np.asarray(third | ninth)


def _level_at_end(values: FloatArray, weights: FloatArray, splits: Splits, part: int) -> FloatArray:
    """Return how far the last part of what follows a split is from the level before, in the split's direction."""
    mass = np.cumsum(weights, axis=1)
    # In weight, but no less than three points.
    end = np.maximum(splits.n_after / part, np.minimum(splits.n_after, _POINTS_MIN))
    late = mass > mass[:, -1:] - end[:, None]
    late &= np.arange(values.shape[1])[None, :] >= splits.place[:, None]
    counted = np.where(late, weights, 0.0)
    level = (counted * values).sum(axis=1) / np.maximum(counted.sum(axis=1), 1e-300)
    return np.asarray((level - splits.before) * np.sign(splits.shift))


def _was_there_before(values: FloatArray, weights: FloatArray, splits: Splits) -> BoolArray:
    """Return whether the mean over as long a time was as far from the level before, often enough, before the split."""
    n_times = values.shape[1]
    usual = np.zeros(len(values), dtype=bool)
    length = np.minimum(splits.n_after, splits.n_before / _HISTORY_PARTS)
    # Lengths are rounded down to powers of 2, so that all series of one length are looked at together.
    exponents = np.floor(np.log2(np.maximum(length, 1))).astype(np.int64)
    for exponent in np.unique(exponents):
        rows = np.flatnonzero(exponents == exponent)
        span = int(2**exponent)
        mass = np.cumsum(np.pad(weights[rows], ((0, 0), (1, 0))), axis=1)
        level = np.cumsum(np.pad(weights[rows] * values[rows], ((0, 0), (1, 0))), axis=1)
        spans = mass[:, span:] - mass[:, :-span]
        known = spans > span / 2
        means = np.divide(level[:, span:] - level[:, :-span], spans, out=np.zeros_like(spans), where=known)
        known &= np.arange(span, n_times + 1)[None, :] <= splits.place[rows, None]
        shift = splits.shift[rows, None]
        as_far = (means - splits.before[rows, None]) * np.sign(shift) >= _AS_FAR * np.abs(shift)
        usual[rows] = (as_far & known).sum(axis=1) > _USUAL_SHARE * np.maximum(known.sum(axis=1), 1)
    return usual


def excursions(values: FloatArray, weights: FloatArray, splits: Splits) -> BoolArray:
    """
    Return which points belong to an hour far from the level of its side of the split, shape (n_series, n_times).

    A side of which over a third would go keeps all its points: that is no excursion.

    Args:
        values: Shape (n_series, n_times).
        weights: Same shape; 0 takes a point out.
        splits: The levels to look around.
    """
    residuals = values - splits.fitted(values.shape[1])
    means, mass = _blocks(residuals, weights)
    present = mass > 0
    middle = row_medians(means, present)
    deviation = PER_MEDIAN_DEVIATION * row_medians(np.abs(means - middle[:, None]), present)
    far = present & (np.abs(means - middle[:, None]) > _EXCURSION_FROM * deviation[:, None]) & (deviation > 0)[:, None]
    late = np.arange(means.shape[1])[None, :] * _BLOCK >= splits.place[:, None]
    for side in (late, ~late):
        of_side = side & present
        many = (far & of_side).sum(axis=1) > _EXCURSION_SHARE_MAX * of_side.sum(axis=1)
        far &= ~(many[:, None] & side)
    return np.asarray(np.repeat(far, _BLOCK, axis=1)[:, : values.shape[1]])


def _blocks(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the weighted mean and the weight of each block of points, shape (n_series, n_blocks)."""
    starts = np.arange(0, values.shape[1], _BLOCK)
    mass = np.add.reduceat(weights, starts, axis=1)
    sums = np.add.reduceat(weights * values, starts, axis=1)
    return np.divide(sums, mass, out=np.zeros_like(sums), where=mass > 0), mass
