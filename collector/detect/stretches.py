"""What lies on both sides of one change: levels, effect, and whether chance could do it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.detect.student_t import two_sided_p

# A level is that of the nearest points: a slow drift far away says nothing about the change.
POINTS_MAX: Final = 200
_PHI_MAX: Final = 0.95
# Two stretches are told apart by noise of at least this share of their level: the rounding of floats.
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    A change and the two stretches beside it.

    Attributes:
        place: Index of the first point after the change.
        before, after: Mean levels, spikes cut down.
        noise: Standard deviation of one point within the stretches.
        effect: Difference of the levels in units of the noise: the smaller one of means and medians.
        clean_share: Share of the points on their own side of the middle between both levels, the worse side's.
        n_before, n_after: Points that the levels rest on.
        span: Points in both whole stretches.
    """

    place: int
    before: float
    after: float
    noise: float
    effect: float
    clean_share: float
    n_before: int
    n_after: int
    span: int


def measure_step(
    raw: NDArray[np.float64],
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    bounds: tuple[int, int, int],
) -> Step:
    """
    Measure one change.

    Args:
        raw: The series, shape (n,).
        values: The same without spikes.
        weights: Of the points, above 0.
        bounds: Start of the stretch before the change, first point after the change, end of the stretch after it.
    """
    start, place, end = bounds
    before, after = slice(max(start, place - POINTS_MAX), place), slice(place, min(end, place + POINTS_MAX))
    left, right = values[before], values[after]
    mean_left = float(np.average(left, weights=weights[before]))
    mean_right = float(np.average(right, weights=weights[after]))
    squares = float(np.sum((left - mean_left) ** 2) + np.sum((right - mean_right) ** 2))
    rounding = _ROUNDING * max(abs(mean_left), abs(mean_right))
    noise = max(float(np.sqrt(squares / max(len(left) + len(right) - 2, 1))), rounding)
    between_means = mean_right - mean_left
    between_medians = float(np.median(right) - np.median(left))
    apart = min(abs(between_means), abs(between_medians)) if between_means * between_medians > 0 else 0.0
    return Step(
        place=place,
        before=mean_left,
        after=mean_right,
        noise=noise,
        effect=apart / noise if noise > 0 else 0.0,
        clean_share=_clean_share(raw[before], raw[after]),
        n_before=len(left),
        n_after=len(right),
        span=end - start,
    )


def _clean_share(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    low, high = float(np.median(left)), float(np.median(right))
    middle = (low + high) / 2
    if high < low:
        left, right = right, left
    return min(float(np.mean(left < middle)), float(np.mean(right > middle)))


def inflation(values: NDArray[np.float64], edges: list[int]) -> float:
    """
    Return by how much autocorrelation within the stretches widens the variance of a mean: (1 + phi) / (1 - phi).

    Args:
        values: Shape (n,).
        edges: 0, the changes, n: ascending.

    Source: as ``autocorrelation.variance_inflation``, with one mean taken out for each stretch.
    """
    lengths = np.diff(edges)
    means = np.add.reduceat(values, edges[:-1]) / lengths
    residuals = values - np.repeat(means, lengths)
    power = float(np.sum(residuals * residuals))
    products = residuals[1:] * residuals[:-1]
    lagged = float(np.sum(products)) - float(np.sum(products[np.array(edges[1:-1], dtype=np.int64) - 1]))
    raw = lagged / power if power > 0 else 0.0
    phi = min(max(raw + len(lengths) * (1 + 3 * raw) / len(values), 0.0), _PHI_MAX)
    return (1 + phi) / (1 - phi)


def difference_errors(steps: list[Step], inflated_by: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return how uncertain the difference of both levels is: its standard error and that error's degrees of freedom.

    Args:
        steps: Of one series.
        inflated_by: See ``inflation``; there are so many times fewer independent points.

    Returns:
        Both of shape (n_steps,).
    """
    errors = [step.noise * np.sqrt(inflated_by * (1 / step.n_before + 1 / step.n_after)) for step in steps]
    degrees = [max((step.n_before + step.n_after) / inflated_by - 2, 1.0) for step in steps]
    return np.array(errors), np.array(degrees)


def p_values(
    steps: list[Step], errors: NDArray[np.float64], degrees: NDArray[np.float64], length_min: int
) -> NDArray[np.float64]:
    """
    Return for each change the probability that chance makes one as large, anywhere between its neighbours.

    Student's t between both levels, times the number of places that the search could choose from (Bonferroni).
    """
    difference = np.array([step.after - step.before for step in steps])
    tries = np.array([max(step.span / length_min, 1.0) for step in steps])
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(difference == 0, 0.0, difference / errors)
    return np.asarray(np.minimum(two_sided_p(t, degrees) * tries, 1.0), dtype=np.float64)
