"""The reader of perf events on the real kernel: who was on a CPU, its stacks, and what happens where it may not."""

import contextlib
import ctypes
import errno
import fcntl
import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from reader_workloads import SPIN, eventually, running

from agent.accounting import Moment
from agent.host.ledger import HostLedger
from agent.procfs import read_thread_clocks
from agent.reader.engine import find_target
from agent.reader.pace import Pace
from agent.reader.perf import event, reader, tally
from agent.reader.perf.event import CpuEvent, online_cpus
from agent.reader.perf.host import HostStacks, find_obstacle
from agent.reader.perf.naming import UNRESOLVED
from agent.reader.perf.reader import PerfReader
from agent.reader.perf.refusal import PerfRefusedError, explain_refusal
from agent.selfmetrics import SelfMetrics
from agent.settings import LedgerSettings, PerfSettings
from pyrometer import semconv
from pyrometer.values import TRUNCATED, FrameType

pytestmark = pytest.mark.alone

OBSTACLE = find_obstacle()
allowed = pytest.mark.skipif(bool(OBSTACLE), reason=OBSTACLE)
PERF_IOC_DISABLE = 0x2401
TWO_THREADS = """
import hashlib, threading
data = b"x" * 1_000_000
def burn():
    while True:
        hashlib.sha256(data)
threading.Thread(target=burn, daemon=True).start()
print("ready", flush=True)
burn()
"""
SYSTEM_CALLS = """
import os
print("ready", flush=True)
while True:
    os.stat("/")
"""
# A child that asks what stands in its way: with the rights of nobody, or under a seccomp filter that answers EPERM.
ASK = "import json, sys; from agent.reader.perf.host import find_obstacle; print(json.dumps(find_obstacle()))"
FILTER = """
import ctypes, platform, struct
number = {"x86_64": 298, "aarch64": 241}[platform.machine()]
code = b"".join(struct.pack("=HBBI", *line) for line in (
    (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)))
buffer = ctypes.create_string_buffer(code)
program = struct.pack("=H6xQ", 4, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) == 0, ctypes.get_errno()
"""


@contextlib.contextmanager
def reading(rate_hz: float = 99):
    """Run a reader of this rate until the end of the block; it has taken its first turn."""
    perf = PerfReader(rate_hz, samples_per_s_max=100_000)
    perf.start()
    try:
        yield perf
    finally:
        perf.close()


def ask(code: str, **options) -> str:
    """Return what a child of other rights finds in its way."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, **options)
    return json.loads(done.stdout)


@allowed
def test_moments_on_a_cpu_are_the_cpu_time_of_each_thread():
    """Count times period is what the kernel accounts to each thread, within sampling error."""
    with reading(199) as perf, running("-c", TWO_THREADS) as process:
        perf.take_host()
        before = read_thread_clocks(process.pid, 10)
        perf.watch(find_target(process.pid), 3).finished.wait(20)
        window = perf.take_host()
        after = read_thread_clocks(process.pid, 10)
    used = {thread: clock - before[thread] for thread, clock in after.items()}
    assert 2 == len(used)
    for thread, used_ns in used.items():
        seen_ns = window.moments[process.pid, thread] * window.period_ns
        most_ns = seen_ns + window.lost * window.period_ns
        assert 0.75 * used_ns - 40e6 <= most_ns, (thread, used_ns, window)
        assert seen_ns <= 1.3 * used_ns + 40e6, (thread, used_ns, window)


@allowed
def test_a_process_in_the_kernel_shows_the_kernels_functions_below_its_own():
    """Program first, then the system call, each frame with its kind."""
    with reading() as perf, running("-c", SYSTEM_CALLS) as process:
        perf.take_host()
        perf.watch(find_target(process.pid), 2).finished.wait(20)
        samples = perf.take_host().stacks[process.pid]
    kinds = {tuple(dict.fromkeys(frame.frame_type for frame in sample.stack)) for sample in samples}
    assert (FrameType.NATIVE, FrameType.KERNEL) in kinds
    assert kinds <= {(FrameType.NATIVE,), (FrameType.KERNEL,), (FrameType.NATIVE, FrameType.KERNEL)}
    assert all(sample.count * perf.period_ns == sample.value for sample in samples)


@allowed
def test_processes_that_others_read_are_counted_without_their_stacks():
    """Moments are kept of everybody; names are only looked up where they are wanted."""
    with reading() as perf, running("-c", SPIN) as process:
        perf.take_host({process.pid})
        eventually(lambda: any(pid == process.pid for pid, _ in _moments(perf)), "a moment")
        assert process.pid not in perf.take_host({process.pid}).stacks


def _moments(perf: PerfReader):
    with perf._lock:
        return list(perf._host.moments) if perf._host else []


@allowed
def test_a_process_that_has_ended_is_still_counted():
    """Code that can be asked for its names no more is one frame; the kernel's part is there."""
    with reading() as perf:
        perf.take_host()
        process = subprocess.Popen([sys.executable, "-c", "sum(range(10**7))"])
        process.wait()
        eventually(lambda: any(pid == process.pid for pid, _ in _moments(perf)), "a moment")
        stacks = perf.take_host().stacks.get(process.pid, ())
    assert stacks
    assert all(sample.stack[0] == UNRESOLVED or sample.stack[0].frame_type for sample in stacks)


