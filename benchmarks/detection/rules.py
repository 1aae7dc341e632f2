"""Peers that are rules rather than libraries, from their published descriptions."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def perfherder(values: Array) -> list[int]:
    """
    Mozilla's rule: a weighted t of the 12 points before and after above 7, and a change of at least 2%.

    Of neighbouring places above the threshold the one with the largest t counts. Weights fall linearly with the
    distance.

    Source: the description of Perfherder's alerts in Mozilla's performance sheriffing documentation.
    """
    back, ahead = 12, 12
    found: list[tuple[int, float]] = []
    for i in range(back, len(values) - ahead + 1):
        t, relative = _weighted_t(values[i - back : i], values[i : i + ahead])
        if t > 7 and relative >= 0.02:
            if found and i - found[-1][0] < ahead:
                if t > found[-1][1]:
                    found[-1] = (i, t)
            else:
                found.append((i, t))
    return [i for i, _ in found]


def _weighted_t(before: Array, after: Array) -> tuple[float, float]:
    weights_before = np.arange(1, len(before) + 1) / len(before)
    weights_after = np.arange(len(after), 0, -1) / len(after)
    mean_before = float(np.average(before, weights=weights_before))
    mean_after = float(np.average(after, weights=weights_after))
    variance_before = float(np.average((before - mean_before) ** 2, weights=weights_before)) * len(before) / 11
    variance_after = float(np.average((after - mean_after) ** 2, weights=weights_after)) * len(after) / 11
    error = np.sqrt(variance_before / len(before) + variance_after / len(after))
    difference = abs(mean_after - mean_before)
    relative = difference / abs(mean_before) if mean_before else np.inf
    return (float(difference / error) if error > 0 else (np.inf if difference > 0 else 0.0)), float(relative)


def k_sigma(values: Array) -> list[int]:
    """Report three points in a row more than three standard deviations from the mean of the 50 before; start anew."""
    found, start = [], 0
    for i in range(10, len(values) - 2):
        if i - start < 10:
            continue
        history = values[max(start, i - 50) : i]
        away = (values[i : i + 3] - history.mean()) / (history.std() or 1e-300)
        if np.all(away > 3) or np.all(away < -3):
            found.append(i)
            start = i
    return found


def fixed_threshold(values: Array) -> list[int]:
    """Report where the mean of ten points is 5% off the mean of the ten before, at the largest difference."""
    size = 10
    if len(values) < 2 * size:
        return []
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means = (sums[size:] - sums[:-size]) / size
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.nan_to_num(np.abs(means[size:] / means[:-size] - 1))
    found: list[int] = []
    for i in np.argsort(-change):
        if change[i] < 0.05:
            break
        place = int(i) + size
        if all(abs(place - other) >= size for other in found):
            found.append(place)
    return sorted(found)


RULES: Final[dict[str, Callable[[Array], list[int]]]] = {
    "Perfherder's t": perfherder,
    "3 sigma": k_sigma,
    "fixed 5%": fixed_threshold,
}
