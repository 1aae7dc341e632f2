"""The same tests for every engine: py-spy, perf events, and our own reader."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from engine_contract import BUSY_AND_IDLE, CASES, EngineCase, count_of, hottest, sample_until_seen
from reader_workloads import SPIN, eventually, running

from agent.procfs import read_stat
from agent.reader.engine import Target, find_target
from pyrometer.errors import NotPythonError, TargetNotFoundError


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request) -> EngineCase:
    return request.param


def test_the_busy_function_is_on_top_and_the_waiting_thread_is_not_counted(case):
    """One thread works, one waits: nearly all that is seen is the work, in the thread that does it."""
    with running("-c", BUSY_AND_IDLE) as process, case.build(2.0) as engine:
        assert case.name == engine.name
        window = sample_until_seen(engine.attach(find_target(process.pid)))
    top = hottest(window)
    assert case.is_hot(top.stack[-1]), top
    assert process.pid == top.thread_id
    elsewhere = sum(sample.count for sample in window.samples if sample.thread_id != process.pid)
    assert elsewhere <= max(1, 0.05 * count_of(window)), window.samples
    assert not window.ended


def test_a_sample_is_worth_its_count_times_the_period(case):
    """Weights are the same for all engines: they sum to about the CPU time used; the window says when and how long."""
    with running("-c", SPIN) as process, case.build(2.0) as engine:
        attachment = engine.attach(find_target(process.pid))
        before, cpu_before_ns = time.time_ns(), read_stat(process.pid).cpu_ns
        window = attachment.sample()
        after, cpu_after_ns = time.time_ns(), read_stat(process.pid).cpu_ns
    assert all(sample.value == sample.count * window.period_ns for sample in window.samples)
    assert all(sample.count > 0 and sample.stack for sample in window.samples)
    assert before <= window.start_unix_ns <= after
    assert 1.9e9 <= window.duration_ns <= 4e9
    # On a busy machine a thread that could run is not always on a CPU: engines differ in which of the two they count.
    seen_ns = sum(sample.value for sample in window.samples)
    assert seen_ns <= 1.3 * window.duration_ns
    if case.sees_all:
        assert seen_ns >= 0.5 * (cpu_after_ns - cpu_before_ns) - 5 * window.period_ns


def test_windows_follow_each_other(case):
    """An attachment gives one window after the other, none of which begins before the one before it ended."""
    with running("-c", SPIN) as process, case.build(0.7) as engine:
        attachment = engine.attach(find_target(process.pid))
        windows = [sample_until_seen(attachment) for _ in range(3)]
        attachment.detach()
    slack_ns = 50_000_000
    for earlier, later in itertools.pairwise(windows):
        assert later.start_unix_ns >= earlier.start_unix_ns + earlier.duration_ns - slack_ns


def test_an_idle_process_has_no_samples(case):
    """Waiting costs nothing and is not seen."""
    with running("-c", "import time; print('ready', flush=True); time.sleep(60)") as process, case.build(1.0) as engine:
        window = engine.attach(find_target(process.pid)).sample()
    assert count_of(window) <= 1, window.samples


def test_a_target_that_ends_gives_what_was_seen(case):
    """A process that is killed during the window leaves a partial window that says so, and no further one."""
    with running("-c", SPIN) as process, case.build(60) as engine:
        attachment = engine.attach(find_target(process.pid))
        timer = threading.Timer(4, process.kill)
        timer.start()
        window = attachment.sample()
        timer.join()
        assert window.ended
        assert window.duration_ns < 20e9
        assert case.is_hot(hottest(window).stack[-1])
        with pytest.raises(TargetNotFoundError):
            attachment.sample()


def test_detach_from_another_thread_ends_the_wait(case):
    """What was seen until then is returned; after that every window is empty and ended; twice does no harm."""
    with running("-c", SPIN) as process, case.build(60) as engine:
        attachment = engine.attach(find_target(process.pid))
        timer = threading.Timer(4, attachment.detach)
        timer.start()
        window = attachment.sample()
        timer.join()
        attachment.detach()
        assert window.ended
        assert window.duration_ns < 20e9
        assert case.is_hot(hottest(window).stack[-1])
        assert attachment.sample().ended


def test_a_pid_that_was_given_to_another_process_is_not_read(case):
    """A target is a pid and its start time: a later process with that pid is somebody else."""
    with running("-c", SPIN) as process, case.build(1.0) as engine:
        real = find_target(process.pid)
        with pytest.raises(TargetNotFoundError):
            engine.attach(Target(real.pid, real.start_ticks - 1))


def test_a_process_that_has_ended_is_not_found(case):
    """A pid that nobody has any more ends in the error for it, not in an empty window."""
    with running("-c", SPIN) as process:
        target = find_target(process.pid)
    with case.build(1.0) as engine, pytest.raises(TargetNotFoundError):
        engine.attach(target).sample()


def test_a_process_that_is_not_python_is_told_apart(case):
    """An engine for Python says that it is none; one for native code reads it."""
    with running("-c", "while true; do :; done", python="/bin/sh", ready=False) as process, case.build(5.0) as engine:
        eventually(lambda: b"while" in Path(f"/proc/{process.pid}/cmdline").read_bytes(), "exec")
        target = find_target(process.pid)
        if case.python_only:
            with pytest.raises(NotPythonError):
                engine.attach(target).sample()
        else:
            assert case.is_hot(hottest(engine.attach(target).sample()).stack[-1])


def test_a_stopped_process_does_not_hold_the_window_up(case):
    """SIGSTOP in the target costs the reader nothing but samples."""
    with running("-c", SPIN) as process, case.build(1.0) as engine:
        attachment = engine.attach(find_target(process.pid))
        os.kill(process.pid, signal.SIGSTOP)
        eventually(lambda: ") T " in Path(f"/proc/{process.pid}/stat").read_text(), "stop")
        window = attachment.sample()
        os.kill(process.pid, signal.SIGCONT)
    assert window.duration_ns < 20e9
    assert count_of(window) <= 1, window.samples


def test_many_windows_at_once_do_not_mix(case):
    """Four processes read at the same time: each window holds the threads of its own process only."""
    code = SPIN
    with case.build(2.0) as engine:
        processes = [
            subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)
        ]
        try:
            for process in processes:
                assert process.stdout.readline() == "ready\n"
            attachments = [engine.attach(find_target(process.pid)) for process in processes]
            with ThreadPoolExecutor(4) as pool:
                windows = list(pool.map(sample_until_seen, attachments))
        finally:
            for process in processes:
                process.kill()
                process.communicate()
    for process, window in zip(processes, windows, strict=True):
        assert {process.pid} == {sample.thread_id for sample in window.samples}
