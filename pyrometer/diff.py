"""How two profiles differ: per function, and as one number."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyrometer.errors import PyrometerError
from pyrometer.tree import function_totals
from pyrometer.values import Stack


class EmptyProfileError(PyrometerError):
    """A side sums to nothing, so that it has no shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionDifference:
    """
    One function on two sides, as shares of each side's sum, so that the length of a recording does not matter.

    Attributes:
        function: Its name.
        file: Its file.
        self_baseline: Share of the baseline spent in the function itself, 0 to 1.
        self_candidate: The same of the candidate.
        total_baseline: Share with what it called; recursion counts once.
        total_candidate: The same of the candidate.
    """

    function: str
    file: str
    self_baseline: float
    self_candidate: float
    total_baseline: float
    total_candidate: float

    @property
    def self_change(self) -> float:
        """Candidate minus baseline."""
        return self.self_candidate - self.self_baseline

    @property
    def total_change(self) -> float:
        """Candidate minus baseline."""
        return self.total_candidate - self.total_baseline


def function_differences(baseline: Mapping[Stack, float], candidate: Mapping[Stack, float]) -> list[FunctionDifference]:
    """
    Return every function of either side, the largest change of its own share first.

    Raises:
        EmptyProfileError: If either side sums to zero.
    """
    base_sum, candidate_sum = _sum(baseline, "baseline"), _sum(candidate, "candidate")
    base_totals, candidate_totals = function_totals(baseline), function_totals(candidate)
    nothing = (0.0, 0.0)
    differences = [
        FunctionDifference(
            function=function,
            file=file,
            self_baseline=base_totals.get((function, file), nothing)[0] / base_sum,
            self_candidate=candidate_totals.get((function, file), nothing)[0] / candidate_sum,
            total_baseline=base_totals.get((function, file), nothing)[1] / base_sum,
            total_candidate=candidate_totals.get((function, file), nothing)[1] / candidate_sum,
        )
        for function, file in base_totals.keys() | candidate_totals.keys()
    ]
    return sorted(
        differences, key=lambda each: (-abs(each.self_change), -abs(each.total_change), each.function, each.file)
    )


def total_variation_distance(baseline: Mapping[Stack, float], candidate: Mapping[Stack, float]) -> float:
    """
    Return how far apart two distributions of stacks are.

    Args:
        baseline: Value per stack, any unit.
        candidate: The same; the unit and the sum may differ.

    Returns:
        A fraction in [0, 1]; 0 means the same shares, 1 no stack in common.

    Raises:
        EmptyProfileError: If either side sums to zero.

    Source: Levin & Peres, Markov Chains and Mixing Times, 2nd ed., section 4.1.
    """
    base_sum, candidate_sum = _sum(baseline, "baseline"), _sum(candidate, "candidate")
    stacks = baseline.keys() | candidate.keys()
    # Rounding can leave the sum of many shares a little above 1.
    distance = (
        sum(abs(baseline.get(stack, 0) / base_sum - candidate.get(stack, 0) / candidate_sum) for stack in stacks) / 2
    )
    return min(distance, 1.0)


def _sum(values: Mapping[Stack, float], side: str) -> float:
    total = sum(values.values())
    if total <= 0:
        raise EmptyProfileError(f"the {side} holds no samples: there is nothing to compare")
    return total
