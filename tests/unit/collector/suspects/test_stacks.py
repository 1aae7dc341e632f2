"""In which stacks an increase lies: the score of the reference, and what must hold of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.suspects.stacks import StackShare, StackTable, explained_share, increase_of

A, B, C, D, E, F, G = range(7)
# Source: Yao et al., FBDetect, SOSP 2024, root cause analysis: the stacks of B.
WORKED_EXAMPLE = [
    StackShare(frozenset({A, B, C}), 0.01, 0.02),
    StackShare(frozenset({B, E, F}), 0.02, 0.03),
    StackShare(frozenset({D, B, C}), 0.02, 0.02),
    StackShare(frozenset({B, E, D}), 0.04, 0.06),
    StackShare(frozenset({G, B, D}), 0.00, 0.01),
]


def test_the_worked_example_of_the_reference_scores_80_percent():
    """A change to A and E: 0.04 of the 0.05 by which B grew lie in stacks with one of them."""
    assert explained_share(WORKED_EXAMPLE, frozenset({B}), frozenset({A, E})) == pytest.approx(0.8)


def test_each_function_has_its_part():
    """A and E alone, and what nothing runs through."""
    increase = increase_of(StackTable((), WORKED_EXAMPLE), frozenset({B}))
    assert increase.whole == pytest.approx(0.05)
    assert increase.explained(A) == pytest.approx(0.2)
    assert increase.explained(E) == pytest.approx(0.6)
    assert increase.explained(99) == 0.0
    assert increase.popularity[B] == pytest.approx(0.14)


def test_what_did_not_grow_has_no_score():
    """Nor has a function that was never seen."""
    shrunk = [StackShare(frozenset({B}), 0.2, 0.1)]
    assert explained_share(shrunk, frozenset({B}), frozenset({A})) is None
    assert explained_share([], frozenset({B}), frozenset({A})) is None
    assert increase_of(StackTable((), shrunk), frozenset({B})).explained(B) == 0.0


share = st.floats(0, 1)
stacks = st.lists(st.builds(StackShare, st.frozensets(st.integers(0, 5)), share, share), max_size=20)


@given(stacks, st.randoms())
def test_order_and_other_functions_do_not_matter(stacks, random):
    """Shuffled, and beside stacks that do not hold the function, the score is the same."""
    target, touched = frozenset({0}), frozenset({1, 2})
    score = explained_share(stacks, target, touched)
    other = [*stacks, StackShare(frozenset({1, 3}), 0.0, 0.9)]
    random.shuffle(other)
    assert explained_share(other, target, touched) == (
        None if score is None else pytest.approx(score, abs=1e-6, rel=1e-6)
    )


@given(stacks)
def test_a_part_is_a_fraction(stacks):
    """Whatever the shares are."""
    increase = increase_of(StackTable((), stacks), frozenset({0}))
    assert all(0.0 <= increase.explained(number) <= 1.0 for number in range(6))
    assert all(0.0 <= value <= 1.0 for value in increase.popularity.values())
