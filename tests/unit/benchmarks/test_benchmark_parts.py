"""What the benchmarks compute with, without what they measure."""

import os
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.clocks import host_busy_ns, process_cpu_ns, resident_bytes
from benchmarks.distance import REST, amounts_by_name, sampling_floor, shares, thin, total_variation
from benchmarks.tables import keep_table, markdown_table, spread
from benchmarks.throughput import compare_pairs
from benchmarks.workloads import truth
from pyrometer.values import Frame, Sample

AMOUNTS = st.dictionaries(st.sampled_from("abcd"), st.floats(0.01, 100), min_size=1)


@given(AMOUNTS, AMOUNTS)
def test_a_distance_is_a_fraction_and_the_same_from_both_sides(one, other):
    """Between two distributions it is from 0 to 1, 0 to itself, and symmetric."""
    one, other = shares(one), shares(other)
    distance = total_variation(one, other)
    assert 0 <= distance <= 1 + 1e-9
    assert distance == pytest.approx(total_variation(other, one))
    assert total_variation(one, one) == 0


def test_distributions_with_nothing_in_common_are_one_apart():
    """No name is in both."""
    assert total_variation({"a": 1.0}, {"b": 1.0}) == 1.0


def test_a_perfect_sampler_errs_less_with_more_samples():
    """A hundred times the samples, a tenth of the distance."""
    rng = np.random.default_rng(1)
    few, many = (sampling_floor({"a": 0.5, "b": 0.5}, n, rng) for n in (100, 10_000))
    assert few == pytest.approx(10 * many, rel=0.2)


def test_thinning_takes_as_many_as_wanted_and_none_that_is_not_there():
    """Drawn without putting back; all where there are not more."""
    rng = np.random.default_rng(1)
    thinned = thin([5, 0, 50], 20, rng)
    assert sum(thinned) == 20
    assert thinned[1] == 0
    assert thinned[0] <= 5
    assert thin([5, 0, 50], 100, rng) == [5, 0, 50]


def test_a_sample_belongs_to_the_name_nearest_to_its_leaf():
    """A name may be qualified; what holds no name is the rest."""
    stacks = (("main", "outer", "Class.inner", "helper"), ("main",))
    samples = [Sample(stack=tuple(map(Frame, stack)), count=2, value=7) for stack in stacks]
    assert amounts_by_name(samples, frozenset({"outer", "inner"}), by="count") == {"inner": 2, REST: 2}
    assert amounts_by_name(samples, frozenset({"outer"}), by="value") == {"outer": 7, REST: 7}


def test_the_interval_of_pairs_holds_the_difference():
    """Each pair differs by about 1%; the interval is around it and not wider than the pairs say."""
    without = [100.0, 110.0, 90.0, 100.0, 105.0]
    watched = [value * factor for value, factor in zip(without, (0.99, 0.991, 0.989, 0.99, 0.99), strict=True)]
    assert compare_pairs(without, watched)[2:] == ("-1.00", "-1.09 to -0.91")


def test_a_table_is_kept_between_its_comments(tmp_path):
    """What stood there is replaced, what stands around stays; a page without the place is an error."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- cost: begin -->\nold\n<!-- cost: end -->\nafter\n")
    keep_table("cost", markdown_table(("a", "b"), [(1, spread([3.0, 1.0, 2.0]))]), page=page)
    table = "| a | b |\n| --- | --- |\n| 1 | 2.00 (1.00 to 3.00) |"
    assert page.read_text() == f"before\n<!-- cost: begin -->\n{table}\n<!-- cost: end -->\nafter\n"
    with pytest.raises(ValueError, match="torn"):
        keep_table("torn", "", page=page)


def test_cpu_time_of_a_process_is_that_of_its_own_clock():
    """Read from outside, it moves as the process's clock does, and the host's with it."""
    host_ns, outside_ns, inside_ns = host_busy_ns(), process_cpu_ns(os.getpid()), time.process_time_ns()
    while time.process_time_ns() - inside_ns < 50_000_000:
        pass
    assert process_cpu_ns(os.getpid()) - outside_ns >= 50_000_000
    assert host_busy_ns() > host_ns
    assert resident_bytes(os.getpid()) > 1_000_000
    with pytest.raises(ProcessLookupError):
        process_cpu_ns(2**22 + 1)


def test_truth_is_calls_times_the_mean_of_those_measured(tmp_path, monkeypatch):
    """Calls that were not measured count as much as those that were."""
    path = tmp_path / "truth"
    path.write_bytes(bytes(truth.FILE_BYTES))
    truth.keep_truth(path, ("a", "b"))
    before = truth.read_truth(path, ("a", "b"))
    clock = iter([1_000, 3_000])
    monkeypatch.setattr(truth, "thread_time_ns", lambda: next(clock))
    for began_ns in (500, 0, 0, 1_500):
        truth.add("a", began_ns)
    after = truth.read_truth(path, ("a", "b"))
    assert after["a"] == (4, 2_000, 2)
    assert truth.used_ns(before, after) == {"a": 4_000.0, "b": 0.0}
