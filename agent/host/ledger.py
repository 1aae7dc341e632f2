"""
The host's CPU bill adds up: all time that no watched process used, by program, under the service ``host``.

Stacks of the profile, all of count 0 unless an engine saw native code run::

    [other process] ; NAME                          processes that are not watched, by the kernel's short name
    [other process] ; [kernel] ; NAME               threads of the kernel
    [not sampled] ; [short-lived or interrupts]     what /proc/stat says was used and no process accounts for
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from agent.accounting import Moment
from agent.cpu_truth import scale_samples
from agent.procfs import TICK_NS, TICKS_PER_S
from agent.reader.engine import Target
from agent.selfmetrics import SelfMetrics
from agent.settings import LedgerSettings
from pyrometer import semconv
from pyrometer.units import NS_PER_S
from pyrometer.values import NOT_SAMPLED, OTHER_PROCESS, Frame, FrameType, Profile, Sample, Stack

AGENT_NAME: Final = "pyrometer-agent"
_KERNEL: Final = Frame("[kernel]", frame_type=FrameType.KERNEL)
_OTHERS: Final = Frame("[others]", frame_type=FrameType.MARKER)
_UNACCOUNTED: Final = Frame("[short-lived or interrupts]", frame_type=FrameType.MARKER)
# In a pid namespace of its own the agent cannot see the others' processes; what they use is no less real.
_OUTSIDE: Final = Frame("[outside the agent's pid namespace]", frame_type=FrameType.MARKER)
# Source: include/linux/proc_ns.h, PROC_PID_INIT_INO; include/linux/sched.h, PF_KTHREAD.
_FIRST_PID_NAMESPACE: Final = "pid:[4026531836]"
_KERNEL_THREAD: Final = 0x00200000
_STAT_BYTES_MAX: Final = 1024

# Gives the native and kernel stacks seen since the last call, by pid; those of the pids it is given are not wanted.
TakeStacks = Callable[[Collection[int]], Mapping[int, Sequence[Sample]]]


class _Clock(NamedTuple):
    """A process's CPU clock when it was last read."""

    start_ticks: int
    cpu_ns: int


class _Use(NamedTuple):
    """What one process used in a window, and the frames it is shown under."""

    pid: int
    path: Stack
    cpu_ns: int


