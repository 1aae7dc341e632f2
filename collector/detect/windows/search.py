"""The search for changes in fresh windows: from matrices of series to changes with their uncertainty."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from collector.detect.student_t import normal_quantile
from collector.detect.windows.changes import Funnel, WindowChange
from collector.detect.windows.creep import best_shapes
from collector.detect.windows.gates import Outcome, excursions, judge
from collector.detect.windows.noise import Noise, chances, measure_noise, search_factor
from collector.detect.windows.panel import BoolArray, FloatArray, IntArray, Panel
from collector.detect.windows.robust import cut_down, side_medians
from collector.detect.windows.rows import Rows, prepared_rows, without_seasons
from collector.detect.windows.settings import WindowSettings
from collector.detect.windows.splits import Splits, best_splits, splits_at

# A change that is the search's limit is found in so many of 100 cases; the minimum detectable effect is that for 80.
_POWER: Final = 0.8416
# Splits this likely are looked at again without excursions, which widen the noise.
_LOOK_AGAIN_P: Final = 0.2
_CRITICAL_STEPS: Final = 5


def search(panels: Iterable[Panel], settings: WindowSettings, funnel: Funnel) -> list[WindowChange]:
    """
    Return the lasting changes of all series, and count into *funnel* what happened to the rest.

    Memory is bounded by ``cells_max``, not by the number of series. No series influences another one.
    """
    return [
        change
        for panel in panels
        for part in panel.chunks(settings.cells_max)
        for change in _Chunk(part, settings, funnel).changes()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tested:
    """Series with their best split and how sure it is."""

    rows: Rows
    splits: Splits
    noise: Noise
    p_values: FloatArray
    half: IntArray
    ends: FloatArray

    def take(self, which: BoolArray) -> "_Tested":
        return _Tested(
            rows=self.rows.take(which),
            splits=self.splits.take(which),
            noise=self.noise.take(which),
            p_values=self.p_values[which],
            half=self.half[which],
            ends=self.ends[which],
        )


class _Chunk:
    """Searches the series of one chunk, all together."""

    def __init__(self, panel: Panel, settings: WindowSettings, funnel: Funnel) -> None:
        self._panel = panel
        self._settings = settings
        self._funnel = funnel
        self._n_times = panel.values.shape[1]
        self._before_min = float(max(settings.before_points_min, self._n_times * settings.before_share_min))
        self._after_min = float(settings.after_points_min)
        self._changes: list[WindowChange] = []

    def changes(self) -> list[WindowChange]:
        rows = prepared_rows(self._panel, self._settings, self._funnel)
        if len(rows):
            rows = self._calm(rows)
        while len(rows):
            rows = self._round(rows)
        return self._changes

    def _calm(self, rows: Rows) -> Rows:
        """Return the series without seasons; count those whose only split that was."""
        calm, seasonal = without_seasons(
            rows,
            start_s=self._panel.start_s,
            step_s=self._panel.step_s,
            levels_of=lambda some: self._splits(some.values, some.weights).fitted(self._n_times),
        )
        if seasonal.any():
            before, after = (self._first_look(some.take(seasonal)) for some in (rows, calm))
            p_max = self._settings.p_max
            self._funnel.seasonal += int(((before <= p_max) & (after > p_max)).sum())
        return calm

    def _first_look(self, rows: Rows) -> FloatArray:
        """Return the chance of the best split of each series, outliers cut down."""
        cut = cut_down(rows.values, rows.weights)
        return self._test(replace(rows, values=cut), self._splits(cut, rows.weights), with_climbs=False).p_values

    def _round(self, rows: Rows) -> Rows:
        """Test the best split of each series; return the series in which there may be another one."""
        rows = rows.take(self._first_look(rows) <= _LOOK_AGAIN_P)
        if not len(rows):
            return rows
        calm, splits = self._second_look(rows)
        tested = self._test(calm, splits, with_climbs=True)
        significant = (tested.p_values <= self._settings.p_max) & (splits.place > 0)
        significant &= self._samples_behind(rows, splits) >= self._settings.samples_min
        rows, tested = rows.take(significant), tested.take(significant)
        if not len(rows):
            return rows
        outcome = judge(tested.rows.values, rows.weights, tested.splits)
        self._funnel.change_points += len(outcome)
        self._funnel.gone_away += int((outcome == Outcome.WENT_AWAY).sum())
        self._funnel.usual += int((outcome == Outcome.USUAL).sum())
        lasts = outcome == Outcome.LASTS
        self._changes += [self._change(tested, int(row)) for row in np.flatnonzero(lasts)]
        # What lies before the end of a change that lasts is explained.
        early = np.arange(self._n_times)[None, :] < (tested.splits.place + tested.half)[:, None]
        rows = replace(rows, weights=np.where(lasts[:, None] & early, 0.0, rows.weights), found=rows.found + 1)
        return rows.take(lasts & (rows.found < self._settings.changes_max))

    def _samples_behind(self, rows: Rows, splits: Splits) -> FloatArray:
        """Return the samples behind that side of each split which has fewer, shape (n_series,)."""
        samples = np.where(rows.weights > 0, self._panel.samples[rows.of_panel], 0.0)
        late = np.arange(self._n_times)[None, :] >= splits.place[:, None]
        after = np.where(late, samples, 0.0).sum(axis=1)
        return np.asarray(np.minimum(after, samples.sum(axis=1) - after))

    def _second_look(self, rows: Rows) -> tuple[Rows, Splits]:
        """
        Return the series without what comes and goes in hours, outliers cut down on each side, and better splits.

        A dip soon after a step draws the split to its end. With values brought to between both levels a dip counts no
        more than a return does, and the place is that of the step.
        """
        values, weights = cut_down(rows.values, rows.weights), rows.weights
        for _ in range(self._settings.excursions_max):
            splits = self._splits(values, weights)
            low, high = np.minimum(splits.before, splits.after), np.maximum(splits.before, splits.after)
            between = np.clip(values, low[:, None], high[:, None])
            place = np.maximum(self._splits(between, rows.weights).place, 1)
            levels = side_medians(rows.values, rows.weights, place)
            values = levels + cut_down(rows.values - levels, rows.weights)
            aside = excursions(values, rows.weights, splits_at(values, rows.weights, place))
            weights = np.where(aside, 0.0, rows.weights)
        return replace(rows, values=values, weights=weights), splits_at(values, weights, place)

    def _test(self, rows: Rows, splits: Splits, *, with_climbs: bool) -> _Tested:
        """Return how likely chance makes each split; the noise is that around the shape that fits best."""
        shapes = best_shapes(rows.values, rows.weights, splits, with_climbs=with_climbs)
        present = rows.weights > 0
        samples = np.where(present, self._panel.samples[rows.of_panel], 0.0).sum(axis=1)
        noise = measure_noise(
            rows.values,
            rows.weights,
            splits,
            fitted=shapes.fitted,
            floor=self._panel.sample_variance[rows.of_panel] * present.sum(axis=1) / np.maximum(samples, 1.0),
            widened=rows.widened,
        )
        p_values = chances(splits.shift, noise.standard_error, noise, self._before_min, self._after_min)
        return _Tested(
            rows=rows, splits=splits, noise=noise, p_values=p_values, half=shapes.half, ends=shapes.fitted[:, [0, -1]]
        )

    def _change(self, tested: _Tested, row: int) -> WindowChange:
        of_panel, place = int(tested.rows.of_panel[row]), int(tested.splits.place[row])
        after = tested.rows.weights[row, place:] > 0
        error = float(tested.noise.standard_error[row])
        before, later = float(tested.splits.before[row]), float(tested.splits.after[row])
        if tested.half[row] and later != before:
            # A climb is told by its ends, which are further apart than the means of both sides.
            first, last = (float(tested.ends[row, end]) for end in (0, 1))
            error *= abs((last - first) / (later - before))
            before, later = first, last
        return WindowChange(
            key=self._panel.keys[of_panel],
            start_s=self._panel.start_s,
            step_s=self._panel.step_s,
            index=place,
            n_after=int(after.sum()),
            before=before,
            after=later,
            standard_error=error,
            degrees=float(tested.noise.degrees[row]),
            p_value=float(tested.p_values[row]),
            mde=(self._critical(float(tested.noise.points[row])) + _POWER) * error,
            samples=int(self._panel.samples[of_panel, place:][after].sum()),
            creep=bool(tested.half[row]),
            logarithmic=self._panel.logarithmic,
        )

    def _critical(self, points: float) -> float:
        """Return the statistic that the search asks for."""
        statistic, n_times = normal_quantile(1 - self._settings.p_max), np.array([points])
        for _ in range(_CRITICAL_STEPS):
            factor = search_factor(np.array([statistic]), n_times, self._before_min, self._after_min)
            statistic = normal_quantile(1 - self._settings.p_max / float(factor[0]))
        return statistic

    def _splits(self, values: FloatArray, weights: FloatArray) -> Splits:
        return best_splits(values, weights, before_min=self._before_min, after_min=self._after_min)
