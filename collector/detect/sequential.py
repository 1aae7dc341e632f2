"""
Tests that may be looked at as often as one likes, and stopped at any moment.

A page that is loaded every minute, and a gate that asks until it is content, test again and again. A p-value of one
look finds something by chance in the end. An e-value does not: it is the likelihood ratio of "there is a change, of a
size not known" against "there is none", and by Ville's inequality it ever reaches 1/alpha with a probability of at most
alpha, however long one watches.

Source: Robbins, Ann. Math. Statist. 41 (1970), "Statistical Methods Related to the Law of the Iterated Logarithm" (the
mixture); Gönen et al., The American Statistician 59 (2005), "The Bayesian Two-Sample t Test" (with an estimated
variance); Pérez-Ortiz et al., Ann. Statist. 52 (2024), "E-statistics, group invariance and anytime-valid testing" (that
this one holds at any time); Wang & Ramdas, J. R. Statist. Soc. B 84 (2022) (many e-values at once).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# One bucket of the roll-ups is the unit of information: the size of a change is taken to be of the order of what
# varies from one such bucket to the next. It decides when the test is sharpest, not whether it holds.
UNIT_S: Final = 10.0


def information_of(buckets_baseline: int, buckets_candidate: int, *, bucket_s: int, paired: bool) -> float:
    """Return the length of the data in units of UNIT_S; of two releases apart, that of the harmonic mean's half."""
    if paired:
        return buckets_candidate * bucket_s / UNIT_S
    return buckets_baseline * buckets_candidate / (buckets_baseline + buckets_candidate) * bucket_s / UNIT_S


def log_e_values(statistic: FloatArray, degrees: FloatArray, information: FloatArray) -> FloatArray:
    """
    Return the logarithm of how much more likely a change makes the data than none.

    Args:
        statistic: Difference over its standard error, shape (n,); infinite is allowed, NaN gives no evidence.
        degrees: Degrees of freedom of the error, shape (n,).
        information: Length of the data in units of UNIT_S, shape (n,); grows with time, whatever the data say.

    Returns:
        Shape (n,); 0 says nothing, below 0 speaks for no change.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        x = np.minimum(np.where(np.isnan(statistic), 0.0, statistic) ** 2 / degrees, 1e300)
    growth = 1.0 + information
    log_e: FloatArray = (degrees + 1) / 2 * (np.log1p(x) - np.log1p(x / growth)) - np.log(growth) / 2
    return log_e


def critical_statistic(log_threshold: float, degrees: FloatArray, information: FloatArray) -> FloatArray:
    """
    Return how far from 0 the statistic must be for the e-value to reach a threshold.

    Args:
        log_threshold: Logarithm of it, such as log(20).
        degrees: As above, shape (n,).
        information: As above, shape (n,).

    Returns:
        Shape (n,); infinite where so little data can never reach it.
    """
    growth = 1.0 + information
    c = np.exp(np.minimum((log_threshold + np.log(growth) / 2) * 2 / (degrees + 1), 700.0))
    room = 1 - c / growth
    return np.sqrt(np.divide((c - 1) * degrees, room, out=np.full_like(c, np.inf), where=room > 0))


def anytime_p(log_e: FloatArray) -> FloatArray:
    """Return p-values that hold at any time: the inverse of the e-values, at most 1."""
    return np.exp(-np.maximum(log_e, 0.0))
