"""
Student's t distribution: tail probabilities and quantiles, for real degrees of freedom.

NumPy has no special functions, and a product that needs only these two should not install SciPy for them.
"""

import math
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

# The continued fraction gains about one digit a step; 300 steps reach machine precision for every input in use here.
_STEPS_MAX: Final = 300
_TINY: Final = 1e-300
_NEWTON_STEPS_MAX: Final = 60
_NEWTON_TOLERANCE: Final = 1e-12
_STIRLING_FROM: Final = 10
_HALF_LOG_2_PI: Final = 0.5 * math.log(2 * math.pi)


def two_sided_p(t: NDArray[np.float64], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return the probability of a value at least as far from 0 as *t*, on either side.

    Args:
        t: Statistics, shape (n,); infinite is allowed, NaN gives NaN.
        degrees: Degrees of freedom, shape (n,), each above 0.

    Returns:
        Probabilities in [0, 1], shape (n,).

    Source: Abramowitz & Stegun, Handbook of Mathematical Functions, 26.7.1: p = I_x(df/2, 1/2), x = df/(df + t^2).
    """
    t = np.asarray(t, dtype=np.float64)
    degrees = np.broadcast_to(np.asarray(degrees, dtype=np.float64), t.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        x = np.where(np.isinf(t), 0.0, degrees / (degrees + t * t))
    return _incomplete_beta(degrees / 2, 0.5, x)


def two_sided_quantile(confidence: float, degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return the t that the given share of the distribution lies within, on both sides together.

    Args:
        confidence: In (0, 1); 0.95 gives the 97.5% quantile.
        degrees: Degrees of freedom, shape (n,), each at least 1.

    Returns:
        Numbers above 0, shape (n,); 1.96 for 0.95 and many degrees.
    """
    degrees = np.asarray(degrees, dtype=np.float64)
    tail = 1.0 - confidence
    # The tail is convex to the right of 0 and heavier than the normal's, so Newton from the normal quantile never
    # overshoots and meets the root from the left.
    t = np.full_like(degrees, normal_quantile(confidence))
    for _ in range(_NEWTON_STEPS_MAX):
        step = (two_sided_p(t, degrees) - tail) / (2 * _density(t, degrees))
        t = t + step
        if np.all(np.abs(step) <= _NEWTON_TOLERANCE * t):
            break
    return t


def normal_quantile(confidence: float) -> float:
    """Return the same for the normal distribution."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _density(t: NDArray[np.float64], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    log_scale = _log_gamma((degrees + 1) / 2) - _log_gamma(degrees / 2)
    density: NDArray[np.float64] = np.exp(log_scale - (degrees + 1) / 2 * np.log1p(t * t / degrees))
    return density / np.sqrt(math.pi * degrees)


def _log_gamma(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return the logarithm of the gamma function of numbers above 0, to 14 digits.

    Source: Abramowitz & Stegun, Handbook of Mathematical Functions, 6.1.41 (Stirling's series), after 6.1.15 has
    brought small arguments to where it converges fast.
    """
    raised, y = np.zeros_like(x), np.array(x)
    for _ in range(_STIRLING_FROM):
        small = y < _STIRLING_FROM
        if not small.any():
            break
        raised[small] += np.log(y[small])
        y[small] += 1
    inverse = 1 / y
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))))
    result: NDArray[np.float64] = (y - 0.5) * np.log(y) - y + _HALF_LOG_2_PI + series - raised
    return result


def _incomplete_beta(a: NDArray[np.float64], b: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the regularised incomplete beta function I_x(a, b), shape of *x*."""
    # The fraction converges fast only left of the mean; right of it the symmetry I_x(a,b) = 1 - I_{1-x}(b,a) serves.
    b_array = np.full_like(a, b)
    swap = x > (a + 1) / (a + b + 2)
    p, q = np.where(swap, b_array, a), np.where(swap, a, b_array)
    z = np.where(swap, 1 - x, x)
    log_beta = _log_gamma(p) + _log_gamma(q) - _log_gamma(p + q)
    with np.errstate(divide="ignore", invalid="ignore"):
        front = np.exp(p * np.log(z) + q * np.log1p(-z) - log_beta) / p
        part = np.where(z <= 0, 0.0, front * _continued_fraction(p, q, z))
    result = np.where(swap, 1 - part, part)
    return np.where(np.isnan(x), np.nan, np.clip(result, 0.0, 1.0))


def _continued_fraction(a: NDArray[np.float64], b: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Evaluate the continued fraction of the incomplete beta function.

    Source: Press et al., Numerical Recipes, 3rd ed., 6.4.5, by the modified Lentz method.
    """

    def safe(value: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(np.abs(value) < _TINY, _TINY, value)

    c = np.ones_like(x)
    d = 1 / safe(1 - (a + b) * x / (a + 1))
    h = d.copy()
    for m in range(1, _STEPS_MAX):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / safe(1 + numerator * d)
            c = safe(1 + numerator / c)
            step = c * d
            h = h * step
        if np.all(np.abs(step - 1) < 1e-14):  # noqa: PLR2004 - machine precision
            break
    return h
