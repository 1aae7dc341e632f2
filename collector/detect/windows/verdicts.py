"""From changes of single series to findings of a scan: what chance made goes, and what is too small."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from collector.detect.discovery import benjamini_hochberg
from collector.detect.finding import Finding, FindingState, Kind
from collector.detect.student_t import two_sided_quantile
from collector.detect.windows.changes import Funnel, WindowChange
from collector.detect.windows.settings import WindowSettings

# A later change that takes back more than this share of an earlier one makes both an excursion.
_TAKEN_BACK: Final = 0.5
_SHARES: Final = frozenset({Kind.FUNCTION_SHARE, Kind.OPERATION_ERRORS})
# Traffic, and with it what hosts do, goes up and down for many reasons; less than this is no finding.
_TRAFFIC_EFFECT_MIN: Final = 0.2


def to_findings(changes: Sequence[WindowChange], settings: WindowSettings, funnel: Funnel) -> list[Finding]:
    """
    Return what remains of the changes of a whole scan, by series and time, and count the rest into *funnel*.

    Args:
        changes: Of all series together: their p-values are corrected for all that were tested.
        settings: See there.
        funnel: Holds the number of series; its later stages are filled here.
    """
    n_tested = funnel.series - funnel.not_enough_data - funnel.constant
    kept = _without_excursions(changes, funnel)
    q_values = benjamini_hochberg(np.array([change.p_value for change in kept]), n_tests=n_tested)
    certain = [(change, float(q)) for change, q in zip(kept, q_values, strict=True)]
    funnel.by_chance += sum(q > settings.false_discovery_rate for _, q in certain)
    certain = [(change, q) for change, q in certain if q <= settings.false_discovery_rate]
    reach = two_sided_quantile(settings.confidence, np.array([change.degrees for change, _ in certain]))
    findings = [
        _finding(change, q, float(half) * change.standard_error, settings)
        for (change, q), half in zip(certain, reach, strict=True)
    ]
    large = [one for one in findings if _is_large(one, settings)]
    funnel.under_threshold += len(findings) - len(large)
    return sorted(large, key=lambda one: (one.key, one.index))


def _without_excursions(changes: Sequence[WindowChange], funnel: Funnel) -> list[WindowChange]:
    """Leave out pairs of changes of one series of which the second takes back the first."""
    by_series: dict[object, list[WindowChange]] = {}
    for change in changes:
        by_series.setdefault(change.key, []).append(change)
    kept: list[WindowChange] = []
    for of_series in by_series.values():
        stack: list[WindowChange] = []
        for change in sorted(of_series, key=lambda one: one.index):
            if stack and _takes_back(stack[-1], change):
                stack.pop()
                funnel.gone_away += 2
            else:
                stack.append(change)
        kept += stack
    return kept


def _takes_back(first: WindowChange, second: WindowChange) -> bool:
    height = first.after - first.before
    return (second.after - first.before) * math.copysign(1.0, height) < (1 - _TAKEN_BACK) * abs(height)


def _finding(change: WindowChange, p_value: float, half_width: float, settings: WindowSettings) -> Finding:
    before, after = change.before, change.after
    low, high, mde = after - before - half_width, after - before + half_width, change.mde
    if change.logarithmic:
        low, high, mde = (math.exp(before) * math.expm1(min(end, 700.0)) for end in (low, high, mde))
        before, after = math.exp(before), math.exp(after)
    provisional = change.n_after < settings.young_points
    return Finding(
        key=change.key,
        index=change.index,
        time_s=change.start_s + change.index * change.step_s,
        step_s=change.step_s,
        before=before,
        after=after,
        low=low,
        high=high,
        p_value=p_value,
        mde=mde,
        samples=change.samples,
        direction="up" if after > before else "down",
        state=FindingState.PROVISIONAL if provisional else FindingState.CONFIRMED,
        shape="creep" if change.creep else "step",
    )


def _is_large(finding: Finding, settings: WindowSettings) -> bool:
    """Return whether a change is worth a report: a young one must be larger than one that has lasted."""
    if finding.key.kind in _SHARES and abs(finding.effect) < settings.share_min:
        return False
    if finding.key.kind is Kind.SERVICE_THROUGHPUT:
        return finding.is_worse and abs(finding.relative or 0.0) >= _TRAFFIC_EFFECT_MIN
    if finding.key.kind is Kind.HOST_CPU:
        return abs(finding.relative or 0.0) >= _TRAFFIC_EFFECT_MIN
    relative = math.inf if finding.relative is None else abs(finding.relative)
    young = finding.state is FindingState.PROVISIONAL
    return relative >= (settings.young_effect_min if young else settings.effect_min)
