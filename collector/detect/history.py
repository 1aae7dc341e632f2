"""All changes along one long history: exact segmentation, then only those changes stay that stand up to a test."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.detect.jumps import SCALES, Jumps, jumps_at_scale
from collector.detect.robust import despiked, spread, step_noise
from collector.detect.segmentation import segment
from collector.detect.stretches import Step, difference_errors, inflation, measure_step, p_values

POINTS_MIN: Final = 10
# Points between two changes: 5, and of long histories one in a hundred.
_LENGTH_MIN: Final = 5
_LENGTH_MIN_MOST: Final = 12
_LENGTH_SHARE: Final = 0.01
# What goes away sooner is a disturbance, not a change.
_EXCURSION_MIN: Final = 8
_EXCURSION_MIN_MOST: Final = 15
_EXCURSION_SHARE: Final = 0.015
# Back at the old level: nearer to it than this share of the excursion's height.
_RETURN_SHARE: Final = 0.5
# Per change, times the variance of the noise and ln(n); low, because the test comes after.
_PENALTY: Final = 3.0
# A step must stand this many standard deviations off: 1.1 between long stretches, 4 with five points on a side.
_EFFECT_MIN: Final = 1.1
_EFFECT_MIN_PER_ROOT: Final = 2.0
_EFFECT_MIN_PER_POINT: Final = 10.0
_CLEAN_SHARE_MIN: Final = 0.65
_SHARPNESS_MIN: Final = 2.75
# The search is for the best of all subsets of places. These are chosen generously; a true change is among them. The
# limit keeps the search of a restless history of a million points within seconds.
_SCREENED_FROM: Final = 64
_SCREEN_MIN: Final = 2.0
_PLACES_MAX: Final = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """
    One change of one history.

    Attributes:
        step: Where, and what is on both sides.
        p_value: See ``stretches.p_values``.
        standard_error: Of the difference after minus before.
        degrees: Of freedom, of that error.
    """

    step: Step
    p_value: float
    standard_error: float
    degrees: float


def find_changes(values: NDArray[np.float64], weights: NDArray[np.float64], *, p_max: float) -> list[Found]:
    """
    Return the changes of level along a history, in order of time.

    Args:
        values: Finite, in order of time, shape (n,). Under POINTS_MIN points there is no finding.
        weights: Samples behind each value, above 0, shape (n,).
        p_max: A change that chance makes more often than this is none.
    """
    if len(values) < POINTS_MIN:
        return []
    history = _History(values, weights)
    changes = history.candidates()
    history.drop_weakest(changes)
    return history.test(changes, p_max)


class _History:
    def __init__(self, raw: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        self._raw = raw
        self._weights = weights / float(np.mean(weights))
        self._values = despiked(raw)
        self._jumps = Jumps(self._values)
        self._n = len(raw)
        self._steps: dict[tuple[int, int, int], tuple[Step, float]] = {}
        self._length_min = int(np.clip(self._n * _LENGTH_SHARE, _LENGTH_MIN, _LENGTH_MIN_MOST))
        self._excursion_min = int(np.clip(self._n * _EXCURSION_SHARE, _EXCURSION_MIN, _EXCURSION_MIN_MOST))

    def candidates(self) -> list[int]:
        """Return the changes of the best segmentation: more than will stay."""
        noise = step_noise(self._values) or float(np.std(self._values))
        if noise <= 0:
            return []
        scaled = (self._values - float(np.median(self._values))) / noise
        return segment(
            scaled,
            self._weights,
            self._places(),
            penalty=_PENALTY * float(np.log(self._n)),
            length_min=self._length_min,
        )

    def _places(self) -> NDArray[np.int64]:
        """Return where a change may be: where a jump stands out on some scale; anywhere in a short history."""
        if self._n < _SCREENED_FROM:
            return np.arange(1, self._n, dtype=np.int64)
        scales = [*SCALES]
        while scales[-1] * 8 < self._n:
            scales.append(scales[-1] * 2)
        per_scale = [peaks(self._values, scale) for scale in scales if scale * 2 <= self._n]
        places = np.concatenate([found for found, _ in per_scale])
        sizes = np.concatenate([size for _, size in per_scale])
        largest = np.argsort(-sizes, kind="stable")[:_PLACES_MAX]
        return np.unique(places[largest])

    def drop_weakest(self, changes: list[int]) -> None:
        """Take out the least convincing change, over and over, until all that are left convince."""
        edges = [0, *changes, self._n]
        strengths = [self._strength(edges, number) for number in range(1, len(edges) - 1)]
        while strengths:
            weakest = strengths.index(min(strengths))
            if strengths[weakest] >= 1:
                break
            del edges[weakest + 1], strengths[weakest]
            # A change is judged by the stretches beside it, and by what its neighbours make of theirs.
            for near in range(max(weakest - 2, 0), min(weakest + 2, len(strengths))):
                strengths[near] = self._strength(edges, near + 1)
        changes[:] = edges[1:-1]

    def _strength(self, edges: list[int], number: int) -> float:
        """Return at least 1 for a step that is large, clean, sharp and stays."""
        step, strength = self._measured(edges, number)
        if strength < 1:
            return strength
        return 0.0 if self._is_excursion(edges, number, step) else strength

    def _measured(self, edges: list[int], number: int) -> tuple[Step, float]:
        bounds = (edges[number - 1], edges[number], edges[number + 1])
        known = self._steps.get(bounds)
        if known is None:
            step = measure_step(self._raw, self._values, self._weights, bounds)
            shorter = min(step.n_before, step.n_after)
            needed = _EFFECT_MIN + _EFFECT_MIN_PER_ROOT / shorter**0.5 + _EFFECT_MIN_PER_POINT / shorter
            effect = step.effect / needed
            sharpness = self._jumps.sharpness(*bounds) / _SHARPNESS_MIN
            known = step, min(effect, sharpness, step.clean_share / _CLEAN_SHARE_MIN)
            self._steps[bounds] = known
        return known

    def _is_excursion(self, edges: list[int], number: int, step: Step) -> bool:
        """Return whether the change begins or ends a short stretch after which the level is what it was."""
        height = step.after - step.before
        for other_number in (number - 1, number + 1):
            if not 0 < other_number < len(edges) - 1:
                continue
            other, _ = self._measured(edges, other_number)
            back = other.after - other.before
            short = abs(other.place - step.place) < self._excursion_min
            if short and height * back < 0 and abs(height + back) < _RETURN_SHARE * abs(height):
                return True
        return False

    def test(self, changes: list[int], p_max: float) -> list[Found]:
        """Return what is left of the changes when those go that chance could make."""
        while changes:
            edges = [0, *changes, self._n]
            steps = [self._measured(edges, number)[0] for number in range(1, len(edges) - 1)]
            inflated_by = inflation(self._values, edges)
            errors, degrees = difference_errors(steps, inflated_by)
            chances = p_values(steps, errors, degrees, self._length_min)
            worst = int(np.argmax(chances))
            if chances[worst] <= p_max:
                return [
                    Found(step=step, p_value=float(p), standard_error=float(error), degrees=float(freedom))
                    for step, p, error, freedom in zip(steps, chances, errors, degrees, strict=True)
                ]
            del changes[worst]
            self.drop_weakest(changes)
        return []


def peaks(values: NDArray[np.float64], scale: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """
    Return the places where the level jumps most, one for each stretch of *scale* places, and how far they stand out.

    Args:
        values: Shape (n,), n at least 2 * scale.
        scale: Points on either side.

    Returns:
        Indices of first points after a jump, and the size of each jump in units of what is usual.
    """
    jumps = jumps_at_scale(values, scale)
    usual = spread(jumps)
    if usual <= 0:
        usual = float(np.max(jumps)) or 1.0
    blocks = np.pad(jumps, (0, -len(jumps) % scale)).reshape(-1, scale)
    at = np.argmax(blocks, axis=1)
    sizes = blocks[np.arange(len(blocks)), at] / usual
    stands_out = sizes > _SCREEN_MIN
    starts = np.arange(len(blocks)) * scale
    return (starts + at + scale)[stands_out].astype(np.int64), sizes[stands_out]
