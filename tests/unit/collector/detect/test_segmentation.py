"""The search for the best segmentation, against trying everything."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.detect.segmentation import segment


def cost(values, weights, changes, penalty):
    total = penalty * len(changes)
    for start, end in itertools.pairwise([0, *changes, len(values)]):
        part, weight = values[start:end], weights[start:end]
        total += float(np.sum(weight * (part - np.average(part, weights=weight)) ** 2))
    return total


def best_of_all(values, weights, penalty, length_min):
    n = len(values)
    subsets = (c for k in range(n) for c in itertools.combinations(range(1, n), k))
    allowed = (c for c in subsets if all(b - a >= length_min for a, b in itertools.pairwise([0, *c, n])))
    return min((cost(values, weights, c, penalty) for c in allowed), default=np.inf)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(-5, 5), min_size=6, max_size=11),
    st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=11, max_size=11),
    st.sampled_from([0.5, 2.0, 8.0]),
    st.sampled_from([1, 2, 3]),
)
def test_it_finds_the_optimum(numbers, weights, penalty, length_min):
    """No choice of changes is cheaper than the one found."""
    values = np.array(numbers, dtype=np.float64)
    weight = np.array(weights[: len(values)])
    found = segment(values, weight, np.arange(1, len(values)), penalty=penalty, length_min=length_min)
    assert abs(cost(values, weight, found, penalty) - best_of_all(values, weight, penalty, length_min)) < 1e-9


def test_changes_are_only_at_places_offered():
    """A step away from every place offered is taken at the nearest one."""
    values = np.repeat([0.0, 10.0], [20, 20])
    found = segment(values, np.ones(40), np.array([10, 18, 30]), penalty=5.0, length_min=2)
    assert [18] == [change for change in found if change == 18]
    assert set(found) <= {10, 18, 30}


def test_no_place_means_no_change():
    """Without a place, or in a series too short to divide, there is one stretch."""
    values = np.repeat([0.0, 10.0], [3, 3])
    assert [] == segment(values, np.ones(6), np.array([], dtype=np.int64), penalty=1.0, length_min=2)
    assert [] == segment(values, np.ones(6), np.arange(1, 6), penalty=1.0, length_min=4)
