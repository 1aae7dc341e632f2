"""Exact segmentation of one series into stretches of constant level."""

import numpy as np
from numpy.typing import NDArray


def segment(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    places: NDArray[np.int64],
    *,
    penalty: float,
    length_min: int,
) -> list[int]:
    """
    Return the changes whose levels fit best: the weighted squared error plus a penalty for each change is least.

    It is the optimum over all subsets of *places*, found by dynamic programming with pruning.

    Args:
        values: Shape (n,), n > 0, best near 0: sums of their squares are subtracted.
        weights: Above 0, shape (n,).
        places: Indices at which a change may be, ascending, within (0, n), shape (k,).
        penalty: For one change, in the unit of weight times value squared.
        length_min: Points in a stretch, at least; where n is less, there is one stretch.

    Returns:
        Indices of the first points after each change, ascending.

    Source: Killick, Fearnhead & Eckley, "Optimal detection of changepoints with a linear computational cost", JASA 107
    (2012), section 3. With a minimum length, a beaten start may still win until the end that beat it can be a change.
    """
    n = len(values)
    ends = np.concatenate([places[(places >= length_min) & (places <= n - length_min)], [n]])
    weight_sum, value_sum, square_sum = (
        np.concatenate([[0.0], np.cumsum(term)]) for term in (weights, weights * values, weights * values * values)
    )
    best = np.zeros(n + 1)
    best[0] = -penalty
    previous = np.zeros(n + 1, dtype=np.int64)
    starts = np.zeros(1, dtype=np.int64)
    beaten_at = np.full(1, n + 1)
    waiting = 0
    for end in ends:
        first = waiting
        while waiting < len(ends) and ends[waiting] <= end - length_min:
            waiting += 1
        alive = beaten_at > end - length_min
        starts = np.concatenate([starts[alive], ends[first:waiting]])
        beaten_at = np.concatenate([beaten_at[alive], np.full(waiting - first, n + 1)])
        sums = value_sum[end] - value_sum[starts]
        costs = (
            best[starts] + square_sum[end] - square_sum[starts] - sums * sums / (weight_sum[end] - weight_sum[starts])
        )
        chosen = int(np.argmin(costs))
        best[end] = costs[chosen] + penalty
        previous[end] = starts[chosen]
        beaten_at[(costs > best[end]) & (beaten_at > end)] = end
    changes = []
    at = int(previous[n])
    while at > 0:
        changes.append(at)
        at = int(previous[at])
    return changes[::-1]
