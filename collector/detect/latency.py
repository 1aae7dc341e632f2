"""Latency and errors of the operations of two releases."""

from dataclasses import dataclass

import numpy as np

from collector.detect.bootstrap import STATISTICS, Differences, Requests, compare_requests, estimate
from collector.detect.sequential import information_of
from collector.detect.settings import CompareSettings
from collector.detect.verdicts import Evidence, Jury, a_change, more_buckets, untested
from pyrometer.api import Change, Shortage
from pyrometer.units import NS_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationChanges:
    """Changes of one operation: milliseconds, the error rate as a fraction; keys are those of STATISTICS."""

    changes: dict[str, Change]
    baseline_requests: int
    candidate_requests: int


def compare_operation(
    baseline: Requests,
    candidate: Requests,
    *,
    first_index: int,
    paired: bool,
    bucket_s: int,
    settings: CompareSettings,
    jury: Jury,
) -> OperationChanges:
    """Test mean, p50, p95, p99 and error rate of one operation, and hand those with enough data to the jury."""
    n_buckets = min(len(baseline.errors), len(candidate.errors))
    if n_buckets < settings.buckets_min:
        return _not_tested(baseline, candidate, first_index, more_buckets(n_buckets, settings.buckets_min))
    found = compare_requests(
        baseline,
        candidate,
        first_index=first_index,
        paired=paired,
        confidence=settings.confidence,
        resamples=settings.resamples,
    )
    information = information_of(len(baseline.errors), len(candidate.errors), bucket_s=bucket_s, paired=paired)
    least = int(min(baseline.total, candidate.total))
    needed = {
        "mean": settings.requests_min,
        "p50": settings.requests_min,
        "p95": settings.requests_p95_min,
        "p99": settings.requests_p99_min,
        "error_rate": settings.requests_p95_min,
    }
    changes = {}
    for row, statistic in enumerate(STATISTICS):
        missing = max(needed[statistic] - least, 0)
        is_rate = statistic == "error_rate"
        scale = 1.0 if is_rate else NS_PER_MS
        change = _change(found, row, scale=scale, missing=missing)
        change.samples = int(baseline.total + candidate.total)
        if not missing:
            evidence = Evidence(
                statistic=float(found.statistic[row]),
                error=float(found.error[row]) / scale,
                degrees=float(found.degrees[row]),
                information=information,
            )
            smallest = settings.error_rate_change_min if is_rate else settings.latency_change_min_ms
            jury.test(change, absolute_min=smallest, evidence=evidence)
        changes[statistic] = change
    return OperationChanges(
        changes=changes, baseline_requests=int(baseline.total), candidate_requests=int(candidate.total)
    )


def _not_tested(baseline: Requests, candidate: Requests, first_index: int, needs: Shortage) -> OperationChanges:
    changes = {}
    for row, statistic in enumerate(STATISTICS):
        scale = 1.0 if statistic == "error_rate" else NS_PER_MS
        before, after = (float(estimate(side, first_index)[row]) / scale for side in (baseline, candidate))
        changes[statistic] = untested(before, after, needs=needs)
    return OperationChanges(
        changes=changes, baseline_requests=int(baseline.total), candidate_requests=int(candidate.total)
    )


def _change(found: Differences, row: int, *, scale: float, missing: int) -> Change:
    low, high, p_value = (float(column[row]) for column in (found.low, found.high, found.p_value))
    return a_change(
        baseline=float(found.baseline[row]) / scale,
        candidate=float(found.candidate[row]) / scale,
        low=low / scale,
        high=high / scale,
        p_value=p_value if not missing and np.isfinite(p_value) else None,
        verdict="not_enough_data",
        needs=Shortage(more=missing, unit="requests") if missing else None,
    )
