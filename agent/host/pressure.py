"""Pressure stall information: how long tasks waited for CPU, memory or a disk. Absent on kernels built without it."""

from collections.abc import Iterator
from typing import Final

from agent.host.readings import Reading
from agent.procfs import read_start
from pyrometer import semconv

_RESOURCES: Final = ("cpu", "io", "irq", "memory")
_US_PER_S: Final = 1e6


def read_pressure(proc: str = "/proc") -> Iterator[Reading]:
    """
    Yield seconds in which at least one task (``some``), or all that were not idle (``full``), waited for a resource.

    Source: Documentation/accounting/psi.rst, ``some avg10=0.00 avg60=0.00 avg300=0.00 total=MICROSECONDS``.
    """
    for resource in _RESOURCES:
        for line in read_start(f"{proc}/pressure/{resource}", 512).decode("ascii", "replace").splitlines():
            kind, _, rest = line.partition(" ")
            total = rest.rpartition("total=")[2]
            if kind in ("some", "full") and total.isdecimal():
                labels = {semconv.SYSTEM_LINUX_PRESSURE_RESOURCE: resource, semconv.SYSTEM_LINUX_PRESSURE_TYPE: kind}
                yield Reading(semconv.SYSTEM_LINUX_PRESSURE_TIME, int(total) / _US_PER_S, labels)
