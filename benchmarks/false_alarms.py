"""
How often does a comparison of two releases that differ in nothing hold a finding?

    python -m benchmarks.false_alarms [--answers 400]

Simulates the CPU per request of 100 functions, some of them a first-order autoregression, in two releases that run side
by side and are the same, and hands them to the test behind ``/compare``. Prints the share of answers with at least one
function called a regression or an improvement. The seed is fixed.
"""

import argparse
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.detect.cpu import Costs, compare_cpu
from collector.detect.settings import CompareSettings
from collector.detect.verdicts import Jury

N_FUNCTIONS: Final = 100
SPREAD: Final = 0.1
# Time buckets, correlation of neighbours, share of the functions that have it.
CASES: Final = ((40, 0.0, 1.0), (40, 0.5, 1.0), (20, 0.7, 0.25))


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=400)
    options = parser.parse_args()
    print("| buckets | correlation | in the share of functions | answers with a wrong finding |")
    print("| --- | --- | --- | --- |")
    for n_buckets, phi, share in CASES:
        rng = np.random.default_rng([n_buckets, int(phi * 10)])
        wrong = sum(holds_a_finding(rng, n_buckets, phi, share) for _ in range(options.answers))
        print(
            f"| {n_buckets} | {phi} | {share} | {100 * wrong / options.answers:.1f}% of {options.answers} |", flush=True
        )


def holds_a_finding(rng: np.random.Generator, n_buckets: int, phi: float, share: float) -> bool:
    """Return whether a comparison of two equal releases names a function."""
    settings = CompareSettings()
    jury = Jury(settings)
    sides = [costs(rng, n_buckets, phi, share) for _ in range(2)]
    found = compare_cpu(sides[0], sides[1], paired=True, settings=settings, jury=jury)
    jury.judge()
    return any(change.verdict in {"regression", "improvement"} for change in found.self_cpu + found.total_cpu)


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
