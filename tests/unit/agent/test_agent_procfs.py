"""Parsing /proc."""

import contextlib
import os
import threading

import pytest
from agent_processes import PYTHON, WAITING
from hypothesis import given
from hypothesis import strategies as st

from agent.procfs import (
    TICK_NS,
    clock_deltas,
    parse_stat,
    read_arguments,
    read_environment,
    read_stat,
    read_thread_clocks,
)

_TAIL = b"S 7 1 1 0 -1 4194304 97 0 2 0 30 12 0 0 20 0 1 0 123730 3133440 360 18446744073709551615 4096 8192 77777 0 0"


def test_stat_line_is_parsed_by_the_manual_page():
    """Each field is taken from its place, CPU time being user plus system time."""
    stat = parse_stat(b"42 (python3) " + _TAIL)

    assert (stat.pid, stat.command, stat.state, stat.parent_pid) == (42, "python3", "S", 7)
    assert (stat.start_ticks, stat.cpu_ns) == (123730, 42 * TICK_NS)
    assert stat.image == ("", "4096", "77777")


@given(st.binary(max_size=64).filter(lambda name: b"\0" not in name))
def test_any_process_name_leaves_the_other_fields_alone(name):
    """A name may hold spaces, parentheses and whole fake fields; the rest is still found."""
    stat = parse_stat(b"42 (" + name + b") " + _TAIL)

    assert (stat.pid, stat.start_ticks, stat.cpu_ns) == (42, 123730, 42 * TICK_NS)


@given(st.binary(max_size=400))
def test_garbage_is_refused_with_a_value_error_only(line):
    """Bytes that are no stat line raise ValueError and nothing else."""
    with contextlib.suppress(ValueError):
        parse_stat(line)


def test_image_falls_back_to_the_name_where_addresses_are_hidden():
    """Without the right to see addresses, an exec shows in the name alone."""
    stat = parse_stat(b"42 (python3) " + _TAIL.replace(b"4096 8192 77777", b"1 1 0"))

    assert stat.image == ("python3", "", "")


def test_own_stat_agrees_with_the_clock_of_the_process():
    """CPU time read from /proc is that of times(2), within a few ticks."""
    times = os.times()
    stat = read_stat(os.getpid())

    assert stat.pid == os.getpid()
    assert stat.parent_pid == os.getppid()
    assert stat.cpu_ns / 1e9 == pytest.approx(times.user + times.system, abs=0.2)


def test_only_the_named_variables_are_read(start_process):
    """Of another process's environment, only the variables asked for come back."""
    environment = {"OTEL_SERVICE_NAME": "shop", "PASSWORD": "hunter2", "XOTEL_SERVICE_NAME": "no"}
    process = start_process(PYTHON, "-c", WAITING, environment=environment)
    process.stdout.readline()

    assert read_environment(process.pid, ("OTEL_SERVICE_NAME", "ABSENT")) == {"OTEL_SERVICE_NAME": "shop"}


def test_arguments_keep_empty_and_spaced_ones(start_process):
    """Arguments come back one by one, as they were given."""
    process = start_process(PYTHON, "-c", WAITING, "", "a b")
    process.stdout.readline()

    assert read_arguments(process.pid) == [PYTHON, "-c", WAITING, "", "a b"]


def test_a_process_that_is_not_there_reads_as_nothing():
    """A pid beyond the kernel's maximum gives nothing and raises nothing."""
    pid = 2**22 + 1

    assert read_stat(pid) is None
    assert read_arguments(pid) == []
    assert read_environment(pid, ("PATH",)) == {}
    assert read_thread_clocks(pid, 10) == {}


def test_thread_clocks_show_which_thread_ran():
    """The clock of a thread that computes moves; that of one that waits does not."""
    stop, ids = threading.Event(), {}

    def burn():
        ids["busy"] = threading.get_native_id()
        while not stop.is_set():
            sum(range(1000))

    def wait():
        ids["idle"] = threading.get_native_id()
        stop.wait()

    threads = [threading.Thread(target=burn), threading.Thread(target=wait)]
    for thread in threads:
        thread.start()
    try:
        before = read_thread_clocks(os.getpid(), 4096)
        while clock_deltas(before, read_thread_clocks(os.getpid(), 4096)).get(ids.get("busy"), 0) < 50_000_000:
            pass
        used = clock_deltas(before, read_thread_clocks(os.getpid(), 4096))
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert used[ids["busy"]] > 20 * used[ids["idle"]]


def test_a_new_thread_counts_from_zero_and_none_runs_backwards():
    """A thread that appears in the second reading used all it shows; a reused id never counts below 0."""
    assert clock_deltas({1: 100, 2: 50}, {1: 130, 2: 10, 3: 7}) == {1: 30, 2: 0, 3: 7}