@allowed
def test_closing_gives_everything_back():
    """Neither thread, descriptor nor mapping stays, and a window that is open ends."""

    def resources():
        maps = Path("/proc/self/maps").read_text().count("perf_event")
        return len(list(Path("/proc/self/fd").iterdir())), maps, threading.active_count()

    before = resources()
    with reading() as perf, running("-c", SPIN) as process:
        watch = perf.watch(find_target(process.pid), 60)
        assert perf.is_running
    assert watch.finished.wait(20)
    assert watch.duration_ns < 60e9
    assert not perf.is_running
    perf.close()
    # On a busy machine its thread may take longer to end than `close` waits.
    eventually(lambda: before == resources(), "nothing left")


@allowed
def test_a_cpu_that_went_off_line_and_came_back_is_sampled_again():
    """An event whose clock stands is dead: it is opened anew at the next look."""
    perf = PerfReader(99)
    cpus = online_cpus()
    perf._set_rate(len(cpus))
    perf._open_events(cpus)
    try:
        assert cpus == list(perf._events)
        perf._open_events(cpus)
        first, second = perf._events[cpus[0]], dict(perf._events)
        fcntl.ioctl(first._descriptor, PERF_IOC_DISABLE, 0)
        assert first.is_running() in (True, False)
        perf._open_events(cpus)
        assert first is not perf._events[cpus[0]]
        assert all(second[cpu] is perf._events[cpu] for cpu in cpus[1:])
        perf._open_events(cpus[:1])
        assert cpus[:1] == list(perf._events), "no event for a CPU that is not on line"
    finally:
        perf._close_events()


@allowed
def test_a_full_ring_is_counted_as_loss():
    """What the kernel had no room for is in the window of the host and of each target."""
    with reading(999) as perf, running("-c", SYSTEM_CALLS) as process:
        perf.take_host()
        watch = perf.watch(find_target(process.pid), 60)
        with perf._lock:  # the reader's thread waits here while the ring runs over
            deadline = time.monotonic() + 30
            while not _is_full(perf) and time.monotonic() < deadline:
                time.sleep(0.05)
        eventually(lambda: perf.lost > 0, "a loss")
        perf.end(watch)
        assert watch.finished.wait(10)
        assert 0 < watch.lost
        assert 0 < perf.take_host().lost


def _is_full(perf: PerfReader) -> bool:
    def used(one: CpuEvent) -> int:
        return one._words[event._HEAD] - one._words[event._TAIL]

    return max(used(one) for one in perf._events.values()) > event.RING_BYTES - event.RECORD_BYTES_MAX


def test_stacks_beyond_the_limit_are_counted_together(monkeypatch):
    """Memory stays bounded, and no sighting is lost."""
    monkeypatch.setattr(tally, "STACKS_MAX", 3)
    host = tally.HostTally(unwanted=frozenset({9}))
    for number in range(10):
        stack = (UNRESOLVED,) * (number + 1)
        host.add(tally.Seen(pid=5, thread_id=6, time_ns=0, stack=stack))
        host.add(tally.Seen(pid=9, thread_id=9, time_ns=0, stack=stack))
    window = host.close(10)
    assert {(5, 6): 10, (9, 9): 10} == window.moments
    assert [5] == list(window.stacks)
    assert 4 == len(window.stacks[5])
    assert {(TRUNCATED,): 7} == {s.stack: s.count for s in window.stacks[5] if s.stack[0] == TRUNCATED}


def test_many_cpus_share_one_rate():
    """The number of looks a second is bounded on a machine of any size, and the rings hold a turn of them."""
    small, large = PerfReader(19, 50), PerfReader(19, 50)
    small._set_rate(2)
    large._set_rate(100)
    assert (52_631_578, 2_000_000_000) == (small.period_ns, large.period_ns)
    fast = PerfReader(999, 100_000)
    fast._set_rate(1)
    assert fast._turn_s * 999 * event.RECORD_BYTES_MAX <= event.RING_BYTES


@pytest.mark.parametrize(("text", "expected"), [("0\n", [0]), ("0-3", [0, 1, 2, 3]), ("0,2-3,8\n", [0, 2, 3, 8])])
def test_cpus_on_line_are_read_from_ranges(text, expected):
    """As the kernel writes them."""
    assert expected == online_cpus(text)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up its rights")
def test_without_the_right_it_is_refused_with_the_mend():
    """As an ordinary user the reason names the capability; nothing else fails."""
    paranoid = int(Path("/proc/sys/kernel/perf_event_paranoid").read_text())
    if paranoid < 1:
        pytest.skip("this kernel lets everybody read the events of the whole host")
    # Asked once before, so that all modules are there: nobody may not be allowed to read them.
    code = f"{ASK.partition('print')[0]}find_obstacle(); import os; os.setgroups([]); os.setuid(65534)\n{ASK}"
    assert f"need CAP_PERFMON (kernel.perf_event_paranoid is {paranoid}); grant it" in ask(code)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has the capability that a filter takes away")
