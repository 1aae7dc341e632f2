"""What the agent itself uses, the programs it started included: CPU time and resident memory."""

import contextlib
import ctypes
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.procfs import read_start, read_stat
from pyrometer.units import NS_PER_S

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """
    Of the agent and its children, those that ended included.

    Attributes:
        cpu_ns: CPU time until now.
        rss_bytes: Resident memory now; pages that several share count in each.
        thread_cpu_ns: CPU time of the thread that asked.
    """

    cpu_ns: int
    rss_bytes: int
    thread_cpu_ns: int = 0


def read_usage() -> Usage:
    """Return what this process and its children use; some 20 µs where it has no children."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_ns = time.process_time_ns() + int((ended.ru_utime + ended.ru_stime) * NS_PER_S)
    rss_bytes = _resident_bytes("self")
    for pid in _children():
        stat = read_stat(pid)
        if stat is not None:
            cpu_ns += stat.cpu_ns
            rss_bytes += _resident_bytes(str(pid))
    return Usage(cpu_ns, rss_bytes, time.thread_time_ns())


def trim_memory() -> None:
    """Give free memory of the allocator back to the machine, where the C library can. Source: malloc_trim(3)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _children() -> Iterator[int]:
    """Yield the pids of the children that live or wait to be reaped."""
    try:
        # Does nothing to any child, and fails where there is none: much cheaper than to ask each thread.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:
        return
    with contextlib.suppress(OSError):
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 (a Path each is slow)
            for pid in read_start(f"/proc/self/task/{thread}/children").split():
                yield int(pid)


def _resident_bytes(process: str) -> int:
    """Return the resident memory of a process; 0 where it cannot be read. Source: proc_pid_statm(5)."""
    try:
        with Path(f"/proc/{process}/statm").open("rb", buffering=0) as file:
            return int(file.read(256).split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0
