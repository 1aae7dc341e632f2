"""Differences of two profiles, and merging many."""

import pytest

from pyrometer.diff import EmptyProfileError, function_differences, total_variation_distance
from pyrometer.merge import merge_profiles
from tests.builders import a_profile, a_rich_profile, values_of


def test_differences_are_of_shares_largest_first():
    """A recording twice as long is no difference; a function that took over is the largest."""
    baseline, candidate = values_of({"a": 5, "b": 4, "c": 1}), values_of({"a": 9, "b": 3, "c": 8})
    differences = function_differences(baseline, candidate)
    assert [each.function for each in differences] == ["c", "b", "a"]
    assert differences[0].self_change == pytest.approx(0.3)
    assert differences[2].total_change == pytest.approx(-0.05)


def test_a_function_of_one_side_has_no_share_on_the_other():
    """Both sides' functions are listed."""
    (gone, new) = sorted(function_differences(values_of({"gone": 1}), values_of({"new": 1})), key=lambda d: d.function)
    assert (gone.self_baseline, gone.self_candidate) == (1, 0)
    assert (new.total_baseline, new.total_candidate) == (0, 1)


def test_distance_is_zero_for_the_same_shares_and_one_for_nothing_in_common():
    """The distance is of shares, not of lengths."""
    values = values_of({"a": 1, "b": 3})
    assert total_variation_distance(values, {stack: 7 * value for stack, value in values.items()}) == 0
    assert total_variation_distance(values, values_of({"c": 1})) == 1


@pytest.mark.parametrize("compare", [function_differences, total_variation_distance])
def test_an_empty_side_cannot_be_compared(compare):
    """Nothing has no shares: the error says which side it is."""
    with pytest.raises(EmptyProfileError, match="candidate"):
        compare(values_of({"a": 1}), values_of({"a": 0}))


def test_windows_are_summed_per_stack_and_thread():
    """Counts and values add up, and the window spans both."""
    first, second = a_profile({"a": 1}), a_profile({"a": 2, "b": 1}, start_unix_ns=1_795_000_010_000_000_000)
    merged = merge_profiles([first, second])
    assert [(s.stack[0].function, s.count, s.thread_id) for s in merged.samples] == [("a", 3, 7), ("b", 1, 7)]
    assert (merged.start_unix_ns, merged.duration_ns) == (first.start_unix_ns, 20_000_000_000)
    assert (merged.period_ns, merged.attributes) == (first.period_ns, first.attributes)


def test_what_profiles_do_not_agree_on_is_left_out():
    """The merge of two processes has no pid, and of two rates no period."""
    other = a_profile(attributes={"service.name": "shop", "process.pid": 1}, period_ns=5)
    merged = merge_profiles([a_profile(), other])
    assert (merged.attributes, merged.period_ns) == ({"service.name": "shop"}, 0)


def test_one_profile_is_its_own_merge():
    """Merging changes nothing where there is nothing to merge."""
    assert merge_profiles([a_rich_profile()]) == a_rich_profile()


def test_kinds_are_not_mixed():
    """CPU time and waiting time have no sum."""
    with pytest.raises(ValueError, match="different kinds"):
        merge_profiles([a_profile(), a_profile(sample_type="wall")])
    with pytest.raises(ValueError, match="no profile"):
        merge_profiles([])
