"""CPU time of other processes, to the nanosecond where the kernel gives it so."""

import os
import time
from pathlib import Path
from typing import Final

from agent.procfs import TICK_NS

# Source: clock_getcpuclockid(3) in glibc: the clock of a process's CPU time is ~pid, three bits up, type 2 (SCHED).
_CLOCK_TYPE_BITS: Final = 3
_CLOCK_SCHED: Final = 2
_FIELD_CHILDREN_USER: Final = 13


def process_cpu_ns(pid: int) -> int:
    """
    Return the CPU time of a process: all its threads, ended ones too, and the children it has waited for.

    Raises:
        ProcessLookupError: There is no such process any more.
    """
    try:
        own_ns = time.clock_gettime_ns((~pid << _CLOCK_TYPE_BITS) | _CLOCK_SCHED)
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    except OSError as error:
        raise ProcessLookupError(pid) from error
    return own_ns + (int(fields[_FIELD_CHILDREN_USER]) + int(fields[_FIELD_CHILDREN_USER + 1])) * TICK_NS


def tree_cpu_ns(pid: int) -> int:
    """Return the CPU time of a process and of all its children, those that still run as well."""
    total = process_cpu_ns(pid)
    for child in children(pid):
        try:
            total += tree_cpu_ns(child)
        except ProcessLookupError:
            continue
    return total


def children(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (short-lived paths)
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii").split())
    except OSError:
        pass
    return found


def thread_cpu_ns(pid: int, thread_id: int) -> int:
    """Return the CPU time of one thread; 0 where it has gone."""
    try:
        return int(Path(f"/proc/{pid}/task/{thread_id}/schedstat").read_bytes().split()[0])
    except (OSError, IndexError):
        return 0


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and its children; 0 where it has gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident_bytes(child) for child in children(pid))


def host_busy_ns() -> int:
    """Return the busy time of all CPUs since boot: user, nice, system, irq and softirq. Source: proc_stat(5)."""
    fields = Path("/proc/stat").read_bytes().split(b"\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) * TICK_NS
