"""The host's metrics, read with psutil when they are sent, under their semantic-convention names."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import psutil
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from agent.selfmetrics import SelfMetrics
from pyrometer import semconv

Point = tuple[float, Mapping[str, str]]
Read = Callable[[], Iterable[Point]]

_LOAD_NAMES = (semconv.SYSTEM_LOAD_AVERAGE_1M, semconv.SYSTEM_LOAD_AVERAGE_5M, semconv.SYSTEM_LOAD_AVERAGE_15M)
# psutil's names of CPU modes -> the conventions'; guest time is in user time already.
_CPU_MODES = {
    "user": "user",
    "nice": "nice",
    "system": "system",
    "idle": "idle",
    "iowait": "iowait",
    "irq": "interrupt",
    "softirq": "interrupt",
    "steal": "steal",
}
# Clocks tick in 10 ms: a share of less time than this says little.
_UTILIZATION_CPU_S_MIN = 0.5
# Devices that are only a view of others' bytes.
_DISK_PREFIXES_SKIPPED = ("loop", "ram", "zram")


class HostReader:
    """Reads the host; each method yields the points of one metric. What cannot be read yields none."""

    def __init__(self, metrics: SelfMetrics, *, devices_max: int) -> None:
        """
        Remember where the CPU's clocks stand, for the first utilization.

        Args:
            metrics: Where devices beyond the limit are counted.
            devices_max: Most disks, interfaces and file systems reported, each kind on its own.
        """
        self._metrics = metrics
        self._devices_max = devices_max
        self._cpu_before = _cpu_times()

    def cpu_time(self) -> Iterator[Point]:
        """CPU seconds by mode."""
        return ((seconds, {semconv.CPU_MODE: mode}) for mode, seconds in _cpu_times().items())

    def cpu_utilization(self) -> Iterator[Point]:
        """Share of each mode since the last call; nothing when that was only a moment ago."""
        now = _cpu_times()
        used = {mode: max(0.0, seconds - self._cpu_before.get(mode, 0.0)) for mode, seconds in now.items()}
        total = sum(used.values())
        if total < _UTILIZATION_CPU_S_MIN:
            return
        self._cpu_before = now
        for mode, seconds in used.items():
            yield seconds / total, {semconv.CPU_MODE: mode}

    def memory_usage(self) -> Iterator[Point]:
        """Bytes by state; they sum to the limit."""
        memory = psutil.virtual_memory()
        states = {"free": memory.free, "buffers": memory.buffers, "cached": memory.cached}
        states["used"] = max(0, memory.total - sum(states.values()))
        return ((value, {semconv.SYSTEM_MEMORY_STATE: state}) for state, value in states.items())

    def memory_utilization(self) -> Iterator[Point]:
        """Share of the limit by state."""
        total = psutil.virtual_memory().total
        return ((value / total, labels) for value, labels in self.memory_usage())

    def paging_usage(self) -> Iterator[Point]:
        """Swap by state."""
        swap = psutil.swap_memory()
        yield swap.used, {semconv.SYSTEM_PAGING_STATE: "used"}
        yield swap.free, {semconv.SYSTEM_PAGING_STATE: "free"}

    def paging_utilization(self) -> Iterator[Point]:
        """Share of swap by state; nothing where there is no swap."""
        total = psutil.swap_memory().total
        return ((value / total, labels) for value, labels in self.paging_usage() if total)

    def disk_io(self) -> Iterator[Point]:
        """Bytes by disk and direction."""
        for device, counters in self._disks():
            yield counters.read_bytes, {semconv.SYSTEM_DEVICE: device, semconv.DISK_IO_DIRECTION: "read"}
            yield counters.write_bytes, {semconv.SYSTEM_DEVICE: device, semconv.DISK_IO_DIRECTION: "write"}

    def disk_operations(self) -> Iterator[Point]:
        """Operations by disk and direction."""
        for device, counters in self._disks():
            yield counters.read_count, {semconv.SYSTEM_DEVICE: device, semconv.DISK_IO_DIRECTION: "read"}
            yield counters.write_count, {semconv.SYSTEM_DEVICE: device, semconv.DISK_IO_DIRECTION: "write"}

    def filesystem_usage(self) -> Iterator[Point]:
        """Bytes by file system and state; what is reserved for root counts neither as used nor as free."""
        for labels, space in self._filesystems():
            states = {"used": space.used, "free": space.free, "reserved": space.total - space.used - space.free}
            for state, value in states.items():
                yield max(0, value), {**labels, semconv.SYSTEM_FILESYSTEM_STATE: state}

    def filesystem_utilization(self) -> Iterator[Point]:
        """Share used of what users can have, as ``df`` shows it."""
        for labels, space in self._filesystems():
            if space.used + space.free > 0:
                share = space.used / (space.used + space.free)
                yield share, {**labels, semconv.SYSTEM_FILESYSTEM_STATE: "used"}

    def filesystem_limit(self) -> Iterator[Point]:
        """Size by file system."""
        return ((space.total, labels) for labels, space in self._filesystems())

    def network_io(self) -> Iterator[Point]:
        """Bytes by interface and direction."""
        return self._network("bytes_sent", "bytes_recv")

    def network_errors(self) -> Iterator[Point]:
        """Failed packets by interface and direction."""
        return self._network("errout", "errin")

    def network_dropped(self) -> Iterator[Point]:
        """Dropped packets by interface and direction."""
        return self._network("dropout", "dropin")

    def _disks(self) -> Iterator[tuple[str, Any]]:
        counters = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
        names = [name for name in counters if not name.startswith(_DISK_PREFIXES_SKIPPED)]
        return ((name, counters[name]) for name in self._limited(names))

    def _filesystems(self) -> Iterator[tuple[dict[str, str], Any]]:
        partitions = psutil.disk_partitions(all=False)
        if not any(part.mountpoint == "/" for part in partitions):
            # In a container the root lies on an overlay, which psutil does not count as a physical device.
            partitions += [part for part in psutil.disk_partitions(all=True) if part.mountpoint == "/"]
        mounts = {part.device: part for part in reversed(partitions)}
        for device in self._limited(mounts):
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

    def _network(self, transmitted: str, received: str) -> Iterator[Point]:
        counters = psutil.net_io_counters(pernic=True, nowrap=False)
        for name in self._limited(counters):
            for direction, field in (("transmit", transmitted), ("receive", received)):
                labels = {semconv.NETWORK_INTERFACE_NAME: name, semconv.NETWORK_IO_DIRECTION: direction}
                yield getattr(counters[name], field), labels

    def _limited(self, names: Iterable[str]) -> list[str]:
        ordered = sorted(names)
        self._metrics.add(semconv.AGENT_DEVICES_IGNORED, max(0, len(ordered) - self._devices_max))
        return ordered[: self._devices_max]


def host_reads(reader: HostReader) -> dict[str, Read]:
    """Return, for every host metric, what reads it."""
    reads: dict[str, Read] = {
        semconv.SYSTEM_UPTIME: lambda: [(time.clock_gettime(time.CLOCK_BOOTTIME), {})],
        semconv.SYSTEM_CPU_TIME: reader.cpu_time,
        semconv.SYSTEM_CPU_UTILIZATION: reader.cpu_utilization,
        semconv.SYSTEM_CPU_LOGICAL_COUNT: lambda: _known(psutil.cpu_count(logical=True)),
        semconv.SYSTEM_CPU_PHYSICAL_COUNT: lambda: _known(psutil.cpu_count(logical=False)),
        semconv.SYSTEM_MEMORY_USAGE: reader.memory_usage,
        semconv.SYSTEM_MEMORY_LIMIT: lambda: [(psutil.virtual_memory().total, {})],
        semconv.SYSTEM_MEMORY_UTILIZATION: reader.memory_utilization,
        semconv.SYSTEM_MEMORY_LINUX_AVAILABLE: lambda: [(psutil.virtual_memory().available, {})],
        semconv.SYSTEM_PAGING_USAGE: reader.paging_usage,
        semconv.SYSTEM_PAGING_UTILIZATION: reader.paging_utilization,
        semconv.SYSTEM_DISK_IO: reader.disk_io,
        semconv.SYSTEM_DISK_OPERATIONS: reader.disk_operations,
        semconv.SYSTEM_FILESYSTEM_USAGE: reader.filesystem_usage,
        semconv.SYSTEM_FILESYSTEM_UTILIZATION: reader.filesystem_utilization,
        semconv.SYSTEM_FILESYSTEM_LIMIT: reader.filesystem_limit,
        semconv.SYSTEM_NETWORK_IO: reader.network_io,
        semconv.SYSTEM_NETWORK_ERRORS: reader.network_errors,
        semconv.SYSTEM_NETWORK_PACKET_DROPPED: reader.network_dropped,
        semconv.SYSTEM_PROCESS_COUNT: lambda: [(len(psutil.pids()), {})],
    }
    for position, name in enumerate(_LOAD_NAMES):
        reads[name] = _load_read(position)
    return reads


def register_metrics(meter: Meter, reads: Mapping[str, Read], metrics: SelfMetrics) -> None:
    """Create an observable instrument for each host metric and for each of the agent's own."""
    for metric in semconv.HOST_METRICS:
        _register(meter, metric, reads[metric.name])
    for metric in semconv.AGENT_METRICS:
        _register(meter, metric, _self_read(metrics, metric.name))


def _register(meter: Meter, metric: semconv.Metric, read: Read) -> None:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(value, attributes) for value, attributes in read()]

    creators = {
        "gauge": meter.create_observable_gauge,
        "counter": meter.create_observable_counter,
        "updown": meter.create_observable_up_down_counter,
    }
    creators[metric.kind](metric.name, callbacks=[observe], unit=metric.unit, description=metric.summary)


def _self_read(metrics: SelfMetrics, name: str) -> Read:
    return lambda: [(value, attributes) for attributes, value in metrics.points(name)]


def _load_read(position: int) -> Read:
    return lambda: [(os.getloadavg()[position], {})]


def _known(number: int | None) -> list[Point]:
    return [] if number is None else [(number, {})]


def _cpu_times() -> dict[str, float]:
    times = psutil.cpu_times()._asdict()
    modes: dict[str, float] = {}
    for field, mode in _CPU_MODES.items():
        if field in times:
            modes[mode] = modes.get(mode, 0.0) + times[field]
    return modes
