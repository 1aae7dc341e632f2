"""CPU time, its shares, load, and how many processes the machine has."""

import os
import time
from collections.abc import Iterator
from typing import Final

import psutil

from agent.host.readings import Reading
from agent.procfs import read_start
from pyrometer import semconv

# psutil's names of CPU modes -> the conventions'; guest time is in user time already.
_MODES: Final = {
    "user": "user",
    "nice": "nice",
    "system": "system",
    "idle": "idle",
    "iowait": "iowait",
    "irq": "interrupt",
    "softirq": "interrupt",
    "steal": "steal",
}
_LOADS: Final = (semconv.SYSTEM_LOAD_AVERAGE_1M, semconv.SYSTEM_LOAD_AVERAGE_5M, semconv.SYSTEM_LOAD_AVERAGE_15M)
# Clocks tick in 10 ms: a share of less time than this says little.
_UTILIZATION_CPU_S_MIN: Final = 0.5
_HZ_PER_MHZ: Final = 1_000_000


class CpuReader:
    """Reads the CPUs; it remembers their clocks between two calls, for the utilization."""

    def __init__(self, *, proc: str = "/proc") -> None:
        self._proc = proc
        self._before = _read_times()

    def read(self) -> Iterator[Reading]:
        """Yield CPU time by mode, its shares since the last call unless that was only a moment ago, counts and load."""
        now = _read_times()
        for mode, seconds in now.items():
            yield Reading(semconv.SYSTEM_CPU_TIME, seconds, {semconv.CPU_MODE: mode})
        used = {mode: max(0.0, seconds - self._before.get(mode, 0.0)) for mode, seconds in now.items()}
        total = sum(used.values())
        if total >= _UTILIZATION_CPU_S_MIN:
            self._before = now
            for mode, seconds in used.items():
                yield Reading(semconv.SYSTEM_CPU_UTILIZATION, seconds / total, {semconv.CPU_MODE: mode})
        yield Reading(semconv.SYSTEM_UPTIME, time.clock_gettime(time.CLOCK_BOOTTIME))
        yield from self._counts()
        for name, load in zip(_LOADS, os.getloadavg(), strict=True):
            yield Reading(name, load)

    def _counts(self) -> Iterator[Reading]:
        if logical := psutil.cpu_count(logical=True):
            yield Reading(semconv.SYSTEM_CPU_LOGICAL_COUNT, logical)
        if physical := psutil.cpu_count(logical=False):
            yield Reading(semconv.SYSTEM_CPU_PHYSICAL_COUNT, physical)
        frequency = psutil.cpu_freq()
        if frequency is not None and frequency.current > 0:
            yield Reading(semconv.SYSTEM_CPU_FREQUENCY, frequency.current * _HZ_PER_MHZ)

    def read_processes(self) -> Iterator[Reading]:
        """Yield how many processes there are, may be, and were ever started: short-lived ones count there."""
        pids = sum(name.isdecimal() for name in os.listdir(self._proc))  # noqa: PTH208
        yield Reading(semconv.SYSTEM_PROCESS_COUNT, pids)
        pid_max = read_start(f"{self._proc}/sys/kernel/pid_max", 32).strip()
        if pid_max.isdigit():
            yield Reading(semconv.SYSTEM_PROCESS_LIMIT, int(pid_max))
        for line in read_start(f"{self._proc}/stat", 4_194_304).splitlines():
            if line.startswith(b"processes "):
                yield Reading(semconv.SYSTEM_PROCESS_CREATED, int(line.split()[1]))


def _read_times() -> dict[str, float]:
    times = psutil.cpu_times()
    modes: dict[str, float] = {}
    for field, mode in _MODES.items():
        modes[mode] = modes.get(mode, 0.0) + float(getattr(times, field, 0.0))
    return modes