class HostLedger:
    """Settles the machine's CPU time once a window. Not thread-safe: the sampling loop owns it."""

    def __init__(
        self,
        settings: LedgerSettings,
        host: Mapping[str, str],
        metrics: SelfMetrics,
        *,
        processes_max: int,
        take_stacks: TakeStacks = lambda _: {},
        billed: Mapping[Target, int] | None = None,
        proc: str = "/proc",
    ) -> None:
        """
        Look at nothing yet: the first `settle` only remembers where every clock stands.

        Args:
            settings: Window and limits.
            host: Resource attributes of the machine.
            metrics: Where it counts.
            processes_max: Most processes read; what those beyond used shows as time that none accounts for.
            take_stacks: Gives stacks of processes that are not watched, where an engine reads any.
            billed: CPU time in nanoseconds that an earlier ledger or watch has reported of each process.
            proc: Where procfs is mounted.
        """
        self._settings = settings
        self._attributes = {**host, semconv.SERVICE_NAME: semconv.HOST_SERVICE}
        self._metrics = metrics
        self._processes_max = processes_max
        self._take_stacks = take_stacks
        self._proc = proc
        self._own_pid = os.getpid()
        self._unaccounted = _unaccounted_frame(proc)
        self._clocks = {each.pid: _Clock(each.start_ticks, cpu_ns) for each, cpu_ns in (billed or {}).items()}
        self._settled: tuple[Moment, int] | None = None
        self._settled_ticks = 0
        self._debt_ns = 0

    @property
    def billed(self) -> Mapping[Target, int]:
        """CPU time in nanoseconds on the bill, or older than it, of each process that nobody watches."""
        return {Target(pid, clock.start_ticks): clock.cpu_ns for pid, clock in self._clocks.items()}

    def is_due(self, now: Moment) -> bool:
        """Return whether a window has passed since the last `settle`."""
        if self._settled is None:
            return True
        return now.monotonic_ns - self._settled[0].monotonic_ns >= self._settings.window_s * NS_PER_S

    def release(self, target: Target) -> int | None:
        """
        Give a process away because it is watched from now on.

        Returns:
            Its CPU time that is already on the host's bill or older than it: what its own account must start at, so
            that nothing is counted twice. None where the ledger never saw it.
        """
        clock = self._clocks.get(target.pid)
        if clock is None or clock.start_ticks != target.start_ticks:
            return None
        del self._clocks[target.pid]
        return clock.cpu_ns

    def settle(
        self,
        now: Moment,
        watched_cpu_ns: int,
        watched: Collection[int] = (),
    ) -> Profile | None:
        """
        Close the window and begin the next.

        Args:
            now: Where it ends.
            watched_cpu_ns: What watched processes used since the last call, those that ended included, by clocks that
                were just read; whether it was reported already does not matter.
            watched: Pids of the watched processes, which others account for; best a set.

        Returns:
            Its profile. With *watched_cpu_ns* its values sum to the busy time of ``/proc/stat``: what processes account
            for beyond it (the kernel counts busy time in ticks) is taken from the unaccounted time of later windows.
            None for the first call, and where ``/proc/stat`` cannot be read.
        """
        uses = list(self._read_uses(watched))
        stacks = self._take_stacks(watched)
        busy_ns = read_busy_ns(self._proc)
        settled, self._settled = self._settled, None if busy_ns is None else (now, busy_ns)
        if settled is None or busy_ns is None or now.monotonic_ns <= settled[0].monotonic_ns:
            return None
        other_ns = sum(use.cpu_ns for use in uses)
        unaccounted_ns = self._balance(busy_ns - settled[1] - watched_cpu_ns - other_ns)
        for state, amount_ns in (("watched", watched_cpu_ns), ("other", other_ns), ("unaccounted", unaccounted_ns)):
            self._metrics.add(semconv.AGENT_HOST_CPU_TIME, max(0, amount_ns) / NS_PER_S, state=state)
        rest = Sample(stack=(NOT_SAMPLED, self._unaccounted), count=0, value=unaccounted_ns)
        duration_ns = now.monotonic_ns - settled[0].monotonic_ns
        return Profile(
            samples=(*self._samples(uses, stacks), rest),
            start_unix_ns=now.unix_ns - duration_ns,
            duration_ns=duration_ns,
            attributes=self._attributes,
        )

    def _balance(self, left_ns: int) -> int:
        """Return the time that nobody accounts for: never negative, as debts wait for a window that can pay them."""
        balance_ns = left_ns - self._debt_ns
        # A debt beyond this is no rounding: the clocks disagree, as under steal time, and nothing will ever pay it.
        self._debt_ns = min(max(0, -balance_ns), int(self._settings.debt_s_max * NS_PER_S))
        self._metrics.set(semconv.AGENT_HOST_CPU_DEBT, self._debt_ns / NS_PER_S)
        return max(0, balance_ns)

    def _read_uses(self, watched: Collection[int]) -> Iterator[_Use]:
        """Read every process that is not watched; one that started since the last time counts from its start."""
        clocks: dict[int, _Clock] = {}
        settled_ticks = self._settled_ticks
        self._settled_ticks = int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS_PER_S)
        pids = sorted(int(name) for name in os.listdir(self._proc) if name.isdecimal())  # noqa: PTH208
        for pid in pids[: self._processes_max]:
            if pid in watched or (fields := _read_fields(f"{self._proc}/{pid}/stat")) is None:
                continue
            command, flags, start_ticks, cpu_ns = fields
            before = self._clocks.get(pid)
            is_known = before is not None and before.start_ticks == start_ticks
            if before is not None and is_known and (self._settled is None or before.cpu_ns == cpu_ns):
                clocks[pid] = before  # idle, as most are; or its time since an earlier ledger waits for the next window
                continue
            clocks[pid] = _Clock(start_ticks, cpu_ns)
            if before is not None and is_known:
                used_ns = cpu_ns - before.cpu_ns
            else:
                used_ns = cpu_ns if 0 < settled_ticks <= start_ticks else 0
            if used_ns > 0:
                yield _Use(pid, self._path(pid, command, flags), used_ns)
        self._clocks = clocks

    def _path(self, pid: int, command: bytes, flags: int) -> Stack:
        if pid == self._own_pid:
            return (Frame(AGENT_NAME, frame_type=FrameType.MARKER),)
        name = command.decode("utf-8", "replace")
        if flags & _KERNEL_THREAD:
            # "kworker/0:1-events" and "ksoftirqd/1": the rest says on which CPU, and for whom at this moment.
            return (_KERNEL, Frame(name.partition("/")[0], frame_type=FrameType.KERNEL))
        return (Frame(name, frame_type=FrameType.MARKER),)

    def _samples(self, uses: Sequence[_Use], stacks: Mapping[int, Sequence[Sample]]) -> Iterator[Sample]:
        by_path: Counter[Stack] = Counter()
        for use in uses:
            by_path[use.path] += use.cpu_ns
        ranked = by_path.most_common()
        kept = {path for path, _ in ranked[: self._settings.names_max]}
        self._metrics.add(semconv.AGENT_HOST_NAMES_FOLDED, len(ranked) - len(kept))
        values: Counter[Stack] = Counter()
        counts: Counter[Stack] = Counter()
        for use in uses:
            root = (OTHER_PROCESS, *(use.path if use.path in kept else (_OTHERS,)))
            seen = stacks.get(use.pid) if use.path in kept else None
            for sample in scale_samples(seen, use.cpu_ns) if seen else ():
                values[root + sample.stack] += sample.value
                counts[root + sample.stack] += sample.count
            if not seen:
                values[root] += use.cpu_ns
        return (Sample(stack=stack, count=counts[stack], value=value) for stack, value in values.items())


def read_busy_ns(proc: str = "/proc") -> int | None:
    """
    Return how long the machine's CPUs have been busy since boot: user, nice, system, irq and softirq, in nanoseconds.

    Guest time lies within user time; steal, idle and iowait are no work of this machine. None where it cannot be read.
    Source: proc_stat(5).
    """
    try:
        with Path(proc, "stat").open("rb", buffering=0) as file:
            fields = file.read(512).partition(b"\n")[0].split()
        user, nice, system, _idle, _iowait, irq, softirq = (int(field) for field in fields[1:8])
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq) * TICK_NS if fields[0] == b"cpu" else None


def _read_fields(path: str) -> tuple[bytes, int, int, int] | None:
    """Return name, flags, start (ticks) and CPU time (ns) of a stat file: half the price of `parse_stat`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        head, _, tail = os.read(descriptor, _STAT_BYTES_MAX).rpartition(b") ")
        fields = tail.split(None, 20)
        cpu_ns = (int(fields[11]) + int(fields[12])) * TICK_NS
        return head.partition(b" (")[2], int(fields[6]), int(fields[19]), cpu_ns
    except (OSError, ValueError, IndexError):
        return None
    finally:
        os.close(descriptor)


def _unaccounted_frame(proc: str) -> Frame:
    try:
        namespace = os.readlink(f"{proc}/self/ns/pid")  # noqa: PTH115
    except OSError:
        return _UNACCOUNTED
    return _UNACCOUNTED if namespace == _FIRST_PID_NAMESPACE else _OUTSIDE
