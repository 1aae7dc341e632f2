"""The rate of sampling, shared by whoever sets it (settings, the governor) and whoever keeps to it (the engines)."""

import random
from collections.abc import Callable

# Sample times lie at random around the rate: a fixed rhythm would beat against periodic work and see a part of it only.
_SPREAD = 0.5


class Pace:
    """The current rate. Any thread may read and set it: one attribute, replaced whole."""

    def __init__(self, rate_hz: float, *, uniform: Callable[[], float] = random.random) -> None:
        """
        Begin at a rate.

        Args:
            rate_hz: Samples a second of each target, above 0.
            uniform: Gives a fraction in [0, 1).
        """
        self.rate_hz = rate_hz
        self._uniform = uniform

    def interval_s(self) -> float:
        """Return a random time until the next sample: uniform from half to one and a half of the mean, 1/rate."""
        return (1 - _SPREAD + 2 * _SPREAD * self._uniform()) / self.rate_hz

    def draws(self, one_in: int) -> bool:
        """Return True once in so many calls, at random."""
        return self._uniform() * one_in < 1
