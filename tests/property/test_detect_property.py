"""What must hold for the changes of any series."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from collector.detect.series import Series, SeriesSettings, detect_changes

seeds = st.integers(0, 10_000)


def history(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 300))
    places = rng.integers(0, n, 3)
    level = sum(rng.uniform(-8, 8) * (np.arange(n) >= place) for place in places)
    return level + rng.standard_normal(n)


def a_series(values, name="a"):
    return Series(name=name, times_ns=np.arange(len(values), dtype=np.int64), values=values)


def found(*many):
    return [(c.series, c.index, c.direction) for c in detect_changes(many, SeriesSettings()).changes]


@settings(deadline=None, max_examples=40)
@given(seeds, st.floats(1e-9, 1e9))
def test_the_unit_does_not_matter(seed, scale):
    """Seconds or nanoseconds: the same changes."""
    values = history(seed)
    assert found(a_series(values)) == found(a_series(values * scale))


@settings(deadline=None, max_examples=40)
@given(seeds)
def test_sign_flip_flips_the_direction(seed):
    """What was up is down, at the same places."""
    flipped = {"up": "down", "down": "up"}
    values = history(seed)
    assert [(name, index, flipped[way]) for name, index, way in found(a_series(values))] == found(a_series(-values))


@settings(deadline=None, max_examples=20)
@given(st.lists(seeds, min_size=2, max_size=5, unique=True), st.randoms())
def test_the_order_of_series_does_not_matter(chosen, random):
    """Each series gets the same changes in whatever order they come."""
    many = [a_series(history(seed), str(seed)) for seed in chosen]
    before = sorted(found(*many))
    random.shuffle(many)
    assert before == sorted(found(*many))


@settings(deadline=None, max_examples=30)
@given(seeds, seeds)
def test_an_unrelated_series_changes_nothing(seed, other):
    """A second series adds its own changes and takes none away."""
    alone = found(a_series(history(seed)))
    both = found(a_series(history(seed)), a_series(history(other), "other"))
    assert alone == [change for change in both if change[0] == "a"]


@settings(deadline=None, max_examples=150)
@given(
    arrays(np.float64, st.integers(0, 60), elements=st.floats(allow_nan=True, allow_infinity=True)),
    st.integers(-(2**62), 2**62),
)
def test_any_numbers_are_survived(values, start):
    """No value and no time raises; what is found lies within the series and is made of finite numbers."""
    times = start + np.arange(len(values), dtype=np.int64) * 3_600_000_000_000 % 2**61
    findings = detect_changes([Series(name="a", times_ns=times, values=values)], SeriesSettings())
    for change in findings.changes:
        assert 0 < change.index < len(values)
        assert np.all(np.isfinite([change.before, change.after, change.low, change.high, change.p]))
