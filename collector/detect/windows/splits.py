"""The place that divides a series best into two levels, for all series at once."""

from dataclasses import dataclass

import numpy as np

from collector.detect.windows.panel import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """
    The best split of each series, all of shape (n_series,).

    Attributes:
        place: Index of the first point after it; 0 where no split is allowed.
        before, after: Weighted means.
        n_before, n_after: Points, as weights count them.
    """

    place: IntArray
    before: FloatArray
    after: FloatArray
    n_before: FloatArray
    n_after: FloatArray

    @property
    def shift(self) -> FloatArray:
        """After minus before."""
        return self.after - self.before

    def take(self, which: BoolArray) -> "Splits":
        """Return those of some of the series."""
        return Splits(
            place=self.place[which],
            before=self.before[which],
            after=self.after[which],
            n_before=self.n_before[which],
            n_after=self.n_after[which],
        )

    def fitted(self, n_times: int) -> FloatArray:
        """Return the two levels as a series each, shape (n_series, n_times)."""
        late = np.arange(n_times)[None, :] >= self.place[:, None]
        return np.where(late, self.after[:, None], self.before[:, None])


def splits_at(values: FloatArray, weights: FloatArray, place: IntArray) -> Splits:
    """Return the levels on both sides of given places, all above 0. Shapes as ``best_splits``."""
    late = np.arange(values.shape[1])[None, :] >= place[:, None]
    mass_all, level_all = weights.sum(axis=1), (weights * values).sum(axis=1)
    n_after = np.where(late, weights, 0.0).sum(axis=1)
    level_after = np.where(late, weights * values, 0.0).sum(axis=1)
    n_before = np.maximum(mass_all - n_after, 1e-300)
    n_after = np.maximum(n_after, 1e-300)
    return Splits(
        place=place,
        before=(level_all - level_after) / n_before,
        after=level_after / n_after,
        n_before=n_before,
        n_after=n_after,
    )


def best_splits(values: FloatArray, weights: FloatArray, *, before_min: float, after_min: float) -> Splits:
    """
    Return where the means before and after differ most, in units of their own noise.

    Args:
        values: Finite, shape (n_series, n_times).
        weights: Mean about 1; 0 takes a point out. Same shape.
        before_min: Fewest points, as weights count them, before a split.
        after_min: And after it.

    Source: Hinkley, Biometrika 57 (1970): the likelihood-ratio statistic of one change of the mean of normal noise.
    """
    rows = np.arange(len(values))
    mass = np.cumsum(weights, axis=1)
    level = np.cumsum(weights * values, axis=1)
    mass_all, level_all = mass[:, -1], level[:, -1]
    mean = np.divide(level_all, mass_all, out=np.zeros_like(mass_all), where=mass_all > 0)
    mass_before = mass[:, :-1]
    mass_after = mass_all[:, None] - mass_before
    allowed = (mass_before >= before_min) & (mass_after >= after_min)
    score = level[:, :-1] - mass_before * mean[:, None]
    score *= score
    room = mass_before * mass_after
    score = np.divide(score, room, out=np.full_like(score, -1.0), where=allowed)
    place = np.argmax(score, axis=1) + 1
    possible = score[rows, place - 1] >= 0
    n_before = np.where(possible, mass[rows, place - 1], 1.0)
    n_after = np.where(possible, mass_all - n_before, 1.0)
    before = level[rows, place - 1] / np.maximum(n_before, 1e-300)
    after = (level_all - level[rows, place - 1]) / np.maximum(n_after, 1e-300)
    return Splits(
        place=np.where(possible, place, 0),
        before=np.where(possible, before, mean),
        after=np.where(possible, after, mean),
        n_before=n_before,
        n_after=n_after,
    )