def test_a_filter_is_told_from_a_missing_right():
    """With the capability and a seccomp filter, as in a container, the filter is what to mend."""
    assert "a seccomp filter forbids perf_event_open" in ask(f"{FILTER}\n{ASK}")


@pytest.mark.parametrize(
    ("code", "reason", "text"),
    [
        (errno.ENOSYS, "kernel", "no perf events"),
        (errno.EOPNOTSUPP, "kernel", "call chains"),
        (errno.EMFILE, "limit", "LimitNOFILE"),
        (errno.EIO, "other", "EIO"),
    ],
)
def test_every_refusal_has_a_reason_and_one_line(code, reason, text):
    """Reasons are few, lines are for people."""
    error = explain_refusal(code)
    assert reason == error.reason
    assert text in str(error)
    assert "\n" not in str(error)


def test_a_security_module_is_named_where_there_is_no_filter():
    """With the capability and no filter something else forbids it."""
    status = "CapEff:\t000001ffffffffff\nSeccomp:\t0\n"
    assert "security module" in str(explain_refusal(errno.EACCES, status, 2))


@allowed
def test_the_hosts_stacks_are_counted():
    """Stacks by pid for the bill, and how many moments they come from."""
    metrics = SelfMetrics()
    stacks = HostStacks(PerfSettings(rate_hz=99, samples_per_s_max=1000), metrics, Pace(19))
    try:
        with running("-c", SPIN) as process:
            assert {} == stacks.take(())
            found = {}
            eventually(lambda: found.update(stacks.take(())) or process.pid in found, "a stack")
    finally:
        stacks.close()
    assert metrics.value(semconv.AGENT_EVENTS_SEEN) >= 1
    assert 0 == metrics.value(semconv.AGENT_EVENTS_LOST)


@allowed
def test_events_slow_down_with_the_agent():
    """When the budget lowers the rate, there are fewer looks at the host as well, each worth more; and back."""
    pace = Pace(20)
    stacks = HostStacks(PerfSettings(rate_hz=10, samples_per_s_max=1000), SelfMetrics(), pace)
    try:
        stacks.take(())
        assert 100_000_000 == stacks._reader.period_ns
        for rate_hz, expected in ((2, 1_000_000_000), (20, 100_000_000), (40, 100_000_000)):
            pace.rate_hz = rate_hz
            stacks.take(())
            assert expected == stacks._reader.period_ns
    finally:
        stacks.close()


@allowed
def test_the_hosts_bill_shows_what_a_process_of_nobody_did():
    """Native and kernel frames stand below the program's name, and share exactly what the kernel accounts to it."""
    metrics = SelfMetrics()
    stacks = HostStacks(PerfSettings(rate_hz=99, samples_per_s_max=1000), metrics, Pace(19))
    ledger = HostLedger(LedgerSettings(), {}, metrics, processes_max=10_000, take_stacks=stacks.take)
    try:
        with running("-c", SYSTEM_CALLS) as process:
            name = Path(f"/proc/{process.pid}/comm").read_text().strip()
            ledger.settle(a_moment(), 0)
            found = {}

            def has_native_frames():
                found.update(ledger.settle(a_moment(), 0).values())
                return any(stack[1].function == name and stack[-1].file == "[kernel]" for stack in found)

            eventually(has_native_frames, "a stack with frames of the kernel")
    finally:
        stacks.close()
    assert all(value >= 0 for value in found.values())


def a_moment() -> Moment:
    return Moment(time.monotonic_ns(), time.time_ns())


@pytest.mark.parametrize(("enabled", "warnings"), [("auto", 0), ("on", 1), ("off", 0)])
def test_a_host_that_refuses_leaves_the_rest_as_it_is(monkeypatch, caplog, enabled, warnings):
    """No stacks, a reason for the doctor and the metrics; a warning only where they were asked for."""

    def refuse(cpu, period_ns):
        raise PerfRefusedError("they are forbidden; allow them", reason="permission")

    monkeypatch.setattr(reader, "CpuEvent", refuse)
    metrics = SelfMetrics()
    with caplog.at_level(logging.WARNING):
        stacks = HostStacks(PerfSettings(enabled=enabled), metrics, Pace(19))
    assert {} == stacks.take(())
    stacks.close()
    assert warnings == len(caplog.records)
    assert (enabled != "off") == bool(stacks.reason)
    assert (enabled != "off") == metrics.value(semconv.AGENT_EVENTS_REFUSED, reason="permission")


def test_the_attributes_of_an_event_have_the_size_that_the_kernel_knows():
    """112 bytes, PERF_ATTR_SIZE_VER5."""
    assert 112 == event._ATTRIBUTES.size
    assert 8 == ctypes.sizeof(ctypes.c_ulong)
