"""The merged tree of stacks before it has its layout: build, sum up, choose what to keep."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pyrometer.values import Frame, Stack

ROOT_NAME = "all"

# Name and file: lines are ignored.
Function = tuple[str, str]


@dataclass(slots=True)
class Trie:
    """
    The tree of all stacks of two sides, 0 the values and 1 the baseline.

    Nodes are numbered in the order they are found, so a parent's number is below its children's.
    Each list has one entry per node; ``function_of`` holds indices into ``functions``.
    """

    functions: list[Function] = field(default_factory=lambda: [(ROOT_NAME, "")])
    parent: list[int] = field(default_factory=lambda: [0])
    child_of: dict[tuple[int, int], int] = field(default_factory=dict)
    function_of: list[int] = field(default_factory=lambda: [0])
    own: tuple[list[float], list[float]] = field(default_factory=lambda: ([0.0], [0.0]))
    total: tuple[list[float], list[float]] = field(default_factory=lambda: ([0.0], [0.0]))
    _function_ids: dict[Function, int] = field(default_factory=dict)

    def add_all(self, values: Mapping[Stack, float], *, side: int) -> None:
        """Add the stacks of one side (0 the values, 1 the baseline)."""
        # Stacks share Frame objects; a look at the address is cheaper than hashing function and file again.
        # The stacks are alive in *values*, so no address is reused meanwhile.
        ids: dict[int, int] = {}
        for stack, value in values.items():
            if value:
                self.own[side][self._node(stack, ids)] += value

    def _node(self, stack: Iterable[Frame], ids: dict[int, int]) -> int:
        node = 0
        for frame in stack:
            function = ids.get(id(frame))
            if function is None:
                function = ids[id(frame)] = self._function_id((frame.function, frame.file))
            child = self.child_of.get((node, function))
            node = self._add_node(node, function) if child is None else child
        return node

    def _function_id(self, function: Function) -> int:
        identity = self._function_ids.get(function)
        if identity is None:
            identity = self._function_ids[function] = len(self.functions)
            self.functions.append(function)
        return identity

    def _add_node(self, parent: int, function: int) -> int:
        node = self.child_of[parent, function] = len(self.parent)
        self.parent.append(parent)
        self.function_of.append(function)
        for own in self.own:
            own.append(0.0)
        return node

    def sum_up(self) -> None:
        """Fill ``total`` from ``own``, children before parents."""
        for side in (0, 1):
            total = list(self.own[side])
            for node in range(len(total) - 1, 0, -1):
                total[self.parent[node]] += total[node]
            self.total[side][:] = total

    def choose(self, max_nodes: int) -> list[bool]:
        """
        Return which nodes stay, the largest first, so that with the "(other)" nodes there are at most *max_nodes*.

        Keeping a node costs itself, and an "(other)" for its children, and saves its parent's "(other)" when it is the
        last of its siblings.
        """
        count = len(self.parent)
        if count <= max_nodes:
            return [True] * count
        left_out = self._child_counts()
        keep = [False] * count
        keep[0] = True
        nodes = 1 + (1 if left_out[0] else 0)
        shares = self._shares()
        # The sort is stable and a parent's share is never below its child's: parents come before their children.
        for node in sorted(range(1, count), key=lambda node: -shares[node]):
            parent = self.parent[node]
            cost = 1 + (1 if left_out[node] else 0) - (1 if left_out[parent] == 1 else 0)
            if keep[parent] and nodes + cost <= max_nodes:
                keep[node] = True
                left_out[parent] -= 1
                nodes += cost
        return keep

    def _child_counts(self) -> list[int]:
        counts = [0] * len(self.parent)
        for node in range(1, len(self.parent)):
            counts[self.parent[node]] += 1
        return counts

    def _shares(self) -> list[float]:
        """Return each node's share of its side's total, the larger of both sides."""
        value_total, base_total = (side[0] or 1.0 for side in self.total)
        return [max(value / value_total, base / base_total) for value, base in zip(*self.total, strict=True)]
