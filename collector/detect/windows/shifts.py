"""
Cost shifts: cost that moved with code or with the mix of requests, and that nobody pays more for.

A function that grew while the module, the class or the service around it kept its cost got its cost from there: code
was moved, renamed or inlined. One that grew as much as the share of an operation among the requests did is called more
often, and does not cost more.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from collector.detect.windows.panel import BoolArray, FloatArray
from collector.detect.windows.seasons import seasons

# A domain kept its cost when, even a standard error further, it changed by less than this share of the change.
_KEPT_SHARE: Final = 0.5
_ERRORS: Final = 1.0
# A mix explains a change when both are alike to this share of it, as logarithms, and the mix has surely changed.
_MIX_ALIKE: Final = 0.25
_MIX_ERRORS_MIN: Final = 4.0
# Points whose sums are compared to learn how uncertain a level is.
_BLOCK: Final = 12
_BLOCKS_MIN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """A series before and after a moment: means, and the standard error of their difference."""

    before: float
    after: float
    error: float

    @property
    def effect(self) -> float:
        """After minus before."""
        return self.after - self.before


def levels_around(values: FloatArray, index: int, *, start_s: int, step_s: int) -> Levels | None:
    """
    Return the levels of a series before and after a point, without seasons; None where one of them is not known.

    Args:
        values: Shape (n_times,); what is not finite is a missing value.
        index: Of the first point after.
        start_s: Start of the first point's bucket, Unix seconds.
        step_s: Length of a bucket.

    Source: as ``noise.measure_noise``: sums over blocks for noise that resembles itself.
    """
    present = np.isfinite(values)
    late = np.arange(len(values)) >= index
    n_before, n_after = int((present & ~late).sum()), int((present & late).sum())
    if not n_before or not n_after:
        return None
    flat = np.where(present, values, 0.0)
    residuals = _residuals(flat, present, late)
    season = seasons(residuals[None, :], present[None, :], start_s=start_s, step_s=step_s)[0]
    flat = flat - season
    before, after = float(flat[present & ~late].mean()), float(flat[present & late].mean())
    residuals = _residuals(flat, present, late)
    variance = float(residuals @ residuals) / max(n_before + n_after - 2, 1)
    n_blocks = len(values) // _BLOCK
    if n_blocks >= _BLOCKS_MIN:
        sums = residuals[: n_blocks * _BLOCK].reshape(n_blocks, _BLOCK).sum(axis=1)
        variance = max(variance, float(sums @ sums) / max(int(present[: n_blocks * _BLOCK].sum()), 1))
    return Levels(before=before, after=after, error=math.sqrt(variance * (1 / n_before + 1 / n_after)))


def _residuals(values: FloatArray, present: BoolArray, late: BoolArray) -> FloatArray:
    before, after = values[present & ~late].mean(), values[present & late].mean()
    return np.where(present, values - np.where(late, after, before), 0.0)


def shifted_within(shift: float, domains: Iterable[tuple[str, Levels]]) -> str | None:
    """
    Return the first domain whose cost stayed while a part of it changed by *shift*; None where there is none.

    A domain that is so dear that its own noise hides the change says nothing.

    Args:
        shift: Of the function, in the unit of the domains.
        domains: Name, and cost of everything in it, the function included.
    """
    for name, levels in domains:
        moved = levels.effect * math.copysign(1.0, shift)
        if abs(moved) + _ERRORS * levels.error < _KEPT_SHARE * abs(shift):
            return name
    return None


def explained_by_mix(before: float, after: float, mix: Iterable[tuple[str, Levels]]) -> str | None:
    """
    Return the operation whose share of the requests changed as a cost did, relatively; None without one.

    Args:
        before: The cost per request.
        after: The same after the change.
        mix: Operation, and its share of the requests.
    """
    if before <= 0 or after <= 0 or before == after:
        return None
    change = math.log(after / before)
    for name, share in mix:
        if share.before <= 0 or share.after <= 0 or abs(share.effect) < _MIX_ERRORS_MIN * share.error:
            continue
        if abs(math.log(share.after / share.before) - change) <= _MIX_ALIKE * abs(change):
            return name
    return None
