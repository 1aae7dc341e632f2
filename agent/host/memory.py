"""Memory, swap, page faults, and processes the kernel killed for lack of memory."""

from collections.abc import Iterator
from typing import Final

import psutil

from agent.host.readings import Reading, parse_counters
from agent.procfs import read_start
from pyrometer import semconv

_VMSTAT_BYTES_MAX: Final = 65_536


def read_memory() -> Iterator[Reading]:
    """Yield memory by state, in bytes and as shares; the states sum to the limit."""
    memory = psutil.virtual_memory()
    states = {"free": memory.free, "buffers": memory.buffers, "cached": memory.cached}
    states["used"] = max(0, memory.total - sum(states.values()))
    yield Reading(semconv.SYSTEM_MEMORY_LIMIT, memory.total)
    yield Reading(semconv.SYSTEM_MEMORY_LINUX_AVAILABLE, memory.available)
    for state, size in states.items():
        labels = {semconv.SYSTEM_MEMORY_STATE: state}
        yield Reading(semconv.SYSTEM_MEMORY_USAGE, size, labels)
        yield Reading(semconv.SYSTEM_MEMORY_UTILIZATION, size / memory.total, labels)


def read_swap() -> Iterator[Reading]:
    """Yield swap by state; no shares where there is no swap."""
    swap = psutil.swap_memory()
    for state, size in (("used", swap.used), ("free", swap.free)):
        labels = {semconv.SYSTEM_PAGING_STATE: state}
        yield Reading(semconv.SYSTEM_PAGING_USAGE, size, labels)
        if swap.total:
            yield Reading(semconv.SYSTEM_PAGING_UTILIZATION, size / swap.total, labels)


def read_vmstat(proc: str = "/proc") -> Iterator[Reading]:
    """
    Yield page faults, pages swapped and processes killed.

    Source: mm/vmstat.c: ``pgfault`` counts all faults, ``pgmajfault`` those that waited for a disk.
    """
    counters = parse_counters(read_start(f"{proc}/vmstat", _VMSTAT_BYTES_MAX))
    if "pgfault" in counters and "pgmajfault" in counters:
        faults, major = counters["pgfault"], counters["pgmajfault"]
        yield Reading(semconv.SYSTEM_PAGING_FAULTS, major, {semconv.SYSTEM_PAGING_FAULT_TYPE: "major"})
        yield Reading(semconv.SYSTEM_PAGING_FAULTS, max(0, faults - major), {semconv.SYSTEM_PAGING_FAULT_TYPE: "minor"})
    for name, direction in (("pswpin", "in"), ("pswpout", "out")):
        if name in counters:
            labels = {semconv.SYSTEM_PAGING_DIRECTION: direction}
            yield Reading(semconv.SYSTEM_PAGING_OPERATIONS, counters[name], labels)
    if "oom_kill" in counters:
        yield Reading(semconv.SYSTEM_MEMORY_LINUX_OOM_KILLS, counters["oom_kill"])
