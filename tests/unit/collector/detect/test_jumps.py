"""How a jump is told from the jumps that a series has all the time."""

import numpy as np

from collector.detect.jumps import Jumps, jumps_at_scale


def test_a_step_in_noise_is_sharp():
    """A step of three spreads is several times the usual jump."""
    values = np.random.default_rng(1).standard_normal(200) + 3 * (np.arange(200) >= 100)
    assert Jumps(values).sharpness(0, 100, 200) > 4


def test_a_turn_of_a_random_walk_is_not():
    """In walks the largest jump is not far above the others; a few of them reach what a step has."""
    sharpest = []
    for seed in range(20):
        values = np.cumsum(np.random.default_rng(seed).standard_normal(400))
        place = int(np.argmax(jumps_at_scale(values, 16))) + 16
        sharpest.append(Jumps(values).sharpness(0, place, 400))
    assert np.median(sharpest) < 3.5


def test_a_step_without_noise_is_infinitely_sharp():
    """Where nothing else ever moves, any step stands out, and no step does not."""
    values = np.repeat([1.0, 2.0], 50)
    assert np.inf == Jumps(values).sharpness(0, 50, 100)
    assert Jumps(np.ones(100)).sharpness(0, 50, 100) == 0


def test_a_series_too_short_to_judge_is_not_held_against_it():
    """Under sixteen points nothing is known of usual jumps."""
    assert np.inf == Jumps(np.arange(12.0)).sharpness(0, 6, 12)
