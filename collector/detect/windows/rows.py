"""The series of one chunk that can be searched, without seasons: what is left of them from round to round."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from collector.detect.windows.changes import Funnel
from collector.detect.windows.panel import BoolArray, FloatArray, IntArray, Panel, point_weights, usable
from collector.detect.windows.robust import row_medians
from collector.detect.windows.seasons import seasons
from collector.detect.windows.settings import WindowSettings

POINTS_MIN: Final = 24
_DAY_S: Final = 86_400
# What the median over d days adds to, and takes from, the variance of a mean is about this over d.
_SEASON_NOISE: Final = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """
    The series that are still searched.

    Attributes:
        of_panel: Which row of the panel each is, shape (n_series,).
        values: Finite, shape (n_series, n_times).
        weights: Mean about 1; 0 takes a point out. Same shape.
        widened: By how much what was subtracted widens the variance of a mean, shape (n_series,).
        found: Changes found so far, shape (n_series,).
    """

    of_panel: IntArray
    values: FloatArray
    weights: FloatArray
    widened: FloatArray
    found: IntArray

    def __len__(self) -> int:
        """Return how many series there are."""
        return len(self.of_panel)

    def take(self, which: BoolArray) -> "Rows":
        """Return some of the series."""
        return Rows(
            of_panel=self.of_panel[which],
            values=self.values[which],
            weights=self.weights[which],
            widened=self.widened[which],
            found=self.found[which],
        )


def prepared_rows(panel: Panel, settings: WindowSettings, funnel: Funnel) -> Rows:
    """Return the series that hold enough to be searched, and count the others."""
    n_series, n_times = panel.values.shape
    funnel.series += n_series
    present = usable(panel)
    points = present.sum(axis=1)
    enough = points >= max(POINTS_MIN, settings.coverage_min * n_times)
    # Each side of a change needs as many.
    enough &= np.where(present, panel.samples, 0.0).sum(axis=1) >= 2 * settings.samples_min
    funnel.not_enough_data += int((~enough).sum())
    middle = row_medians(panel.values, present)
    values = np.where(present, panel.values, middle[:, None])
    moves = enough & (np.ptp(values, axis=1) > 0)
    funnel.constant += int((enough & ~moves).sum())
    chosen = np.flatnonzero(moves)
    return Rows(
        of_panel=chosen,
        values=values[chosen],
        weights=point_weights(panel.samples[chosen], present[chosen]),
        widened=np.ones(len(chosen)),
        found=np.zeros(len(chosen), dtype=np.int64),
    )


def without_seasons(
    rows: Rows, *, start_s: int, step_s: int, levels_of: Callable[[Rows], FloatArray]
) -> tuple[Rows, BoolArray]:
    """
    Return the series less what repeats in them, and which ones had something that does, shape (n_series,).

    Args:
        rows: With seasons.
        start_s: Start of the first bucket, Unix seconds.
        step_s: Length of a bucket.
        levels_of: Returns the levels around a step of each series, shape (n_series, n_times).
    """
    present = rows.weights > 0
    # A weekend at the start looks like a step, and a step like a part of a season: each is taken out for the other.
    flat = rows.values - row_medians(rows.values, present)[:, None]
    season = seasons(flat, present, start_s=start_s, step_s=step_s)
    levels = levels_of(replace(rows, values=rows.values - season))
    season = seasons(rows.values - levels, present, start_s=start_s, step_s=step_s)
    seasonal: BoolArray = np.any(season != 0, axis=1)
    # The pattern was read from these very values: it has taken some of their noise along, and brought its own.
    days = rows.values.shape[1] * step_s / _DAY_S
    widened = rows.widened + np.where(seasonal, _SEASON_NOISE / days, 0.0)
    return replace(rows, values=rows.values - season, widened=widened), seasonal
