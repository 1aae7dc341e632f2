"""Reads the host, the watched processes and the agent itself at an interval, and hands one request to the sender."""

import logging
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from agent.export import Exporter
from agent.host.cgroup_files import find_group_files
from agent.host.cgroups import CgroupReader
from agent.host.cpu import CpuReader
from agent.host.disk import DiskReader
from agent.host.memory import read_memory, read_swap, read_vmstat
from agent.host.network import read_connections, read_interfaces
from agent.host.pressure import read_pressure
from agent.host.processes import ProcessReader
from agent.host.readings import Read, Reading, read_all
from agent.host_identity import HostIdentity
from agent.procfs import read_start
from agent.python_process import PythonProcess
from agent.selfmetrics import SelfMetrics
from agent.settings import MetricsSettings
from pyrometer import __version__, semconv

if TYPE_CHECKING:
    from agent.metric_instruments import MetricInstruments

_LOG = logging.getLogger(__name__)


class MetricReporter:
    """Reports now, then at an interval, and a last time when it is closed."""

    def __init__(
        self,
        settings: MetricsSettings,
        host: HostIdentity,
        metrics: SelfMetrics,
        exporter: Exporter,
        processes: Callable[[], Sequence[PythonProcess]],
    ) -> None:
        """
        Prepare; `start` begins.

        Args:
            settings: Interval and limits.
            host: This machine.
            metrics: The agent's own numbers, which are reported too.
            exporter: Takes requests; it never blocks.
            processes: The watched processes, asked from the reporter's thread.
        """
        self._settings = settings
        self._host = host
        self._metrics = metrics
        self._exporter = exporter
        self._reads = host_reads(settings, metrics)
        self._processes = ProcessReader(processes, metrics, processes_max=settings.processes_max)
        self._instruments: MetricInstruments | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Report a last time, and end."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def report(self) -> None:
        """Read everything in one pass and hand it over; a request that finds no room is counted by the exporter."""
        from agent.metric_instruments import MetricInstruments, Report  # noqa: PLC0415 (no start waits for the SDK)

        if self._instruments is None:
            attributes = _resource_attributes(self._host)
            self._instruments = MetricInstruments(attributes, self._host.boot_time_s, self._metrics, self._exporter)
        host = read_all(self._reads, self._metrics)
        processes = list(self._processes.read())
        own = self._own()
        self._instruments.send(Report(host=[*host, *own], processes=processes, time_unix_ns=time.time_ns()))

    def _run(self) -> None:
        while True:
            stopping = self._stopping.is_set()
            try:
                self.report()
            except Exception:  # noqa: BLE001 (a report that fails is counted, and must not end those that follow)
                _LOG.debug("metrics cannot be reported", exc_info=True)
                self._metrics.add(semconv.AGENT_HOST_READ_ERRORS, reason="report")
            if stopping:
                break
            self._stopping.wait(self._settings.interval_s)
        if self._instruments is not None:
            self._instruments.close()

    def _own(self) -> Iterator[Reading]:
        for metric in semconv.AGENT_METRICS:
            for labels, value in self._metrics.points(metric.name):
                yield Reading(metric.name, value, labels)


def host_reads(settings: MetricsSettings, metrics: SelfMetrics) -> Mapping[str, Read]:
    """Return what reads the host, by the name its failures are counted under."""
    cpu = CpuReader()
    disk = DiskReader(metrics, devices_max=settings.devices_max)
    return {
        "cpu": cpu.read,
        "processes": cpu.read_processes,
        "memory": read_memory,
        "swap": read_swap,
        "vmstat": read_vmstat,
        "disks": disk.read,
        "filesystems": disk.read_filesystems,
        "interfaces": partial(read_interfaces, metrics, devices_max=settings.devices_max),
        "connections": read_connections,
        "pressure": read_pressure,
        "cgroups": CgroupReader(metrics, find_group_files(), cgroups_max=settings.cgroups_max).read,
    }


def _resource_attributes(host: HostIdentity) -> dict[str, str]:
    release = dict(
        line.split("=", 1)
        for line in read_start("/etc/os-release", 8192).decode("utf-8", "replace").splitlines()
        if "=" in line
    )
    attributes = {
        semconv.SERVICE_NAME: "pyrometer-agent",
        semconv.SERVICE_VERSION: __version__,
        **host.attributes,
        semconv.OS_NAME: release.get("NAME", "").strip("\"'"),
        semconv.OS_VERSION: release.get("VERSION_ID", "").strip("\"'"),
        semconv.OS_DESCRIPTION: f"{platform.system()} {platform.release()}",
    }
    return {key: value for key, value in attributes.items() if value}
