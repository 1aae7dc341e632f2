"""How long to wait before a part that died is started again."""

import random
from collections.abc import Callable
from typing import Final

FIRST_DELAY_S: Final = 0.5
DELAY_MAX_S: Final = 30.0
# A part that ran this long was well: what kills it next is a new fault.
STABLE_AFTER_S: Final = 60.0


class Backoff:
    """Exponential delays with jitter, from the first again after :meth:`reset`."""

    def __init__(
        self,
        *,
        first_s: float = FIRST_DELAY_S,
        max_s: float = DELAY_MAX_S,
        random_fraction: Callable[[], float] = random.random,
    ) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._random_fraction = random_fraction
        self._failures = 0

    def next_delay_s(self) -> float:
        """
        Count a failure and return the seconds to wait.

        The n-th delay lies between half of ``first * 2**n`` and all of it, so that parts that died together do not
        come back in lock-step.
        """
        full_s = min(self._max_s, self._first_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return full_s * (0.5 + 0.5 * self._random_fraction())

    def reset(self) -> None:
        """Forget past failures."""
        self._failures = 0
