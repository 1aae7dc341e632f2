"""Benjamini-Hochberg."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.detect.discovery import benjamini_hochberg


def test_the_example_of_the_paper_rejects_four_hypotheses():
    """Benjamini & Hochberg 1995, section 4.1: of fifteen tests, four are findings at a rate of 0.05."""
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p_values += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert (benjamini_hochberg(np.array(p_values)) < 0.05).sum() == 4


def test_no_tests_give_no_values():
    """An answer without tests is not an error."""
    assert benjamini_hochberg(np.zeros(0)).shape == (0,)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_values_grow_with_p_and_are_never_below_it(p_values):
    """A q-value is at least its p-value, at most 1, and keeps the order of the p-values."""
    p = np.array(p_values)
    q = benjamini_hochberg(p)
    assert np.all(q >= p - 1e-15)
    assert np.all(q <= 1)
    assert np.all(np.diff(q[np.argsort(p, kind="stable")]) >= 0)
