"""The changes of many series: what goes in, what comes out, and the correction for asking about all of them at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from collector.detect.discovery import benjamini_hochberg
from collector.detect.history import POINTS_MIN, Found, find_changes
from collector.detect.seasonality import without_seasons
from collector.detect.student_t import two_sided_quantile

# A change with fewer points after it may still go away.
_CONFIRMED_AFTER: Final = 12
_CONFIDENCE: Final = 0.95
# Beyond this, sums of squares overflow.
_VALUE_MAX: Final = 1e150

Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """
    One series, in any order, evenly spaced or not.

    Attributes:
        name: Says which series this is.
        times_ns: Since the epoch, shape (n,). Points of the same time stay in the order they came in.
        values: Shape (n,); what is not finite is a missing value.
        weights: Samples behind each value, shape (n,); 0 makes a value a missing one. None: all count the same.
    """

    name: str
    times_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None


class SeriesState(StrEnum):
    """Whether a series could be tested."""

    TESTED = "tested"
    NOT_ENOUGH_DATA = "not enough data"
    CONSTANT = "constant"


class ChangeState(StrEnum):
    """How sure a change is to last."""

    CONFIRMED = "confirmed"
    PROVISIONAL = "provisional"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesChange:
    """
    One change of the level of one series.

    Attributes:
        series: Its name.
        index: Of the first point after the change, counted from 0 in order of time, missing values included.
        time_ns: When that point was.
        before, after: Mean levels next to the change, spikes cut down and seasons taken out, in the series' unit.
        low, high: 95% interval of after minus before.
        p: Probability that chance makes such a change, corrected for the places and series searched.
        direction: Whether the level went up or down.
        state: Confirmed, or provisional while few points follow.
    """

    series: str
    index: int
    time_ns: int
    before: float
    after: float
    low: float
    high: float
    p: float
    direction: Direction
    state: ChangeState


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSettings:
    """
    What counts as a change.

    Attributes:
        false_discovery_rate: Expected share of changes made by chance among all that are reported.
        effect_min: A smaller change, as a share of the level before, is not reported.
        direction: Only changes up, only changes down, or None for both.
    """

    false_discovery_rate: float = 0.01
    effect_min: float = 0.0
    direction: Direction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFindings:
    """All changes, by series in the order given and then by time, and the state of each series."""

    changes: list[SeriesChange]
    states: dict[str, SeriesState]


def detect_changes(many: Iterable[Series], settings: SeriesSettings) -> SeriesFindings:
    """
    Return every change along every series.

    Args:
        many: Read one at a time, names unique. No series influences what is found in another, but for the correction
            of p, which a clear change is far from.
        settings: See there.
    """
    found: list[_InSeries] = []
    states: dict[str, SeriesState] = {}
    for series in many:
        states[series.name], its_changes = _changes_of(series, settings.false_discovery_rate)
        found += its_changes
    p_values = benjamini_hochberg(np.array([one.found.p_value for one in found]))
    half_widths = two_sided_quantile(_CONFIDENCE, np.array([one.found.degrees for one in found]))
    changes = [
        _change(one, float(p), float(half) * one.found.standard_error)
        for one, p, half in zip(found, p_values, half_widths, strict=True)
        if p <= settings.false_discovery_rate
    ]
    return SeriesFindings(changes=[change for change in changes if _is_wanted(change, settings)], states=states)


@dataclass(frozen=True, slots=True)
class _InSeries:
    """A change found, and which point of which series it is at."""

    series: str
    index: int
    time_ns: int
    n_after: int
    found: Found


def _changes_of(series: Series, p_max: float) -> tuple[SeriesState, list[_InSeries]]:
    order = np.argsort(series.times_ns, kind="stable")
    times, values = series.times_ns[order], series.values[order]
    weights = np.ones(len(values)) if series.weights is None else series.weights[order]
    with np.errstate(invalid="ignore"):
        usable = np.flatnonzero((np.abs(values) < _VALUE_MAX) & (weights > 0) & np.isfinite(weights))
    times, values, weights = times[usable], values[usable], weights[usable]
    if len(values) < POINTS_MIN:
        return SeriesState.NOT_ENOUGH_DATA, []
    if float(np.ptp(values)) == 0:
        return SeriesState.CONSTANT, []
    places = [(one.step.place, one) for one in find_changes(without_seasons(times, values), weights, p_max=p_max)]
    return SeriesState.TESTED, [
        _InSeries(series.name, int(usable[place]), int(times[place]), len(values) - place, one) for place, one in places
    ]


def _change(one: _InSeries, p: float, half_width: float) -> SeriesChange:
    before, after = one.found.step.before, one.found.step.after
    return SeriesChange(
        series=one.series,
        index=one.index,
        time_ns=one.time_ns,
        before=before,
        after=after,
        low=after - before - half_width,
        high=after - before + half_width,
        p=p,
        direction="up" if after > before else "down",
        state=ChangeState.CONFIRMED if one.n_after >= _CONFIRMED_AFTER else ChangeState.PROVISIONAL,
    )


def _is_wanted(change: SeriesChange, settings: SeriesSettings) -> bool:
    if settings.direction is not None and change.direction != settings.direction:
        return False
    # What was 0 before has no relative change: any certain one of it counts.
    return abs(change.after - change.before) >= settings.effect_min * abs(change.before)
