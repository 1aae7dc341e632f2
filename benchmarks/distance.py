"""How far a profile is from the truth, and how far a perfect sampler would be with as many samples."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from pyrometer.values import Sample

# What belongs to no name of a workload.
REST: Final = "(rest)"
_TRIALS: Final = 400


def shares(amounts: Mapping[str, float]) -> dict[str, float]:
    """Return amounts as fractions of their sum; empty where that is 0."""
    total = sum(amounts.values())
    return {name: amount / total for name, amount in amounts.items()} if total > 0 else {}


def total_variation(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """
    Return how far apart two distributions are: 0 the same, 1 nothing in common.

    Args:
        one: Fractions by name.
        other: The same; a name that is missing is 0.

    Source: Levin & Peres, Markov Chains and Mixing Times, 2nd ed., section 4.1.
    """
    return sum(abs(one.get(name, 0.0) - other.get(name, 0.0)) for name in one.keys() | other.keys()) / 2


def sampling_floor(truth: Mapping[str, float], n_samples: int, rng: np.random.Generator) -> float:
    """Return the mean distance of a perfect sampler that takes this many samples."""
    fractions = np.array(list(truth.values()))
    drawn = rng.multinomial(n_samples, fractions / fractions.sum(), size=_TRIALS) / n_samples
    return float(np.abs(drawn - fractions).sum(axis=1).mean() / 2)


def name_of(sample: Sample, names: frozenset[str]) -> str:
    """Return the name nearest to the leaf of a sample's stack."""
    for frame in reversed(sample.stack):
        function = frame.function.rpartition(".")[2]
        if function in names:
            return function
    return REST


def amounts_by_name(samples: Sequence[Sample], names: frozenset[str], *, by: str) -> dict[str, float]:
    """Return the sum of ``count`` or ``value`` of samples by name."""
    amounts: dict[str, float] = {}
    for sample in samples:
        name = name_of(sample, names)
        amounts[name] = amounts.get(name, 0.0) + getattr(sample, by)
    return amounts


def thin(counts: Sequence[int], wanted: int, rng: np.random.Generator) -> list[int]:
    """Return counts of *wanted* samples drawn from all without putting back; all where there are not more."""
    if sum(counts) <= wanted:
        return list(counts)
    return [int(count) for count in rng.multivariate_hypergeometric(counts, wanted, method="marginals")]
