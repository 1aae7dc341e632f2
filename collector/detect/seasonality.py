"""What repeats every day or every week, taken out of a series before changes are looked for."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.detect.robust import spread

_NS_PER_HOUR: Final = 3_600_000_000_000
_DAY: Final = 24 * _NS_PER_HOUR
_WEEK: Final = 7 * _DAY
# Fewer cycles cannot show that something repeats.
_CYCLES_MIN: Final = 4
# A profile: no coarser than 6 phases, no finer than the 672 quarters of an hour of a week.
_PHASES_MIN: Final = 6
_PHASES_MAX: Final = 672
# The share of the variance that the profile of some cycles must explain in the others.
_EXPLAINED_MIN: Final = 0.3


def without_seasons(times_ns: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return the values less what repeats weekly, or else daily; the values themselves when nothing does.

    Whether a period counts is decided by prediction: the profile of the odd cycles must explain a good part of the
    even ones, and the other way round. The profile has median 0, so the level stays.

    Args:
        times_ns: Since the epoch, ascending, shape (n,).
        values: Finite, same shape.
    """
    gaps = np.diff(times_ns)
    spacing = int(np.median(gaps)) if len(gaps) else 0
    for period in (_WEEK, _DAY):
        if spacing <= 0 or times_ns[-1] - times_ns[0] < _CYCLES_MIN * period:
            continue
        phases = min(period // spacing, _PHASES_MAX)
        if phases < _PHASES_MIN:
            continue
        season = _season(times_ns, values, period, phases)
        if season is not None:
            return values - season
    return values


def _season(
    times_ns: NDArray[np.int64], values: NDArray[np.float64], period: int, phases: int
) -> NDArray[np.float64] | None:
    cycle = (times_ns - times_ns[0]) // period
    phase = (times_ns % period) * phases // period
    flat = values - _group_medians(cycle, values)[cycle]
    odd = cycle % 2 == 1
    predicted = np.where(
        odd,
        _profile(phase[~odd], flat[~odd], phases)[phase],
        _profile(phase[odd], flat[odd], phases)[phase],
    )
    width = spread(flat)
    if width <= 0 or spread(flat - predicted) ** 2 > (1 - _EXPLAINED_MIN) * width**2:
        return None
    return _profile(phase, flat, phases)[phase]


def _profile(phase: NDArray[np.int64], flat: NDArray[np.float64], phases: int) -> NDArray[np.float64]:
    profile = _group_medians(phase, flat, phases)
    return profile - float(np.median(profile))


def _group_medians(group: NDArray[np.int64], values: NDArray[np.float64], groups: int = 0) -> NDArray[np.float64]:
    """Return the median value of each group, 0 for an empty one, shape (max(groups, largest group + 1),)."""
    order = np.lexsort((values, group))
    sizes = np.bincount(group, minlength=groups)
    starts = np.cumsum(sizes) - sizes
    filled = sizes > 0
    ordered = values[order]
    medians = np.zeros(len(sizes))
    low = starts[filled] + (sizes[filled] - 1) // 2
    high = starts[filled] + sizes[filled] // 2
    medians[filled] = (ordered[low] + ordered[high]) / 2
    return medians
