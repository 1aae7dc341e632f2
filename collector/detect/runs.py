"""Repeated runs of the same work, such as a benchmark's: what one run of it costs before and after."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.detect.ratio import RatioDifference, Release, binomial_variance, compare_ratios
from collector.detect.settings import CompareSettings
from collector.detect.verdicts import Jury, a_change, more_buckets, untested
from pyrometer.api import Change, Shortage

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """
    The runs of one side.

    Attributes:
        whole: What each run cost, shape (n_runs,), any unit.
        own: Of that, what each function itself did, shape (n_functions, n_runs).
        own_samples: Samples behind each function, all runs together, shape (n_functions,).
    """

    whole: FloatArray
    own: FloatArray
    own_samples: FloatArray


def compare_runs(baseline: Runs, candidate: Runs, *, settings: CompareSettings) -> tuple[Change, list[Change]]:
    """
    Test the cost of a whole run, and of each function, with Welch's t test over runs.

    The variance between runs is never taken to be less than what sampling alone gives. The functions are corrected for
    their number; the whole is one question asked in advance.

    Returns:
        The change of the whole, and of each function in the order it was given.
    """
    before, after = (np.vstack([side.whole[None, :], side.own]) for side in (baseline, candidate))
    runs = min(len(baseline.whole), len(candidate.whole))
    if runs < settings.buckets_min:
        needs = more_buckets(runs, settings.buckets_min)
        means = zip(_means(before), _means(after), strict=True)
        changes = [untested(first, second, needs=needs) for first, second in means]
        return changes[0], changes[1:]
    found = compare_ratios(
        _release(baseline, before),
        _release(candidate, after),
        paired=False,
        confidence=settings.confidence,
        correlated=False,
    )
    lacking = np.maximum(np.ceil(settings.samples_min - baseline.own_samples - candidate.own_samples), 0)
    whole, functions = Jury(settings), Jury(settings)
    changes = [whole.test(_change(found, 0))]
    for row, missing in enumerate(lacking, start=1):
        change = _change(found, row)
        if missing:
            change.p_value, change.needs = None, Shortage(more=int(missing), unit="samples")
        else:
            functions.test(change)
        changes.append(change)
    whole.judge()
    functions.judge()
    return changes[0], changes[1:]


def _release(runs: Runs, cost: FloatArray) -> Release:
    share = cost.sum(axis=1) / max(float(runs.whole.sum()), 1e-300)
    samples = np.concatenate([[0.0], runs.own_samples])
    return Release(cost=cost, work=np.ones(len(runs.whole)), sampling_variance=binomial_variance(samples, share))


def _change(found: RatioDifference, row: int) -> Change:
    return a_change(
        baseline=float(found.baseline[row]),
        candidate=float(found.candidate[row]),
        low=float(found.low[row]),
        high=float(found.high[row]),
        p_value=float(found.p_value[row]),
        verdict="not_enough_data",
    )


def _means(cost: FloatArray) -> list[float]:
    return [float(value) for value in cost.mean(axis=1)]
