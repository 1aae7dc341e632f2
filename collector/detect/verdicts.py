"""From estimates to verdicts: many changes are collected, corrected together, and only then judged."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.detect.discovery import benjamini_hochberg
from collector.detect.sequential import anytime_p, critical_statistic, log_e_values
from collector.detect.settings import CompareSettings
from collector.detect.student_t import two_sided_quantile
from pyrometer.api import Change, Shortage, Verdict

_WORST_FIRST: Final[tuple[Verdict, ...]] = ("regression", "improvement", "no_change", "not_enough_data")
# A change of the size of the MDE is found four times in five: this quantile of the normal distribution.
_POWER_QUANTILE: Final = 0.8416


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    What a change that is watched over time rests on.

    Attributes:
        statistic: The difference over its standard error.
        error: That error, in the unit of the change.
        degrees: Degrees of freedom of the error.
        information: Length of the data, see ``sequential``.
    """

    statistic: float
    error: float
    degrees: float
    information: float


@dataclass(frozen=True, slots=True)
class _Case:
    change: Change
    absolute_min: float
    evidence: Evidence | None


class Jury:
    """Holds the tests of one answer until all are known, then gives each its q-values and verdict."""

    def __init__(self, settings: CompareSettings) -> None:
        self._settings = settings
        self._cases: list[_Case] = []

    def test(self, change: Change, *, absolute_min: float = 0.0, evidence: Evidence | None = None) -> Change:
        """
        Take a change whose p-value is known, and return it.

        Args:
            change: What is known only with all others is filled by ``judge``.
            absolute_min: In the unit of the change; a smaller one is no finding.
            evidence: Of a change that may be looked at again; without it there is one look, and nothing is settled.
        """
        self._cases.append(_Case(change, absolute_min, evidence))
        return change

    def judge(self) -> None:
        """Correct all p-values together and set every verdict. More is worse for each quantity tested here."""
        p_values = np.array([1.0 if case.change.p_value is None else case.change.p_value for case in self._cases])
        for case, q_value in zip(self._cases, benjamini_hochberg(p_values), strict=True):
            case.change.q_value = float(q_value)
            case.change.verdict = self._verdict(case, case.change.q_value)
        self._watch([case for case in self._cases if case.evidence is not None])

    def _watch(self, cases: list[_Case]) -> None:
        """
        Say of every change what holds however often one looks, and how small a change would be found.

        Benjamini-Hochberg on inverted e-values is the e-BH procedure: it needs no independence, and holds at any time.
        """
        if not cases:
            return
        statistic, error, degrees, information = _columns(cases)
        q_values = benjamini_hochberg(anytime_p(log_e_values(statistic, degrees, information)))
        reach = error * critical_statistic(-np.log(1 - self._settings.confidence), degrees, information)
        # What the smallest p-value must be when no other test is a finding.
        alone = self._settings.false_discovery_rate / len(self._cases)
        smallest = error * (two_sided_quantile(1 - alone, degrees) + _POWER_QUANTILE)
        for case, q_value, half, mde in zip(cases, q_values, reach, smallest, strict=True):
            change = case.change
            change.anytime_q = float(q_value)
            change.is_settled = self._verdict(case, change.anytime_q) == change.verdict != "no_change"
            change.mde = float(mde)
            if np.isfinite(half):
                change.always_low, change.always_high = change.absolute - float(half), change.absolute + float(half)

    def _verdict(self, case: _Case, q_value: float) -> Verdict:
        change = case.change
        # What was 0 before has no relative change: any certain change of it counts.
        large = change.relative is None or abs(change.relative) >= self._settings.effect_min
        certain = q_value < self._settings.false_discovery_rate
        if not certain or not large or abs(change.absolute) < case.absolute_min or change.absolute == 0:
            return "no_change"
        return "regression" if change.absolute > 0 else "improvement"


def _columns(cases: list[_Case]) -> tuple[NDArray[np.float64], ...]:
    evidence = [case.evidence for case in cases if case.evidence is not None]
    rows = [(one.statistic, one.error, one.degrees, one.information) for one in evidence]
    return tuple(np.array(rows, dtype=np.float64).T)


def a_change(
    *,
    baseline: float,
    candidate: float,
    low: float,
    high: float,
    p_value: float | None,
    verdict: Verdict,
    needs: Shortage | None = None,
    samples: int = 0,
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
        samples=samples,
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
