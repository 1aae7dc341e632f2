"""Quantiles of latency histograms: sixteen bins an octave, bin i holds durations of 2**(i/16) to 2**((i+1)/16) ns."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyrometer.units import NS_PER_MS

FloatArray = NDArray[np.float64]

BINS_PER_OCTAVE: Final = 16


def quantiles_ms(indexes: Sequence[int], counts: Sequence[float], shares: tuple[float, ...]) -> list[float]:
    """
    Return quantiles as the geometric middle of the bin they lie in: at most 2.2% off, whatever is inside the bin.

    Args:
        indexes: Of the bins, ascending.
        counts: Requests per bin; their sum is above 0.
        shares: Which quantiles, in (0, 1]; 0.95 is p95.

    Returns:
        Milliseconds, one per share.
    """
    cumulative = np.cumsum(np.asarray(counts, dtype=np.float64))
    # The smallest bin at or below which lies the asked share; a sum that rounds up must not push it one further.
    places = np.searchsorted(cumulative, np.asarray(shares) * cumulative[-1] * (1 - 1e-12))
    return [float(2.0 ** ((indexes[place] + 0.5) / BINS_PER_OCTAVE)) / NS_PER_MS for place in places]


def interpolated_quantiles_ns(first_index: int, counts: FloatArray, shares: tuple[float, ...]) -> FloatArray:
    """
    Return quantiles of many histograms, interpolated inside their bins on a logarithmic scale.

    Where two releases are compared, the middle of a bin would jump by 4.4% when a quantile crosses an edge; the
    interpolated value moves with the counts.

    Args:
        first_index: Index of the first bin.
        counts: Requests per histogram and bin, shape (n_histograms, n_bins), bins contiguous.
        shares: Which quantiles, each in (0, 1).

    Returns:
        Nanoseconds, shape (n_shares, n_histograms); 0 where a histogram is empty.
    """
    cumulative = np.cumsum(counts, axis=1)
    total = cumulative[:, -1]
    rows = np.arange(len(counts))
    values = np.zeros((len(shares), len(counts)))
    for number, share in enumerate(shares):
        target = share * total
        place = np.minimum((cumulative < target[:, None]).sum(axis=1), counts.shape[1] - 1)
        inside = counts[rows, place]
        below = cumulative[rows, place] - inside
        fraction = np.divide(target - below, inside, out=np.zeros_like(target), where=inside > 0)
        values[number] = np.exp2((first_index + place + np.clip(fraction, 0.0, 1.0)) / BINS_PER_OCTAVE)
    return np.where(total > 0, values, 0.0)
