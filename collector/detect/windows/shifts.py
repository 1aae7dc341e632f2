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

# A domain kept its cost when the rest of it lost what a function gained: these shares of it, the lower one even by a
# standard error less. What lost much more also got better by itself.
_LOST_MIN: Final = 0.5
_LOST_MAX: Final = 1.5
_ERRORS: Final = 1.0
# A mix explains a change when both are alike as logarithms, to this share of the change or to what is unsure of it, but
# no more than half; and the mix has surely changed.
_MIX_ALIKE: Final = 0.25
_MIX_ALIKE_MAX: Final = 0.5
_MIX_ERRORS: Final = 2.5
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
    Return the first domain whose rest lost what a part of it gained, or the other way round; None where there is none.

    A domain whose rest is so dear that its own noise hides the change says nothing.

    Args:
        shift: Of the function, in the unit of the domains.
        domains: Name, and cost of everything in it but the function.
    """
    for name, rest in domains:
        lost = -rest.effect * math.copysign(1.0, shift)
        if lost - _ERRORS * rest.error > _LOST_MIN * abs(shift) and lost < _LOST_MAX * abs(shift):
            return name
    return None


def explained_by_mix(cost: Levels, mix: Iterable[tuple[str, Levels]]) -> str | None:
    """
    Return the operation whose share of the requests changed as a cost did, relatively; None without one.

    Args:
        cost: Per request, and the error of its change.
        mix: Operation, and its share of the requests.
    """
    if cost.before <= 0 or cost.after <= 0 or cost.before == cost.after:
        return None
    change = math.log(cost.after / cost.before)
    unsure = _MIX_ERRORS * cost.error / min(cost.before, cost.after)
    alike = min(max(_MIX_ALIKE * abs(change), unsure), _MIX_ALIKE_MAX * abs(change))
    for name, share in mix:
        if share.before <= 0 or share.after <= 0 or abs(share.effect) < _MIX_ERRORS_MIN * share.error:
            continue
        if abs(math.log(share.after / share.before) - change) <= alike:
            return name
    return None
