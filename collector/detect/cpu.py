"""CPU of a service and its functions in two releases, per unit of work."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.detect.ratio import RatioDifference, Release, binomial_variance, compare_ratios
from collector.detect.sequential import information_of
from collector.detect.settings import CompareSettings
from collector.detect.verdicts import Evidence, Jury, a_change, more_buckets, untested
from pyrometer.api import Change, Shortage
from pyrometer.units import NS_PER_MS

FloatArray = NDArray[np.float64]

_TOO_FEW_TO_ESTIMATE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """
    CPU of one release, bucket by bucket.

    Attributes:
        cpu_ns: Of the service, as accounted, shape (n_buckets,).
        work: Requests, or seconds of observed process time, shape (n_buckets,).
        self_ns: Of each function itself, shape (n_functions, n_buckets).
        total_ns: With what it called, same shape.
        function_samples: In which a function occurs, shape (n_functions,); 0 where its cost was accounted, not sampled.
    """

    cpu_ns: FloatArray
    work: FloatArray
    self_ns: FloatArray
    total_ns: FloatArray
    function_samples: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuChanges:
    """Changes in CPU milliseconds per unit of work: the service, and each function in the order it was given."""

    service: Change
    self_cpu: list[Change]
    total_cpu: list[Change]


def compare_cpu(
    baseline: Costs, candidate: Costs, *, paired: bool, bucket_s: int, settings: CompareSettings, jury: Jury
) -> CpuChanges:
    """
    Test the service as a whole and every function, own and total time, in buckets of *bucket_s* seconds.

    The functions' tests go to the jury. The service is one question asked in advance: it is judged by itself, not
    corrected for the number of functions that happen to be tested beside it.
    """
    n_functions = len(baseline.self_ns)
    sides = (_release(baseline), _release(candidate))
    n_buckets, needed = min(len(baseline.work), len(candidate.work)), max(settings.buckets_min, _TOO_FEW_TO_ESTIMATE)
    if n_buckets < needed:
        needs = more_buckets(n_buckets, needed)
        changes = [untested(*pair, needs=needs) for pair in zip(_ratios(sides[0]), _ratios(sides[1]), strict=True)]
    else:
        samples = _row_samples(baseline) + _row_samples(candidate)
        found = compare_ratios(sides[0], sides[1], paired=paired, confidence=settings.confidence)
        information = information_of(len(baseline.work), len(candidate.work), bucket_s=bucket_s, paired=paired)
        tests = _Tests(found, samples, information, settings)
        changes = [tests.service(), *(tests.function(row, jury) for row in range(1, 2 * n_functions + 1))]
    return CpuChanges(service=changes[0], self_cpu=changes[1 : n_functions + 1], total_cpu=changes[n_functions + 1 :])


@dataclass(frozen=True, slots=True)
class _Tests:
    """Estimates, row by row, on their way to a jury. *samples* are of both releases, 0 where the cost was accounted."""

    found: RatioDifference
    samples: FloatArray
    information: float
    settings: CompareSettings

    def service(self) -> Change:
        """Return the change of the service, judged by itself."""
        alone = Jury(self.settings)
        change = self.function(0, alone)
        alone.judge()
        return change

    def function(self, row: int, jury: Jury) -> Change:
        """Return the change of a row, handed to the jury when it rests on enough samples."""
        found, samples = self.found, float(self.samples[row])
        before, after = float(found.baseline[row] / NS_PER_MS), float(found.candidate[row] / NS_PER_MS)
        if before == 0 and after == 0:
            return untested(0.0, 0.0, "no_change")
        missing = max(math.ceil(self.settings.samples_min - samples), 0) if samples else 0
        change = a_change(
            baseline=before,
            candidate=after,
            low=float(found.low[row] / NS_PER_MS),
            high=float(found.high[row] / NS_PER_MS),
            p_value=None if missing else float(found.p_value[row]),
            verdict="not_enough_data",
            needs=Shortage(more=missing, unit="samples") if missing else None,
            samples=round(samples),
        )
        if missing:
            return change
        evidence = Evidence(
            statistic=float(found.statistic[row]),
            error=float(found.error[row] / NS_PER_MS),
            degrees=float(found.degrees[row]),
            information=self.information,
        )
        return jury.test(change, evidence=evidence)


def _release(costs: Costs) -> Release:
    """Return the service, the functions' own time and their total time as the rows of one release."""
    self_sum, total_sum = costs.self_ns.sum(axis=1), costs.total_ns.sum(axis=1)
    share = np.concatenate([[1.0], self_sum, total_sum])
    share[1:] /= max(float(costs.cpu_ns.sum()), 1.0)
    return Release(
        cost=np.vstack([costs.cpu_ns[None, :], costs.self_ns, costs.total_ns]),
        work=costs.work,
        sampling_variance=binomial_variance(_row_samples(costs), share),
    )


def _self_samples(costs: Costs) -> FloatArray:
    """Return the samples behind each function's own time: its samples by the share of its time that is its own."""
    self_sum, total_sum = costs.self_ns.sum(axis=1), costs.total_ns.sum(axis=1)
    own = np.divide(self_sum, total_sum, out=np.zeros_like(total_sum), where=total_sum > 0)
    samples: FloatArray = costs.function_samples * own
    return samples


def _row_samples(costs: Costs) -> FloatArray:
    """Return the samples behind each row; 0 where its cost was accounted, not sampled."""
    return np.concatenate([[0.0], _self_samples(costs), costs.function_samples])


def _ratios(side: Release) -> list[float]:
    work = float(side.work.sum())
    sums = side.cost.sum(axis=1) / NS_PER_MS
    return [float(value) / work if work else 0.0 for value in sums]
