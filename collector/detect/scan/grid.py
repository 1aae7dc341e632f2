"""The steps of time that all series of a scan share."""

import math
from dataclasses import dataclass
from typing import Final

from collector.detect.scan.settings import ScanSettings

_STEPS_S: Final = (60, 120, 300, 600, 1800, 3600, 7200, 14_400, 43_200, 86_400)
_BUCKET_S: Final = 10
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Whole steps from *start_s*, Unix seconds, a multiple of *step_s*."""

    start_s: int
    step_s: int
    n_steps: int

    @property
    def end_s(self) -> int:
        """Return when the last step ends."""
        return self.start_s + self.n_steps * self.step_s

    def parameters(self) -> dict[str, int]:
        """Return the parameters of queries on it."""
        return {"start_s": self.start_s, "end_s": self.end_s, "step_s": self.step_s, "n_steps": self.n_steps}


def choose_grid(first_s: int, last_s: int, *, now_s: float, settings: ScanSettings) -> Grid | None:
    """
    Return the finest grid over what was seen, or None where that is too short to say what is usual.

    Args:
        first_s: Start of the first bucket of 10 s in which something was seen.
        last_s: And of the last.
        now_s: What is younger than ``settle_s`` before this is left out.
        settings: See there.
    """
    end_s = min(last_s + _BUCKET_S, now_s - settings.settle_s)
    for step_s in _STEPS_S:
        # The steps in which a service came and went are not whole.
        start = math.ceil(first_s / step_s)
        n_steps = math.floor(end_s / step_s) - start
        if n_steps <= settings.points_max:
            is_long = n_steps * step_s >= settings.history_hours_min * _HOUR_S - step_s
            return Grid(start_s=start * step_s, step_s=step_s, n_steps=n_steps) if is_long else None
    return None
