"""Many tests at once: the false discovery rate."""

import numpy as np
from numpy.typing import NDArray


def benjamini_hochberg(p_values: NDArray[np.float64], *, n_tests: int | None = None) -> NDArray[np.float64]:
    """
    Return the smallest false discovery rate at which each test would be a finding.

    Args:
        p_values: Shape (n,), each in [0, 1].
        n_tests: Tests made, where only the smallest p-values are given; at least n. None: n.

    Returns:
        q-values, same shape and order; each at least its p-value, and at most 1.

    Source: Benjamini & Hochberg, J. R. Statist. Soc. B 57 (1995), section 3; it holds under positive dependence, such
    as that of a function's own and total time (Benjamini & Yekutieli, Ann. Statist. 29, 2001).
    """
    n_given = len(p_values)
    if n_given == 0:
        return np.zeros(0)
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * max(n_tests or n_given, n_given) / np.arange(1, n_given + 1)
    # A test is never less significant than one with a larger p-value.
    monotone = np.minimum.accumulate(scaled[::-1])[::-1]
    q_values = np.empty(n_given)
    q_values[order] = np.minimum(monotone, 1.0)
    return q_values
