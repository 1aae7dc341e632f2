"""Trees, function totals, callers and callees."""

from dataclasses import fields

import pytest

from pyrometer.api import FlamegraphAnswer
from pyrometer.tree import OTHER_NAME, FlameTree, build_tree, callees_of, callers_of, function_totals
from pyrometer.values import Frame
from tests.builders import a_stack, values_of


def rows(tree: FlameTree) -> list[tuple]:
    """Return (depth, name, start, total, self) per node."""
    names = [tree.strings[name] for name in tree.name]
    return list(zip(tree.depth, names, tree.start, tree.total, tree.self, strict=True))


def test_stacks_are_merged_into_a_tree_in_pre_order_largest_child_first():
    """Widths are sums, left edges lie inside the parent, and own time is what no child took."""
    tree = build_tree(values_of({"main;idle": 1, "main;work;read": 3, "main;work": 5}))
    assert rows(tree) == [
        (0, "all", 0, 9, 0),
        (1, "main", 0, 9, 0),
        (2, "work", 0, 8, 5),
        (3, "read", 0, 3, 3),
        (2, "idle", 8, 1, 1),
    ]
    assert tree.parent == [0, 0, 1, 2, 1]
    assert [tree.strings[file] for file in tree.file[:3]] == ["", "/srv/main.py", "/srv/work.py"]
    assert (tree.total_value, tree.folded, tree.base_total) == (9, 0, None)


def test_lines_do_not_split_a_function_and_files_do():
    """A function is its name and its file."""
    one, other, elsewhere = Frame("f", "a.py", 1), Frame("f", "a.py", 2), Frame("f", "b.py", 1)
    tree = build_tree({(one,): 1, (other,): 2, (elsewhere,): 4})
    assert [total for _, _, _, total, _ in rows(tree)] == [7, 4, 3]


def test_the_tree_has_the_columns_of_the_answer():
    """The API hands the columns on as they are."""
    names = {field.name for field in fields(FlameTree)}
    assert names <= set(FlamegraphAnswer.__struct_fields__)


def test_nothing_gives_a_root_alone():
    """A service without samples has a tree, of width 0; stacks of value 0 leave no node."""
    for values in ({}, values_of({"main": 0})):
        assert rows(build_tree(values)) == [(0, "all", 0, 0, 0)]


def test_the_smallest_nodes_are_folded_per_parent():
    """Totals are conserved, the largest stay, and the count says how many went."""
    values = values_of({"main;a": 50, "main;b": 30, "main;c": 2, "main;d;e": 1, "main;d;g": 1})
    tree = build_tree(values, max_nodes=5)
    assert rows(tree) == [
        (0, "all", 0, 84, 0),
        (1, "main", 0, 84, 0),
        (2, "a", 0, 50, 50),
        (2, "b", 50, 30, 30),
        (2, OTHER_NAME, 80, 4, 4),
    ]
    assert tree.folded == 4


@pytest.mark.parametrize("max_nodes", range(2, 12))
def test_a_tree_is_never_larger_than_asked(max_nodes):
    """The "(other)" nodes count too."""
    values = values_of({f"main;{branch};{leaf}": 1 + number for number, branch in enumerate("abc") for leaf in "xyz"})
    tree = build_tree(values, max_nodes=max_nodes)
    assert len(tree.depth) <= max_nodes
    assert sum(tree.self) == tree.total_value == sum(values.values())


def test_a_single_small_leaf_is_not_replaced_by_other():
    """Folding one leaf into "(other)" would hide a name and save nothing."""
    tree = build_tree(values_of({"a": 5, "b": 4, "c": 1}), max_nodes=4)
    assert [name for _, name, *_ in rows(tree)] == ["all", "a", "b", "c"]


def test_a_baseline_stands_beside_the_values():
    """Nodes of either side are there, the baseline's values in their own columns."""
    tree = build_tree(values_of({"main;a": 4, "main;new": 2}), values_of({"main;a": 1, "main;gone": 5}))
    names = [tree.strings[name] for name in tree.name]
    assert dict(zip(names, zip(tree.total, tree.base_total, strict=True), strict=True)) == {
        "all": (6, 6),
        "main": (6, 6),
        "a": (4, 1),
        "new": (2, 0),
        "gone": (0, 5),
    }
    assert (tree.total_value, tree.base_total_value) == (6, 6)


def test_what_is_large_on_either_side_survives_pruning():
    """A function that vanished is the news of a difference: it must not be folded for being 0 now."""
    values = values_of({f"main;f{number}": 10 for number in range(20)})
    tree = build_tree(values, values_of({"main;gone": 1, "main;f1": 1}), max_nodes=6)
    assert "gone" in {tree.strings[name] for name in tree.name}


def test_deep_stacks_need_no_recursion():
    """A stack deeper than Python's own recursion limit is laid out."""
    deep = tuple(Frame(f"f{level}") for level in range(3_000))
    assert max(build_tree({deep: 1}).depth) == 3_000


def test_recursion_counts_once_towards_a_total():
    """However often a function stands in a stack, its time passed once."""
    totals = function_totals(values_of({"main;walk;walk;walk": 3, "main;walk": 1}))
    assert totals[("walk", "/srv/walk.py")] == (4, 4)
    assert totals[("main", "/srv/main.py")] == (0, 4)


def test_callers_and_callees_are_the_two_parts_of_each_stack():
    """A sandwich: what the function calls, and who calls it, function first; recursion is cut at its outermost call."""
    values = values_of({"main;walk;walk;read": 3, "main;serve;walk": 2, "main": 9})
    assert callees_of(values, "walk", "/srv/walk.py") == {a_stack("walk;walk;read"): 3, a_stack("walk"): 2}
    assert callers_of(values, "walk", "/srv/walk.py") == {a_stack("walk;main"): 3, a_stack("walk;serve;main"): 2}
    assert callees_of(values, "walk", "/elsewhere.py") == {}
