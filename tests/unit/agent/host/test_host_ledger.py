"""The host's CPU bill: what no watched process used, by program, so that everything adds up."""

import os
import random
import sys
import time

import pytest
from agent_processes import wait_until
from host_tree import KERNEL_THREAD, HostTree, write_files

from agent.accounting import Moment
from agent.host.ledger import HostLedger, read_busy_ns
from agent.procfs import TICKS_PER_S, list_pids, read_stat
from agent.reader.engine import Target
from agent.selfmetrics import SelfMetrics
from agent.settings import LedgerSettings
from pyrometer import semconv
from pyrometer.units import NS_PER_S
from pyrometer.values import Frame, FrameType, Sample

BUSY = "while True: pass"
SYSTEM = "import os\nwhile True: os.listdir('/proc')"
CHURN = """
import subprocess
while True:
    subprocess.run(["/bin/sh", "-c", "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); done"])
"""
PULSED = """
import time
while True:
    end = time.monotonic() + 0.003
    while time.monotonic() < end:
        pass
    time.sleep(0.005)
"""


def at(second: float) -> Moment:
    return Moment(int(second * NS_PER_S), int((1_795_000_000 + second) * NS_PER_S))


def a_ledger(
    proc="/proc", *, processes_max=1000, metrics=None, take_stacks=lambda _: {}, billed=None, **settings
) -> HostLedger:
    return HostLedger(
        LedgerSettings(**settings),
        {"host.name": "h1"},
        metrics or SelfMetrics(),
        processes_max=processes_max,
        take_stacks=take_stacks,
        billed=billed,
        proc=str(proc),
    )


def seconds(profile) -> dict[str, float]:
    """Return CPU seconds by stack, as text."""
    return {
        ";".join(frame.function for frame in stack): value / NS_PER_S
        for stack, value in profile.values().items()
        if value
    }


@pytest.fixture
def tree(tmp_path) -> HostTree:
    return HostTree(tmp_path)


def test_a_window_names_programs_the_kernel_and_what_nobody_accounts_for(tree):
    """Watched processes are left to others; the rest is by short name, and everything sums to the busy time."""
    tree.set_process(10, "postgres", 5)
    tree.set_process(11, "postgres", 5)
    tree.set_process(12, "watched", 5)
    tree.set_process(13, "kworker/0:1-events", 5, flags=KERNEL_THREAD)
    tree.set_process(os.getpid(), "python3", 5)
    ledger = a_ledger(tree.root)
    assert ledger.settle(at(0), 0, {12}) is None

    tree.set_busy(20, steal_s=9)
    tree.set_process(10, "postgres", 7)
    tree.set_process(11, "postgres", 6)
    tree.set_process(12, "watched", 9)
    tree.set_process(13, "kworker/0:1-events", 6, flags=KERNEL_THREAD)
    tree.set_process(os.getpid(), "python3", 5.5)
    profile = ledger.settle(at(10), 4 * NS_PER_S, {12})

    assert seconds(profile) == {
        "[other process];postgres": 3,
        "[other process];[kernel];kworker": 1,
        "[other process];pyrometer-agent": 0.5,
        "[not sampled];[short-lived or interrupts]": 11.5,
    }
    assert sum(profile.counts().values()) == 0
    assert profile.attributes == {"host.name": "h1", "service.name": "host"}
    assert (profile.start_unix_ns, profile.duration_ns) == (at(0).unix_ns, 10 * NS_PER_S)


def test_a_ledger_goes_on_where_an_earlier_one_ended(tree):
    """What was used between two ledgers is on the second one's bill, and no account begins later than the first's."""
    tree.set_process(10, "other", 5)
    tree.set_process(11, "to-be-watched", 5)
    tree.set_process(12, "pid-taken-again", 5)
    first = a_ledger(tree.root)
    first.settle(at(0), 0)
    tree.set_process(10, "other", 6)
    tree.set_process(11, "to-be-watched", 6)
    tree.set_process(12, "pid-taken-again", 6, start_ticks=77)
    second = a_ledger(tree.root, billed=first.billed)
    second.settle(at(10), 0)

    assert second.release(Target(11, start_ticks=first_start(first, 11))) == 5 * NS_PER_S
    tree.set_busy(10)
    tree.set_process(10, "other", 8)
    assert seconds(second.settle(at(20), 0, {11})) == {
        "[other process];other": 3,
        "[not sampled];[short-lived or interrupts]": 7,
    }


def first_start(ledger, pid):
    """Return when a process of the ledger started."""
    return next(target.start_ticks for target in ledger.billed if target.pid == pid)


