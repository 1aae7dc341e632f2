"""What must hold for a scan of any windows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.unit.collector.detect.windows_support import a_panel, noise, scan

N_TIMES = 300
seeds = st.integers(0, 10_000)


def a_window(seed):
    rng = np.random.default_rng(seed)
    steps = sum(rng.uniform(-4, 4) * (np.arange(N_TIMES) >= place) for place in rng.integers(50, N_TIMES, 2))
    return steps + noise(seed, N_TIMES)


def found(*rows, names=None):
    return [(one.key.name, one.index, one.direction) for one in scan(a_panel(*rows, names=names))[0]]


@settings(deadline=None, max_examples=40)
@given(seeds, st.floats(1e-9, 1e9))
def test_the_unit_does_not_matter(seed, scale):
    """Cores or nanoseconds: the same changes."""
    assert found(a_window(seed)) == found(a_window(seed) * scale)


@settings(deadline=None, max_examples=40)
@given(seeds)
def test_sign_flip_flips_the_direction(seed):
    """What was up is down, at the same places."""
    flipped = {"up": "down", "down": "up"}
    assert [(name, index, flipped[way]) for name, index, way in found(a_window(seed))] == found(-a_window(seed))


@settings(deadline=None, max_examples=20)
@given(st.lists(seeds, min_size=2, max_size=6, unique=True), st.randoms())
def test_the_order_of_series_does_not_matter(chosen, random):
    """Each series gets the same changes in whatever row it stands."""
    before = found(*map(a_window, chosen), names=list(map(str, chosen)))
    random.shuffle(chosen)
    assert before == found(*map(a_window, chosen), names=list(map(str, chosen)))


@settings(deadline=None, max_examples=20)
@given(seeds, seeds)
def test_an_unrelated_series_changes_no_clear_verdict(seed, other):
    """A second, quiet series adds nothing and takes nothing away."""
    clear = a_window(seed) + 20 * (np.arange(N_TIMES) >= 200)
    alone = found(clear, names=["a"])
    beside = found(clear, noise(other, N_TIMES), names=["a", "b"])
    assert alone == [one for one in beside if one[0] == "a"]


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 80)), elements=st.floats(allow_nan=True)),
)
def test_no_matrix_stops_a_scan(values):
    """Whatever floats come: a list of findings, with finite numbers."""
    findings, funnel = scan(a_panel(*values))
    assert len(values) == funnel.series
    assert all(np.isfinite([one.before, one.after, one.low, one.high, one.p_value]).all() for one in findings)
