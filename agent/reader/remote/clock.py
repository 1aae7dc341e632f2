"""Whether a thread was on a CPU: read from /proc through descriptors that stay with this very thread."""

import os
import re
import threading
import time
from functools import cache
from pathlib import Path
from typing import Final

# Descriptors kept for one process; threads beyond that are opened at each look.
KEPT_MAX: Final = 128
_SCHEDSTAT_BYTES: Final = 96
_STAT_BYTES: Final = 128
_STATUS_BYTES: Final = 8192
_TIMES_ON: Final = 2
_UNKNOWN: Final = -1
_SWITCHES: Final = re.compile(rb"voluntary_ctxt_switches:\t(\d+)")
# What /proc says of a thread that does not wait for anything, by file.
_RUNNING_MARKS: Final = {"wchan": b"0", "syscall": b"running"}
# Tries, a millisecond each, to see a thread of ours asleep.
_TRIES: Final = 50
_SHARES_ONLY_CPU: Final = len(os.sched_getaffinity(0)) == 1


class ThreadGoneError(Exception):
    """The thread has ended."""


class ThreadClock:
    """
    The scheduler's account of one thread.

    Source: Documentation/scheduler/sched-stats.rst (``schedstat``), proc_pid_wchan(5), proc_pid_stat(5).
    """

    def __init__(self, pid: int, tid: int, *, keep: bool) -> None:
        """
        Begin to watch.

        Args:
            pid: Of the process.
            tid: Of the thread, both in our own pid namespace.
            keep: Whether to keep its files open.

        Raises:
            ThreadGoneError: It is not there.
        """
        folder = f"/proc/{pid}/task/{tid}/"
        self._schedstat_path = folder + "schedstat"
        state_file = choose_state_file()
        self._running_mark = _RUNNING_MARKS.get(state_file, b"")
        self._state_path = folder + state_file
        self._status_path = folder + "status"
        self._before = b""
        self._may_run = True
        self._off_cpu, self._is_calibrated = 0, False
        self._voluntary = _UNKNOWN
        # Whether the last look that counted found it on a CPU, and whether it has slept since somebody set this back.
        self.on_cpu, self.slept = True, False
        self._schedstat = self._state = self._status = -1
        if keep:
            try:
                self._schedstat = os.open(self._schedstat_path, os.O_RDONLY | os.O_CLOEXEC)
                self._state = os.open(self._state_path, os.O_RDONLY | os.O_CLOEXEC)
                self._status = os.open(self._status_path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                self.close()
                raise ThreadGoneError from None

    def close(self) -> None:
        """Give the descriptors back; safe more than once."""
        for descriptor in (self._schedstat, self._state, self._status):
            if descriptor >= 0:
                os.close(descriptor)
        self._schedstat = self._state = self._status = -1

    def has_run(self) -> bool:
        """
        Return whether it may have been on a CPU since the last call; True at the first.

        The last number of ``schedstat`` counts the times it was put on a CPU, so that a burst shows as it begins. The
        run time there moves only with the kernel's tick, so the line says nothing of a thread that `is_running` last
        found on a CPU: to go by it would pass over long work in favour of work that calls the kernel often.
        """
        line = self._read(self._schedstat, self._schedstat_path, _SCHEDSTAT_BYTES)
        self._may_run |= line != self._before
        self._before = line
        return self._may_run

    def is_running(self) -> bool:
        """Return whether it is on a CPU now, or waits for nothing but one."""
        self._may_run = self._is_running()
        if not self._may_run:
            self.slept = True
            self._calibrate()
        return self._may_run

    def _is_running(self) -> bool:
        line = self._read(self._state, self._state_path, _STAT_BYTES)
        if self._running_mark:
            return line.startswith(self._running_mark)
        mark = line.rfind(b") ")
        return line[mark + 2 : mark + 3] == b"R"

    def is_off_cpu(self) -> bool:
        """
        Return whether a look now would most likely not count: it sleeps, or waits for a CPU and has slept before.

        What it costs to tell waiting is spared where the last look that was taken found no waiting.
        """
        if not self.is_running():
            return True
        if self.on_cpu or not self.slept or _SHARES_ONLY_CPU:
            return False
        on = self._times_on()
        self.on_cpu = on == 0 or on - self._times_off()[1] != self._off_cpu
        return not self.on_cpu

    def was_on_cpu(self) -> bool:
        """
        Return whether a look counts that was taken as `is_running` said yes, and note in `on_cpu` why.

        A thread that was woken waits for a CPU with the stack that it went to sleep with; on a busy host or under a
        quota that takes many times longer than it then runs. So it must not count. One that has not slept since the
        last look, and waits, was taken off in the middle of its work: it counts, unless there is better (see `slept`).

        A thread was put on a CPU as often as it was taken off; one that is on a CPU, once more; one that has gone to
        sleep since, and ran for some time before that, was on one (a kernel may leave one that sleeps in the queue for
        a while, and call it running). Where the kernel does not count, or the one CPU that we may use is taken from the
        thread by us, all that run or wait to count.
        """
        if _SHARES_ONLY_CPU:
            return True
        voluntary, off = self._times_off()
        stayed = voluntary == self._voluntary
        # At the first look it is not known, and to take it for a sleeper would throw away a whole window's work.
        self.slept |= not stayed and self._voluntary != _UNKNOWN
        self._voluntary = voluntary
        line = self._read(self._schedstat, self._schedstat_path, _SCHEDSTAT_BYTES)
        on = _times_on(line)
        self.on_cpu = on == 0 or on - off != self._off_cpu
        if not self.on_cpu and _run_time(line) != _run_time(self._before):
            self.on_cpu = not self._is_running()
        return self.on_cpu or stayed

    def _calibrate(self) -> None:
        """Note what the difference is for a thread that sleeps: 0, unless a kernel counts otherwise than we know."""
        if self._is_calibrated:
            return
        before = self._times_on()
        _, off = self._times_off()
        after = self._times_on()
        if before == after and not self._is_running():
            self._off_cpu, self._is_calibrated = after - off, True

    def _times_on(self) -> int:
        return _times_on(self._read(self._schedstat, self._schedstat_path, _SCHEDSTAT_BYTES))

    def _times_off(self) -> tuple[int, int]:
        """Return how often it went to sleep, and how often it was taken off in all. Source: __schedule()."""
        times = [int(count) for count in _SWITCHES.findall(self._read(self._status, self._status_path, _STATUS_BYTES))]
        return (times[0], sum(times)) if times else (0, 0)

    @staticmethod
    def _read(descriptor: int, path: str, size: int) -> bytes:
        try:
            if descriptor >= 0:
                return os.pread(descriptor, size, 0)
            opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.read(opened, size)
            finally:
                os.close(opened)
        except OSError:
            raise ThreadGoneError from None


def _times_on(schedstat: bytes) -> int:
    """Return how often a thread was put on a CPU. Source: kernel/sched/stats.h, sched_info_arrive()."""
    fields = schedstat.split()
    return int(fields[2]) if len(fields) > _TIMES_ON else 0


def _run_time(schedstat: bytes) -> bytes:
    """Return for how long it was on one, up to the last tick or the time it was taken off."""
    return schedstat.partition(b" ")[0]


@cache
def choose_state_file() -> str:
    """
    Return the file of a thread's folder that tells whether it runs.

    ``wchan`` is the one that takes a thread for running until it has left the CPU: on the way to sleep, setting a timer
    takes long in a virtual machine, and that is CPU time of the call that waits. ``syscall`` and ``stat`` say from the
    first moment on that it sleeps. Some kernels lack the first two, or fill in the same for all threads.
    Source: fs/proc/base.c, proc_pid_wchan() and proc_pid_syscall(); kernel/sched/core.c, get_wchan().
    """
    over = threading.Event()
    sleeper = threading.Thread(target=over.wait, name="sleeper", daemon=True)
    sleeper.start()
    try:
        for name, mark in _RUNNING_MARKS.items():
            own = Path(f"/proc/self/task/{threading.get_native_id()}/{name}")
            others = Path(f"/proc/self/task/{sleeper.native_id}/{name}")
            for _ in range(_TRIES):
                try:
                    says_so = own.read_bytes().startswith(mark)
                    if says_so and not others.read_bytes().startswith(mark):
                        return name
                except OSError:
                    break
                time.sleep(0.001)
    finally:
        over.set()
    return "stat"