def test_a_process_that_started_since_counts_from_its_start_and_an_older_one_from_now(tree):
    """What is new in the window was used in the window; what was there before it was not."""
    ledger = a_ledger(tree.root)
    ledger.settle(at(0), 0)
    later_ticks = int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS_PER_S) + 1
    tree.set_busy(10)
    tree.set_process(10, "new", 2, start_ticks=later_ticks)
    tree.set_process(11, "formerly-watched", 3, start_ticks=1)

    assert seconds(ledger.settle(at(10), 0)) == {
        "[other process];new": 2,
        "[not sampled];[short-lived or interrupts]": 8,
    }


def test_a_pid_that_is_used_again_is_another_process(tree):
    """A successor's clock is not compared with its predecessor's."""
    tree.set_process(10, "first", 9, start_ticks=1)
    ledger = a_ledger(tree.root)
    ledger.settle(at(0), 0)
    tree.set_busy(10)
    tree.set_process(10, "second", 1, start_ticks=int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS_PER_S) + 1)

    assert seconds(ledger.settle(at(10), 0))["[other process];second"] == 1


def test_what_an_ended_process_used_is_not_lost(tree):
    """It can no longer be read, and shows as time that nobody accounts for."""
    tree.set_process(10, "gone", 1)
    ledger = a_ledger(tree.root)
    ledger.settle(at(0), 0)
    tree.set_busy(4)
    tree.end_process(10)

    assert seconds(ledger.settle(at(10), 0)) == {"[not sampled];[short-lived or interrupts]": 4}


def test_a_debt_is_paid_by_later_windows(tree):
    """Where processes account for more than the machine, the next windows have less left, and never below nothing."""
    metrics = SelfMetrics()
    ledger = a_ledger(tree.root, metrics=metrics)
    ledger.settle(at(0), 0)
    tree.set_busy(10)
    first = ledger.settle(at(10), 13 * NS_PER_S)
    debt_s = metrics.value(semconv.AGENT_HOST_CPU_DEBT)
    tree.set_busy(20)
    second = ledger.settle(at(20), 5 * NS_PER_S)

    assert seconds(first) == {}
    assert debt_s == 3
    assert seconds(second) == {"[not sampled];[short-lived or interrupts]": 2}
    assert metrics.value(semconv.AGENT_HOST_CPU_DEBT) == 0
    assert metrics.value(semconv.AGENT_HOST_CPU_TIME, state="watched") == 18


def test_a_debt_that_nothing_will_pay_is_given_up(tree):
    """Clocks that disagree for long do not hide the unaccounted time of all the future."""
    ledger = a_ledger(tree.root, debt_s_max=1)
    ledger.settle(at(0), 0)
    ledger.settle(at(10), 100 * NS_PER_S)
    tree.set_busy(5)

    assert seconds(ledger.settle(at(20), 0)) == {"[not sampled];[short-lived or interrupts]": 4}


def test_names_beyond_the_limit_share_one(tree):
    """The busiest programs keep their names; no more names leave the agent than allowed."""
    metrics = SelfMetrics()
    ledger = a_ledger(tree.root, metrics=metrics, names_max=2)
    for pid in range(10, 15):
        tree.set_process(pid, f"program{pid}", 0)
    ledger.settle(at(0), 0)
    tree.set_busy(60)
    for pid in range(10, 15):
        tree.set_process(pid, f"program{pid}", pid)

    assert seconds(ledger.settle(at(10), 0)) == {
        "[other process];program14": 14,
        "[other process];program13": 13,
        "[other process];[others]": 33,
    }
    assert metrics.value(semconv.AGENT_HOST_NAMES_FOLDED) == 3


def test_processes_beyond_the_limit_are_not_read(tree):
    """What they used is in the total all the same."""
    for pid in (10, 11):
        tree.set_process(pid, f"program{pid}", 0)
    ledger = a_ledger(tree.root, processes_max=1)
    ledger.settle(at(0), 0)
    tree.set_busy(3)
    for pid in (10, 11):
        tree.set_process(pid, f"program{pid}", 1)

    assert seconds(ledger.settle(at(10), 0)) == {
        "[other process];program10": 1,
        "[not sampled];[short-lived or interrupts]": 2,
    }


def test_native_stacks_divide_what_their_process_used(tree):
    """Stacks that an engine saw stand below the name and sum to the clock; whose stacks are not wanted is said."""
    tree.set_process(10, "nginx", 0)
    read, write = (Frame(name, frame_type=FrameType.NATIVE) for name in ("read", "write"))
    seen = {10: [Sample(stack=(read,), count=3, value=0), Sample(stack=(write,), count=1, value=0)]}
    asked = []
    ledger = a_ledger(tree.root, take_stacks=lambda watched: asked.append(watched) or seen)
    ledger.settle(at(0), 0, {20})
    tree.set_busy(2)
    tree.set_process(10, "nginx", 2)
    profile = ledger.settle(at(10), 0, {20, 21})

    assert [{20}, {20, 21}] == asked
    assert seconds(profile) == {"[other process];nginx;read": 1.5, "[other process];nginx;write": 0.5}
    assert sum(profile.counts().values()) == 4


