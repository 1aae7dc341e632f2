"""How the level before a place differs from the level after it, at every place and on several scales."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Points on either side.
SCALES: Final = (4, 8, 16, 32)
# The median of |z| for normal noise.
_NORMAL_MEDIAN: Final = 0.6745


class Jumps:
    """
    The jumps of one series, and how large they usually are.

    A step of the level is a jump unlike the others. In a series that wanders, or that hops between modes, jumps of the
    same size are all over the place, and none of them tells of a change.
    """

    def __init__(self, values: NDArray[np.float64]) -> None:
        """Take a series without spikes, shape (n,)."""
        self._by_scale = {scale: jumps_at_scale(values, scale) for scale in SCALES if len(values) >= 4 * scale}
        self._usual = {scale: _usual_size(jumps) for scale, jumps in self._by_scale.items()}

    def sharpness(self, start: int, place: int, end: int) -> float:
        """
        Return the size of the jump at a place over the usual size of jumps, on the scale where it stands out most.

        Usual is the larger of what is usual in the whole series, and what is usual inside the two stretches.

        Args:
            start: Where the stretch before the place starts.
            place: Index of the first point after the change.
            end: Where the stretch after it ends.

        Returns:
            At least 0; infinite where jumps are usually 0, or the series is too short to know.
        """
        if not self._by_scale:
            return np.inf
        largest = 0.0
        for scale, jumps in self._by_scale.items():
            if scale > min(place - start, end - place):
                continue
            usual = max(self._usual[scale], self._usual_inside(jumps, scale, (start, place), (place, end)))
            size = float(jumps[place - scale])
            largest = max(largest, size / usual if usual > 0 else np.inf if size > 0 else 0.0)
        return largest

    @staticmethod
    def _usual_inside(jumps: NDArray[np.float64], scale: int, *stretches: tuple[int, int]) -> float:
        # Entry i spans the points i to i + 2 * scale.
        inside = np.concatenate([jumps[start : max(end - 2 * scale + 1, start)] for start, end in stretches])
        return _usual_size(inside) if len(inside) >= 2 * scale else 0.0


def jumps_at_scale(values: NDArray[np.float64], scale: int) -> NDArray[np.float64]:
    """Return how far the means of *scale* points before and after each place differ, shape (n - 2 * scale + 1,)."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means = (sums[scale:] - sums[:-scale]) / scale
    return np.asarray(np.abs(means[scale:] - means[:-scale]), dtype=np.float64)


def _usual_size(jumps: NDArray[np.float64]) -> float:
    return float(np.median(jumps)) / _NORMAL_MEDIAN
