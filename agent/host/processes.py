"""Watched processes one by one: CPU, memory, threads, descriptors, context switches, faults, disk."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from agent.host.readings import Reading
from agent.procfs import STAT_BYTES_MAX, TICKS_PER_S, read_start
from agent.python_process import PythonProcess
from agent.reader.engine import Target
from agent.selfmetrics import SelfMetrics
from pyrometer import semconv

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
# Beyond it a process's context switches are left out: each thread has a file of its own.
_THREADS_MAX: Final = 64
_STATUS_BYTES_MAX: Final = 8192
_SWITCHES: Final = {b"voluntary_ctxt_switches:": "voluntary", b"nonvoluntary_ctxt_switches:": "involuntary"}

Switches = Mapping[str, int]


class ProcessReadings(NamedTuple):
    """
    The numbers of one process.

    Attributes:
        attributes: Its resource.
        start_s: When it started, seconds since boot: where its counters began.
        readings: Its numbers.
    """

    attributes: Mapping[str, str | int]
    start_s: float
    readings: list[Reading]


class _Seen(NamedTuple):
    """
    Of a process when it was last read.

    Attributes:
        cpu_ns: Its clock as the scanner saw it.
        ticks: Its clock, user and system, when its switches were read.
        by_thread: Switches of each of its threads.
        switches: Their sum over all threads ever seen.
    """

    cpu_ns: int = 0
    ticks: tuple[bytes, bytes] = (b"", b"")
    by_thread: Mapping[str, Switches] = MappingProxyType({})
    switches: Switches = MappingProxyType({})


class ProcessReader:
    """Reads the busiest of the watched processes; it remembers their CPU time between two calls to rank them."""

    def __init__(
        self,
        processes: Callable[[], Sequence[PythonProcess]],
        metrics: SelfMetrics,
        *,
        processes_max: int,
        proc: str = "/proc",
    ) -> None:
        """
        Look at nothing yet.

        Args:
            processes: The watched processes, their CPU clocks as of the last scan.
            metrics: Where processes beyond the limit are counted.
            processes_max: Most of them reported.
            proc: Where procfs is mounted.
        """
        self._processes = processes
        self._metrics = metrics
        self._processes_max = processes_max
        self._proc = proc
        self._seen: dict[Target, _Seen] = {}

    def read(self) -> Iterator[ProcessReadings]:
        """Yield the numbers of each process; one that has ended yields none, one that hides some has fewer."""
        processes = self._processes()
        busiest = sorted(processes, key=self._unseen_cpu_ns)[: self._processes_max]
        self._metrics.set(semconv.AGENT_PROCESSES_UNREPORTED, len(processes) - len(busiest))
        self._seen = {
            process.target: self._seen.get(process.target, _Seen())._replace(cpu_ns=process.stat.cpu_ns)
            for process in processes
        }
        for process in busiest:
            fields = self._stat_fields(process.target)
            if fields is not None:
                start_s = process.target.start_ticks / TICKS_PER_S
                readings = [*_of_stat(fields, start_s), *self._of_files(process.target, fields)]
                yield ProcessReadings(process.attributes, start_s, readings)

    def _unseen_cpu_ns(self, process: PythonProcess) -> int:
        seen = self._seen.get(process.target)
        return (seen.cpu_ns if seen else 0) - process.stat.cpu_ns

    def _stat_fields(self, target: Target) -> list[bytes] | None:
        text = read_start(f"{self._proc}/{target.pid}/stat", STAT_BYTES_MAX)
        fields = text.rpartition(b") ")[2].split()
        if len(fields) < 22 or int(fields[19]) != target.start_ticks:  # noqa: PLR2004
            return None
        return fields

    def _of_files(self, target: Target, fields: Sequence[bytes]) -> Iterator[Reading]:
        folder = f"{self._proc}/{target.pid}"
        descriptors = _count_descriptors(f"{folder}/fd")
        if descriptors is not None:
            yield Reading(semconv.PROCESS_FILE_DESCRIPTOR_COUNT, descriptors)
        for line in read_start(f"{folder}/io", 1024).splitlines():
            name, _, value = line.partition(b": ")
            if name in (b"read_bytes", b"write_bytes") and value.isdigit():
                labels = {semconv.DISK_IO_DIRECTION: name.removesuffix(b"_bytes").decode()}
                yield Reading(semconv.PROCESS_DISK_IO, int(value), labels)
        if int(fields[17]) <= _THREADS_MAX:
            for kind, count in self._switches(target, (fields[11], fields[12])).items():
                yield Reading(semconv.PROCESS_CONTEXT_SWITCHES, count, {semconv.PROCESS_CONTEXT_SWITCH_TYPE: kind})

    def _switches(self, target: Target, ticks: tuple[bytes, bytes]) -> Switches:
        """
        Return the context switches of all threads, those that ended since they were first seen included.

        They are half the price of a report, so that those of a process that used no CPU time are not read again.
        """
        seen = self._seen[target]
        if ticks == seen.ticks:
            return seen.switches
        folder = f"{self._proc}/{target.pid}/task"
        try:
            names = os.listdir(folder)[:_THREADS_MAX]  # noqa: PTH208
        except OSError:
            return seen.switches
        by_thread = {name: _read_switches(f"{folder}/{name}/status") for name in names}
        switches = Counter(seen.switches)
        for name, counts in by_thread.items():
            before = seen.by_thread.get(name, {})
            switches.update({kind: max(0, count - before.get(kind, 0)) for kind, count in counts.items()})
        self._seen[target] = _Seen(seen.cpu_ns, ticks, by_thread, switches)
        return switches


def _of_stat(fields: Sequence[bytes], start_s: float) -> Iterator[Reading]:
    """Yield what the stat file holds. Source: proc_pid_stat(5), counted from the state, field 3."""
    for mode, ticks in (("user", fields[11]), ("system", fields[12])):
        yield Reading(semconv.PROCESS_CPU_TIME, int(ticks) / TICKS_PER_S, {semconv.CPU_MODE: mode})
    for kind, faults in (("minor", fields[7]), ("major", fields[9])):
        yield Reading(semconv.PROCESS_PAGING_FAULTS, int(faults), {semconv.SYSTEM_PAGING_FAULT_TYPE: kind})
    yield Reading(semconv.PROCESS_THREAD_COUNT, int(fields[17]))
    yield Reading(semconv.PROCESS_MEMORY_VIRTUAL, int(fields[20]))
    yield Reading(semconv.PROCESS_MEMORY_USAGE, int(fields[21]) * _PAGE_BYTES)
    yield Reading(semconv.PROCESS_UPTIME, max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - start_s))


def _count_descriptors(folder: str) -> int | None:
    """Return how many files are open: since Linux 6.2 the folder's size says it, before they must be listed."""
    try:
        return os.stat(folder).st_size or len(os.listdir(folder))  # noqa: PTH116, PTH208
    except OSError:
        return None


def _read_switches(path: str) -> Switches:
    counts: dict[str, int] = {}
    for line in read_start(path, _STATUS_BYTES_MAX).splitlines()[-2:]:
        fields = line.split()
        if len(fields) == 2 and fields[0] in _SWITCHES and fields[1].isdigit():  # noqa: PLR2004
            counts[_SWITCHES[fields[0]]] = int(fields[1])
    return counts
