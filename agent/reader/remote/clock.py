"""Whether a thread was on a CPU: read from /proc through descriptors that stay with this very thread."""

import os
from typing import Final

# Descriptors kept for one process; threads beyond that are opened at each look.
KEPT_MAX: Final = 128
_SCHEDSTAT_BYTES: Final = 96
_STAT_BYTES: Final = 128


class ThreadGoneError(Exception):
    """The thread has ended."""


class ThreadClock:
    """
    The scheduler's account of one thread.

    Source: Documentation/scheduler/sched-stats.rst (``schedstat``), proc_pid_stat(5).
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
        self._schedstat_path, self._stat_path = folder + "schedstat", folder + "stat"
        self._before = b""
        self._schedstat = self._stat = -1
        if keep:
            try:
                self._schedstat = os.open(self._schedstat_path, os.O_RDONLY | os.O_CLOEXEC)
                self._stat = os.open(self._stat_path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                self.close()
                raise ThreadGoneError from None

    def close(self) -> None:
        """Give the descriptors back; safe more than once."""
        for descriptor in (self._schedstat, self._stat):
            if descriptor >= 0:
                os.close(descriptor)
        self._schedstat = self._stat = -1

    def has_run(self) -> bool:
        """
        Return whether it was put on a CPU, or stayed there, since the last call; True at the first.

        The last number of ``schedstat`` counts the times it was put on a CPU, so that a burst shows as it begins.
        """
        line = self._read(self._schedstat, self._schedstat_path, _SCHEDSTAT_BYTES)
        ran = line != self._before
        self._before = line
        return ran

    def is_running(self) -> bool:
        """Return whether it is on a CPU now, or waits for nothing but one."""
        line = self._read(self._stat, self._stat_path, _STAT_BYTES)
        mark = line.rfind(b") ")
        return line[mark + 2 : mark + 3] == b"R"

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
