"""
What a function's increase has to do with the functions that a change touched: in which stacks it lies.

Source of the score: Yao et al., FBDetect, SOSP 2024 (doi 10.1145/3694715.3695977), root cause analysis.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StackShare:
    """
    One stack before and after.

    Attributes:
        functions: What lies in it, by number.
        before: Share of all samples, 0 to 1.
        after: The same.
    """

    functions: frozenset[int]
    before: float
    after: float

    @property
    def increase(self) -> float:
        """By how much the share grew."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class StackTable:
    """Functions (name, file), and the stacks that they lie in."""

    functions: Sequence[tuple[str, str]] = ()
    stacks: Sequence[StackShare] = ()


def explained_share(stacks: Sequence[StackShare], target: frozenset[int], touched: frozenset[int]) -> float | None:
    """
    Return which part of a function's increase lies in stacks that hold something touched, too.

    Args:
        stacks: All of the service.
        target: Numbers of the function that grew: it may have several, by file.
        touched: Numbers of the functions that a change touched.

    Returns:
        A fraction, which may be below 0 or above 1 where others of its stacks shrank; None where it did not grow.
    """
    of_target = [stack for stack in stacks if target & stack.functions]
    whole = sum(stack.increase for stack in of_target)
    if whole <= 0:
        return None
    return sum(stack.increase for stack in of_target if touched & stack.functions) / whole


@dataclass(frozen=True, slots=True)
class Increase:
    """
    The increase of one function, by the functions that its stacks hold.

    Attributes:
        target: Numbers of the function.
        whole: By how much its share of all samples grew; it may have shrunk.
        parts: The same of those of its stacks that hold a function, by its number.
        popularity: Share of all samples, before or after, of stacks that hold a function, by its number: what lies in
            almost every stack explains nothing.
    """

    target: frozenset[int]
    whole: float = 0.0
    parts: Mapping[int, float] = field(default_factory=dict)
    popularity: Mapping[int, float] = field(default_factory=dict)

    def explained(self, number: int) -> float:
        """Return the part of the increase, 0 to 1, that lies in stacks with a function."""
        return min(1.0, max(0.0, self.parts.get(number, 0.0) / self.whole)) if self.whole > 0 else 0.0


def increase_of(table: StackTable, target: frozenset[int]) -> Increase:
    """Return where the increase of a function lies, in one pass over all stacks."""
    whole = 0.0
    parts: dict[int, float] = defaultdict(float)
    popularity: dict[int, float] = defaultdict(float)
    for stack in table.stacks:
        for number in stack.functions:
            popularity[number] += max(stack.before, stack.after)
        if target & stack.functions:
            whole += stack.increase
            for number in stack.functions:
                parts[number] += stack.increase
    return Increase(target, whole, parts, {number: min(1.0, share) for number, share in popularity.items()})
