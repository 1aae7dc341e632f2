"""Disks and file systems."""

from collections.abc import Iterator
from typing import Any, Final

import psutil

from agent.host.readings import Reading, limited
from agent.selfmetrics import SelfMetrics
from pyrometer import semconv

# Devices that are only a view of others' bytes.
_PREFIXES_SKIPPED: Final = ("loop", "ram", "zram")
_MS_PER_S: Final = 1000.0


class DiskReader:
    """Reads disks and file systems, each up to a limit."""

    def __init__(self, metrics: SelfMetrics, *, devices_max: int) -> None:
        self._metrics = metrics
        self._devices_max = devices_max

    def read(self) -> Iterator[Reading]:
        """Yield bytes, operations and times of each disk, by direction."""
        counters = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
        names = [name for name in counters if not name.startswith(_PREFIXES_SKIPPED)]
        for name in limited(names, self._devices_max, self._metrics):
            disk = counters[name]
            yield Reading(semconv.SYSTEM_DISK_IO_TIME, disk.busy_time / _MS_PER_S, {semconv.SYSTEM_DEVICE: name})
            for direction in ("read", "write"):
                labels = {semconv.SYSTEM_DEVICE: name, semconv.DISK_IO_DIRECTION: direction}
                yield Reading(semconv.SYSTEM_DISK_IO, getattr(disk, f"{direction}_bytes"), labels)
                yield Reading(semconv.SYSTEM_DISK_OPERATIONS, getattr(disk, f"{direction}_count"), labels)
                yield Reading(semconv.SYSTEM_DISK_MERGED, getattr(disk, f"{direction}_merged_count"), labels)
                spent_s = getattr(disk, f"{direction}_time") / _MS_PER_S
                yield Reading(semconv.SYSTEM_DISK_OPERATION_TIME, spent_s, labels)

    def read_filesystems(self) -> Iterator[Reading]:
        """Yield space by state; what is reserved for root counts neither as used nor as free, as ``df`` has it."""
        for labels, space in self._filesystems():
            yield Reading(semconv.SYSTEM_FILESYSTEM_LIMIT, space.total, labels)
            states = {"used": space.used, "free": space.free, "reserved": space.total - space.used - space.free}
            for state, size in states.items():
                yield Reading(
                    semconv.SYSTEM_FILESYSTEM_USAGE, max(0, size), {**labels, semconv.SYSTEM_FILESYSTEM_STATE: state}
                )
            if space.used + space.free > 0:
                share = space.used / (space.used + space.free)
                yield Reading(
                    semconv.SYSTEM_FILESYSTEM_UTILIZATION, share, {**labels, semconv.SYSTEM_FILESYSTEM_STATE: "used"}
                )

    def _filesystems(self) -> Iterator[tuple[dict[str, str], Any]]:
        partitions = psutil.disk_partitions(all=False)
        if not any(part.mountpoint == "/" for part in partitions):
            # In a container the root lies on an overlay, which psutil does not count as a physical device.
            partitions += [part for part in psutil.disk_partitions(all=True) if part.mountpoint == "/"]
        mounts = {part.device: part for part in reversed(partitions)}
        for device in limited(mounts, self._devices_max, self._metrics):
            part = mounts[device]
            try:
                space = psutil.disk_usage(part.mountpoint)
            except OSError:
                continue  # gone, or not ours to see
            yield (
                {
                    semconv.SYSTEM_DEVICE: device,
                    semconv.SYSTEM_FILESYSTEM_MOUNTPOINT: part.mountpoint,
                    semconv.SYSTEM_FILESYSTEM_TYPE: part.fstype,
                },
                space,
            )