def test_a_process_that_becomes_watched_takes_its_account_with_it(tree):
    """Its own account begins at what is on the host's bill already; for another process there is nothing to take."""
    tree.set_process(10, "python3", 5)
    ledger = a_ledger(tree.root)
    ledger.settle(at(0), 0)

    assert ledger.release(Target(10, 99)) is None
    assert ledger.release(Target(10, 1)) == 5 * NS_PER_S
    assert ledger.release(Target(10, 1)) is None


@pytest.mark.parametrize("text", ["", "cpu", "cpu a b c d e f g h", "intr 1 2 3 4 5 6 7 8"])
def test_without_a_readable_clock_there_is_no_bill(tree, text):
    """A /proc/stat that is not one yields nothing, and the next good reading begins anew."""
    write_files(tree.root, {"stat": text, "10/stat": "10 (a) S"})
    ledger = a_ledger(tree.root)

    assert read_busy_ns(str(tree.root)) is None
    assert ledger.settle(at(0), 0) is None
    assert ledger.settle(at(10), 0) is None


def test_a_name_may_hold_anything(tree):
    """A process chooses its own name; parentheses, spaces and bytes that are no UTF-8 stay within it."""
    tree.set_process(10, "a) R (b", 0)
    ledger = a_ledger(tree.root)
    ledger.settle(at(0), 0)
    tree.set_busy(1)
    tree.set_process(10, "a) R (b", 1)

    assert seconds(ledger.settle(at(10), 0)) == {"[other process];a) R (b": 1}


def test_windows_come_due(tree):
    """The first look is due at once, the next after a window."""
    ledger = a_ledger(tree.root, window_s=10)

    assert ledger.is_due(at(0))
    ledger.settle(at(0), 0)
    assert not ledger.is_due(at(9))
    assert ledger.is_due(at(10))


def now() -> Moment:
    return Moment(time.monotonic_ns(), time.time_ns())


def bill_of_mixed_load(start_process, *, total_s: float, window_s: float) -> tuple[float, dict[str, float]]:
    """
    Bill a real mixed load, with one process accounted by its own clock as a watched one would be.

    Returns:
        Everything billed, the watched process included, over the machine's busy time; and seconds by stack.
    """
    for code in (SYSTEM, CHURN, PULSED):
        start_process(sys.executable, "-c", code)
    watched = start_process(sys.executable, "-c", BUSY)
    ledger = a_ledger()
    watched_ns = read_stat(watched.pid).cpu_ns
    ledger.settle(now(), 0, {watched.pid})
    began_ns, bill, billed_ns = read_busy_ns(), {}, 0
    end = time.monotonic() + total_s
    while time.monotonic() < end:
        due = min(end, time.monotonic() + window_s * random.uniform(0.8, 1.2))
        wait_until(lambda due=due: time.monotonic() >= due, timeout_s=window_s * 2 + 5)
        used_ns = read_stat(watched.pid).cpu_ns - watched_ns
        watched_ns += used_ns
        profile = ledger.settle(now(), used_ns, {watched.pid})
        billed_ns += used_ns + sum(profile.values().values())
        for stack, value in seconds(profile).items():
            bill[stack] = bill.get(stack, 0) + value
    return billed_ns / (read_busy_ns() - began_ns), bill


def test_the_bill_of_a_real_host_adds_up(start_process):
    """In four seconds already the stacks sum to what /proc/stat says, within the ticks of a few windows."""
    share, bill = bill_of_mixed_load(start_process, total_s=4, window_s=1)

    assert share == pytest.approx(1.0, abs=0.06)
    assert bill["[not sampled];[short-lived or interrupts]"] > 0


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_the_bill_of_a_real_host_adds_up_within_two_percent(start_process):
    """Over a minute of a mixed load the stacks sum to what /proc/stat says, within 2%."""
    share, bill = bill_of_mixed_load(start_process, total_s=60, window_s=5)

    assert share == pytest.approx(1.0, abs=0.02)
    assert sum(value for stack, value in bill.items() if stack.startswith("[other process];python")) > 0


def test_reading_a_process_is_cheap():
    """A look at every process of this host costs less than 100 us each even on a loaded machine; usually under 10."""
    ledger = a_ledger()
    ledger.settle(now(), 0)
    costs_ns = []
    for _ in range(5):
        before_ns = time.thread_time_ns()
        ledger.settle(now(), 0)
        costs_ns.append(time.thread_time_ns() - before_ns)
    processes = len(list_pids())

    assert min(costs_ns) / processes < 100_000
