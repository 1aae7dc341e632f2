"""
Stacks to a flame graph's tree, as columns, and to totals, callers and callees of functions.

Pure Python on purpose: the agent's ``record`` and ``top`` use it, and the agent stays light.
Everywhere here *values* maps a stack, root first, to a number, in the caller's unit; lines are ignored: a function is
its name and file.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from pyrometer.trie import Function, Trie
from pyrometer.values import Stack

OTHER_NAME = "(other)"
NODES_MAX = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class FlameTree:
    """
    A tree as columns of shape (n_nodes,), in pre-order, node 0 the root; see FlamegraphAnswer, whose columns these are.

    ``base_total`` and ``base_self`` are None where there is no baseline.
    """

    total_value: float
    folded: int
    strings: list[str]
    depth: list[int]
    parent: list[int]
    name: list[int]
    file: list[int]
    start: list[float]
    total: list[float]
    self: list[float]
    base_total_value: float | None = None
    base_total: list[float] | None = None
    base_self: list[float] | None = None


def build_tree(
    values: Mapping[Stack, float], baseline: Mapping[Stack, float] | None = None, *, max_nodes: int = NODES_MAX
) -> FlameTree:
    """
    Return the merged tree of *values*, and of *baseline* beside it where one is given.

    Frames are merged by (function, file). Children stand largest first. When there are more than *max_nodes* nodes,
    those with the smallest share (of the larger of both sides) are folded into one "(other)" per parent, so that totals
    are conserved; ``folded`` counts them.

    Args:
        values: Value per stack, 0 or more; stacks of value 0 are left out.
        baseline: The same, in the same unit.
        max_nodes: Of the result, root and "(other)" included; at least 2.
    """
    trie = Trie()
    trie.add_all(values, side=0)
    trie.add_all(baseline or {}, side=1)
    trie.sum_up()
    keep = trie.choose(max(max_nodes, 2))
    return _Columns(trie, keep).fill(with_baseline=baseline is not None)


def function_totals(values: Mapping[Stack, float]) -> dict[Function, tuple[float, float]]:
    """Return (self, total) per function; a stack counts once towards a total, however deep the recursion."""
    own: dict[Function, float] = defaultdict(float)
    total: dict[Function, float] = defaultdict(float)
    for stack, value in values.items():
        functions = [(frame.function, frame.file) for frame in stack]
        if functions:
            own[functions[-1]] += value
        for function in set(functions):
            total[function] += value
    return {function: (own.get(function, 0.0), value) for function, value in total.items()}


def callees_of(values: Mapping[Stack, float], function: str, file: str) -> dict[Stack, float]:
    """Return what the function calls: the part of each stack from its outermost call of the function to the leaf."""
    below: dict[Stack, float] = defaultdict(float)
    for stack, value in values.items():
        position = _outermost(stack, function, file)
        if position is not None:
            below[stack[position:]] += value
    return dict(below)


def callers_of(values: Mapping[Stack, float], function: str, file: str) -> dict[Stack, float]:
    """Return who calls the function: the part of each stack from its outermost call up to the root, function first."""
    above: dict[Stack, float] = defaultdict(float)
    for stack, value in values.items():
        position = _outermost(stack, function, file)
        if position is not None:
            above[stack[position::-1]] += value
    return dict(above)


def _outermost(stack: Stack, function: str, file: str) -> int | None:
    for position, frame in enumerate(stack):
        if frame.function == function and frame.file == file:
            return position
    return None


@dataclass(slots=True)
class _Node:
    """A node of the result, before it has its place."""

    function: Function
    total: float
    base_total: float
    own: float
    base_own: float
    source: int | None = None


class _Columns:
    """Lays the kept part of a trie out as columns."""

    def __init__(self, trie: Trie, keep: list[bool]) -> None:
        self._trie = trie
        self._children: list[list[int]] = [[] for _ in keep]
        self._other: dict[int, _Node] = {}
        self._folded = 0
        self._string_ids: dict[str, int] = {}
        for node in range(1, len(keep)):
            parent = trie.parent[node]
            if keep[node]:
                self._children[parent].append(node)
            else:
                self._folded += 1
                if keep[parent]:
                    self._fold(node, parent)

    def _fold(self, node: int, parent: int) -> None:
        other = self._other.setdefault(parent, _Node((OTHER_NAME, ""), 0.0, 0.0, 0.0, 0.0))
        other.total += self._trie.total[0][node]
        other.base_total += self._trie.total[1][node]
        other.own, other.base_own = other.total, other.base_total

    def fill(self, *, with_baseline: bool) -> FlameTree:
        """Return the tree, walked without recursion: stacks may be deep."""
        root = self._node(0)
        tree = FlameTree(
            total_value=root.total,
            folded=self._folded,
            strings=[],
            depth=[],
            parent=[],
            name=[],
            file=[],
            start=[],
            total=[],
            self=[],
            base_total_value=root.base_total if with_baseline else None,
            base_total=[] if with_baseline else None,
            base_self=[] if with_baseline else None,
        )
        waiting = [(root, 0, 0, 0.0)]
        while waiting:
            node, depth, parent, start = waiting.pop()
            row = len(tree.depth)
            self._append(tree, node, depth, parent, start)
            placed = []
            for child in self._sorted_children(node):
                placed.append((child, depth + 1, row, start))
                start += child.total
            waiting.extend(reversed(placed))
        tree.strings.extend(self._string_ids)
        return tree

    def _append(self, tree: FlameTree, node: _Node, depth: int, parent: int, start: float) -> None:
        tree.depth.append(depth)
        tree.parent.append(parent)
        tree.name.append(self._string(node.function[0]))
        tree.file.append(self._string(node.function[1]))
        tree.start.append(start)
        tree.total.append(node.total)
        tree.self.append(node.own)
        if tree.base_total is not None and tree.base_self is not None:
            tree.base_total.append(node.base_total)
            tree.base_self.append(node.base_own)

    def _sorted_children(self, node: _Node) -> list[_Node]:
        if node.source is None:
            return []
        children = [self._node(child) for child in self._children[node.source]]
        other = self._other.get(node.source)
        if other is not None:
            children.append(other)
        return sorted(children, key=lambda child: (-child.total, -child.base_total, child.function))

    def _node(self, node: int) -> _Node:
        trie = self._trie
        return _Node(
            trie.functions[trie.function_of[node]],
            trie.total[0][node],
            trie.total[1][node],
            trie.own[0][node],
            trie.own[1][node],
            node,
        )

    def _string(self, text: str) -> int:
        return self._string_ids.setdefault(text, len(self._string_ids))
