"""Trees and differences over any stacks."""

from hypothesis import given
from hypothesis import strategies as st

from pyrometer.diff import function_differences, total_variation_distance
from pyrometer.tree import build_tree, callees_of, callers_of, function_totals
from pyrometer.values import Frame

FRAMES = st.builds(Frame, st.sampled_from("abcdefg"), st.sampled_from(["x.py", "y.py", ""]), st.integers(0, 3))
# Whole numbers, so that sums are exact.
VALUES = st.dictionaries(st.lists(FRAMES, min_size=1, max_size=6).map(tuple), st.integers(0, 1_000), max_size=25)
NODES = st.integers(2, 40)


@given(VALUES, VALUES, NODES)
def test_pruning_conserves_totals(values, baseline, max_nodes):
    """Nothing is lost or made up, on either side, however small the tree has to be."""
    tree = build_tree(values, baseline, max_nodes=max_nodes)
    assert len(tree.depth) <= max_nodes
    assert sum(tree.self) == tree.total_value == sum(values.values())
    assert sum(tree.base_self) == tree.base_total_value == sum(baseline.values())
    whole = build_tree(values, baseline, max_nodes=10_000)
    others = sum(tree.strings[name] == "(other)" for name in tree.name)
    assert len(tree.depth) - others + tree.folded == len(whole.depth)


@given(VALUES, NODES)
def test_trees_are_laid_out_as_the_drawing_needs_them(values, max_nodes):
    """Pre-order, children inside their parents, side by side, largest first; own time is what is left of the total."""
    tree = build_tree(values, max_nodes=max_nodes)
    assert (tree.depth[0], tree.parent[0], tree.strings[tree.name[0]]) == (0, 0, "all")
    children = {}
    for node in range(1, len(tree.depth)):
        assert tree.parent[node] < node
        assert tree.depth[node] == tree.depth[tree.parent[node]] + 1
        children.setdefault(tree.parent[node], []).append(node)
    for parent, nodes in children.items():
        left = tree.start[parent]
        for node in nodes:
            assert tree.start[node] == left
            left += tree.total[node]
        assert tree.total[parent] == left - tree.start[parent] + tree.self[parent]
        totals = [tree.total[node] for node in nodes]
        assert totals == sorted(totals, reverse=True)


@given(VALUES)
def test_function_totals_agree_with_the_tree(values):
    """Own times sum to everything; a total is at least the own time and at most everything."""
    totals = function_totals(values)
    whole = sum(values.values())
    assert sum(own for own, _ in totals.values()) == whole
    assert all(own <= total <= whole for own, total in totals.values())


@given(VALUES)
def test_both_halves_of_a_sandwich_hold_the_functions_total(values):
    """Callers and callees of a function each sum to its total."""
    for (function, file), (_, total) in function_totals(values).items():
        assert sum(callers_of(values, function, file).values()) == total
        assert sum(callees_of(values, function, file).values()) == total


@given(VALUES.filter(lambda values: sum(values.values()) > 0))
def test_nothing_differs_from_itself(values):
    """diff(a, a) is zero, everywhere."""
    assert total_variation_distance(values, values) == 0
    assert all(each.self_change == 0 == each.total_change for each in function_differences(values, values))


@given(*[VALUES.filter(lambda values: sum(values.values()) > 0)] * 2)
def test_distance_is_symmetric_and_bounded(first, second):
    """The distance is a fraction, the same both ways."""
    distance = total_variation_distance(first, second)
    assert 0 <= distance <= 1
    assert abs(distance - total_variation_distance(second, first)) < 1e-9
