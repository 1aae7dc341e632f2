"""The simulator of fresh windows and the scores: what is true of them whatever the detector."""

import numpy as np
import pytest

from benchmarks.detection import windows_table
from benchmarks.detection.reference import reference_stages
from benchmarks.detection.windows import KINDS, QUIET, Window, simulate


@pytest.mark.parametrize("kind", KINDS)
def test_windows_come_from_their_seed(kind):
    """The same seed gives the same windows, another one others; quiet kinds have no effect to find."""
    first, again, other = (simulate(seed, kind, 2, n_times=300) for seed in (1, 1, 2))
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.values, same.values)
        assert (one.place, one.effect_mde) == (same.place, same.effect_mde)
    assert not np.array_equal(first[0].values, other[0].values, equal_nan=True)
    assert kind in QUIET or all(one.effect_mde > 0 and 0 < one.place < 300 for one in first)


def test_a_step_is_as_large_as_it_says():
    """The mean difference over many windows is the effect times the MDE that the knobs give."""
    large = [one for one in simulate(3, "step", 60, n_times=400) if one.effect_mde > 5]
    rises = [np.nanmean(one.values[one.place :]) / np.nanmean(one.values[: one.place]) for one in large]
    assert all((rise > 1) == (one.direction > 0) for rise, one in zip(rises, large, strict=True))


def test_only_one_finding_hits_a_change():
    """A second one near it, one elsewhere and one in a quiet window are false."""
    values = np.zeros(400)
    step = Window(kind="step", values=values, samples=values, place=200, effect_mde=1.7)
    quiet = Window(kind="null", values=values, samples=values)
    score = windows_table.score({"step": [step], "null": [quiet]}, [[190, 205, 50], [7]])
    assert (1, 3, 1) == (score.hits.sum(), score.false, score.alarmed["null"])
    assert (1.0, 0.25, [5]) == (score.recall(2), score.precision, score.delays)


def test_our_scan_finds_what_is_large_and_is_quiet_else():
    """A few windows of each kind, through the same code as the tables."""
    by_kind = windows_table.windows(4, 6, 864)
    found, _ = windows_table.ours(by_kind)
    score = windows_table.score(by_kind, found)
    assert score.recall(3) >= 0.9
    assert sum(score.alarmed[kind] for kind in ("null", "autocorrelated", "seasonal", "transient")) == 0


def test_the_reading_of_the_reference_finds_a_plain_step_and_nothing_in_a_constant():
    """A step in its analysis window is reported once, whichever way it goes."""
    times = np.arange(864)
    step = times % 2 + 20 * (times >= 590)
    assert ([590], [590]) == (reference_stages(step), reference_stages(-step))
    assert [] == reference_stages(np.ones(864))
