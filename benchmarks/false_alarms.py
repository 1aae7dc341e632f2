"""
How often does a comparison of two releases that differ in nothing hold a finding, and do its intervals hold the truth?

    python -m benchmarks.false_alarms [--answers 1000]

Simulates the CPU per request of 100 functions, some of them a first-order autoregression, in two releases that run side
by side and are the same, and hands them to the test behind ``/compare``. Prints the share of answers with at least one
function called a regression or an improvement, by who looks once, at the end, and how often 95% intervals hold the
truth. And, in a twentieth as many answers, by who looks after every bucket from the sixth on: at verdicts, and at those
that are settled. The seed is fixed.
"""

import argparse
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.detect.cpu import Costs, compare_cpu
from collector.detect.settings import CompareSettings
from collector.detect.verdicts import Jury
from pyrometer.api import Change

N_FUNCTIONS: Final = 100
SPREAD: Final = 0.1
FIRST_LOOK: Final = CompareSettings().buckets_min
# Time buckets, correlation of neighbours, share of the functions that have it.
CASES: Final = ((40, 0.0, 1.0), (40, 0.5, 1.0), (20, 0.7, 0.25))


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=1000)
    options = parser.parse_args()
    print("| buckets | correlation | in the share of functions | wrong, one look | 95% intervals that hold 0 |", end="")
    print(" wrong, a look a bucket | the same, settled |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for n_buckets, phi, share in CASES:
        rng = np.random.default_rng([n_buckets, int(phi * 10)])
        once = [look(*(costs(rng, n_buckets, phi, share) for _ in range(2))) for _ in range(options.answers)]
        watched = [watch(*(costs(rng, n_buckets, phi, share) for _ in range(2))) for _ in range(options.answers // 20)]
        wrong = percent(is_finding(changes) for changes in once)
        held = percent(change.low <= 0 <= change.high for changes in once for change in changes)
        ever, settled = (percent(column) for column in zip(*watched, strict=True))
        print(
            f"| {n_buckets} | {phi} | {share} | {wrong} of {options.answers} | {held} | {ever} of {len(watched)} |"
            f" {settled} |",
            flush=True,
        )


def percent(outcomes: Iterable[bool]) -> str:
    """Return the share that is true, in words; there must be one."""
    return f"{100 * float(np.mean(list(outcomes))):.1f}%"


def is_finding(changes: list[Change]) -> bool:
    """Return whether a comparison of two equal releases names a function."""
    return any(change.verdict in {"regression", "improvement"} for change in changes)


def watch(baseline: Costs, candidate: Costs) -> tuple[bool, bool]:
    """Return whether any look, and any settled verdict, was wrong, looking after every bucket."""
    ever = settled = False
    for seen in range(FIRST_LOOK, len(baseline.work) + 1):
        changes = look(first_buckets(baseline, seen), first_buckets(candidate, seen))
        ever |= is_finding(changes)
        settled |= any(change.is_settled for change in changes)
    return ever, settled


def look(baseline: Costs, candidate: Costs) -> list[Change]:
    """Return the own and total time of all functions, judged."""
    settings = CompareSettings()
    jury = Jury(settings)
    found = compare_cpu(baseline, candidate, paired=True, bucket_s=10, settings=settings, jury=jury)
    jury.judge()
    return found.self_cpu + found.total_cpu


def first_buckets(side: Costs, seen: int) -> Costs:
    """Return what was known of a release after so many buckets."""
    return Costs(
        cpu_ns=side.cpu_ns[:seen],
        work=side.work[:seen],
        self_ns=side.self_ns[:, :seen],
        total_ns=side.total_ns[:, :seen],
        function_samples=side.function_samples,
    )


def costs(rng: np.random.Generator, n_buckets: int, phi: float, share: float) -> Costs:
    """Return one release: CPU of every function, bucket by bucket, with enough samples to be tested."""
    work = rng.poisson(200, n_buckets).astype(np.float64)
    phis = np.where(np.arange(N_FUNCTIONS) < share * N_FUNCTIONS, phi, 0.0)
    self_ns = 1e6 * work * (1 + SPREAD * autoregressive(rng, n_buckets, phis))
    return Costs(
        cpu_ns=self_ns.sum(axis=0),
        work=work,
        self_ns=self_ns,
        total_ns=self_ns,
        function_samples=np.full(N_FUNCTIONS, 10_000.0),
    )


def autoregressive(rng: np.random.Generator, n_buckets: int, phis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return series of unit variance, shape (len(phis), n_buckets), each with its own lag-1 correlation."""
    noise = rng.standard_normal((len(phis), n_buckets))
    series = noise.copy()
    for bucket in range(1, n_buckets):
        series[:, bucket] = phis * series[:, bucket - 1] + np.sqrt(1 - phis**2) * noise[:, bucket]
    return series


if __name__ == "__main__":
    main()
