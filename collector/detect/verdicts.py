"""From estimates to verdicts: many changes are collected, corrected together, and only then judged."""

from typing import Final

import numpy as np

from collector.detect.discovery import benjamini_hochberg
from collector.detect.settings import CompareSettings
from pyrometer.api import Change, Shortage, Verdict

_WORST_FIRST: Final[tuple[Verdict, ...]] = ("regression", "improvement", "no_change", "not_enough_data")


class Jury:
    """Holds the tests of one answer until all are known, then gives each its q-value and verdict."""

    def __init__(self, settings: CompareSettings) -> None:
        self._settings = settings
        self._tested: list[tuple[Change, float]] = []

    def test(self, change: Change, *, absolute_min: float = 0.0) -> Change:
        """
        Take a change whose p-value is known, and return it.

        Args:
            change: Its ``q_value`` and ``verdict`` are filled by ``judge``.
            absolute_min: In the unit of the change; a smaller one is no finding.
        """
        self._tested.append((change, absolute_min))
        return change

    def judge(self) -> None:
        """Correct all p-values together and set every verdict. More is worse for each quantity tested here."""
        p_values = np.array([1.0 if change.p_value is None else change.p_value for change, _ in self._tested])
        for (change, absolute_min), q_value in zip(self._tested, benjamini_hochberg(p_values), strict=True):
            change.q_value = float(q_value)
            change.verdict = self._verdict(change, absolute_min)

    def _verdict(self, change: Change, absolute_min: float) -> Verdict:
        certain = change.q_value is not None and change.q_value < self._settings.false_discovery_rate
        # What was 0 before has no relative change: any certain change of it counts.
        large = change.relative is None or abs(change.relative) >= self._settings.effect_min
        if not certain or not large or abs(change.absolute) < absolute_min or change.absolute == 0:
            return "no_change"
        return "regression" if change.absolute > 0 else "improvement"


def a_change(
    *,
    baseline: float,
    candidate: float,
    low: float,
    high: float,
    p_value: float | None,
    verdict: Verdict,
    needs: Shortage | None = None,
) -> Change:
    """Return a change before it is judged."""
    absolute = candidate - baseline
    return Change(
        baseline=baseline,
        candidate=candidate,
        absolute=absolute,
        low=low,
        high=high,
        relative=absolute / baseline if baseline else None,
        p_value=p_value,
        q_value=None,
        verdict=verdict,
        needs=needs,
    )


def untested(
    baseline: float, candidate: float, verdict: Verdict = "not_enough_data", *, needs: Shortage | None = None
) -> Change:
    """Return a change that was not tested; its interval is the difference itself."""
    difference = candidate - baseline
    return a_change(
        baseline=baseline,
        candidate=candidate,
        low=difference,
        high=difference,
        p_value=None,
        verdict=verdict,
        needs=needs,
    )


def more_buckets(seen: int, needed: int) -> Shortage:
    """Return how many time buckets are missing; at least 1, for whom fewer than needed were seen."""
    return Shortage(more=max(needed - seen, 1), unit="buckets")


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the verdict of the whole: a regression in any part is one, and one part with enough data is enough."""
    return min(verdicts, key=_WORST_FIRST.index)
