"""
systemd units and containers, as version 2 of cgroups accounts for them: CPU, throttling, memory, and its events.

Version 1 is not read: on a host where the controllers are still there (hybrid), a unit has CPU time and no more.
"""

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from agent.containers import Placement, parse_placement
from agent.host.readings import Reading, parse_counters
from agent.procfs import read_start
from agent.selfmetrics import SelfMetrics
from pyrometer import semconv

_DEPTH_MAX: Final = 10
# Every group below the mount is looked at to find units; a host has some hundreds.
_FOLDERS_MAX: Final = 4096
_MOUNTS_BYTES_MAX: Final = 1_048_576
_FILE_BYTES_MAX: Final = 8192
_PATH_CHARS_MAX: Final = 512
_US_PER_S: Final = 1e6
_EVENTS: Final = ("low", "high", "max", "oom", "oom_kill", "oom_group_kill")


class _Group(NamedTuple):
    """A unit or container: its path below the mount, what its points carry, and its CPU accounts."""

    path: str
    labels: dict[str, str]
    cpu: dict[str, int]


class CgroupReader:
    """Reads the busiest units and containers; it remembers their CPU time between two calls to know which those are."""

    def __init__(self, metrics: SelfMetrics, *, cgroups_max: int, root: str | None = None) -> None:
        """
        Look at nothing yet.

        Args:
            metrics: Where units beyond the limit are counted.
            cgroups_max: Most units and containers reported.
            root: Where the version 2 hierarchy is mounted; None: as this process sees it.
        """
        self._metrics = metrics
        self._cgroups_max = cgroups_max
        self._root = find_cgroup2() if root is None else root
        self._used: dict[str, int] = {}

    def read(self) -> Iterator[Reading]:
        """Yield the numbers of each unit and container; none where there is no version 2 hierarchy."""
        if not self._root or not self._cgroups_max:
            return
        groups = [
            _Group(path, labels, parse_counters(read_start(f"{self._root}{path}/cpu.stat", _FILE_BYTES_MAX)))
            for path, labels in self._find()
        ]
        used = {group.path: group.cpu.get("usage_usec", 0) for group in groups}
        groups.sort(key=lambda group: self._used.get(group.path, 0) - used[group.path])
        self._used = used
        self._metrics.set(semconv.AGENT_CGROUPS_IGNORED, max(0, len(groups) - self._cgroups_max))
        for group in groups[: self._cgroups_max]:
            yield from self._read_cpu(group)
            yield from self._read_memory(group)

    def _find(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield path and labels of each group that is a unit or container, not of what it divides itself into."""
        waiting = [("", _place(""))]
        for _ in range(_FOLDERS_MAX):
            if not waiting:
                return
            parent, outer = waiting.pop()
            for name in _folders(f"{self._root}{parent}"):
                path = f"{parent}/{name}"
                placement = _place(path)
                if path.count("/") < _DEPTH_MAX:
                    waiting.append((path, placement))
                if placement != outer and (placement.container_id or placement.systemd_unit):
                    labels = {semconv.PROCESS_LINUX_CGROUP: path[:_PATH_CHARS_MAX]}
                    if placement.container_id:
                        labels[semconv.CONTAINER_ID] = placement.container_id
                    yield path, labels

    def _read_cpu(self, group: _Group) -> Iterator[Reading]:
        cpu, labels = group.cpu, group.labels
        for mode in ("user", "system"):
            if f"{mode}_usec" in cpu:
                yield Reading(
                    semconv.CGROUP_CPU_TIME, cpu[f"{mode}_usec"] / _US_PER_S, {**labels, semconv.CPU_MODE: mode}
                )
        if "nr_periods" in cpu:
            yield Reading(semconv.CGROUP_CPU_PERIODS, cpu["nr_periods"], labels)
            yield Reading(semconv.CGROUP_CPU_THROTTLED_PERIODS, cpu.get("nr_throttled", 0), labels)
            yield Reading(semconv.CGROUP_CPU_THROTTLED_TIME, cpu.get("throttled_usec", 0) / _US_PER_S, labels)
        quota, _, period = self._text(group, "cpu.max").partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period) > 0:
            yield Reading(semconv.CGROUP_CPU_LIMIT, int(quota) / int(period), labels)

    def _read_memory(self, group: _Group) -> Iterator[Reading]:
        for name, metric in (
            ("memory.current", semconv.CGROUP_MEMORY_USAGE),
            ("memory.max", semconv.CGROUP_MEMORY_LIMIT),
        ):
            if (size := self._text(group, name)).isdecimal():
                yield Reading(metric, int(size), group.labels)
        events = parse_counters(self._text(group, "memory.events").encode())
        for event in _EVENTS:
            if event in events:
                labels = {**group.labels, semconv.CGROUP_MEMORY_EVENT: event}
                yield Reading(semconv.CGROUP_MEMORY_EVENTS, events[event], labels)

    def _text(self, group: _Group, name: str) -> str:
        return read_start(f"{self._root}{group.path}/{name}", _FILE_BYTES_MAX).decode("ascii", "replace").strip()


def find_cgroup2(proc: str = "/proc") -> str:
    """Return where the version 2 hierarchy is mounted, or nothing. Source: proc_pid_mountinfo(5)."""
    for line in read_start(f"{proc}/self/mountinfo", _MOUNTS_BYTES_MAX).decode("utf-8", "replace").splitlines():
        left, separator, right = line.partition(" - ")
        fields = left.split()
        if separator and right.startswith("cgroup2 ") and len(fields) > 4:  # noqa: PLR2004
            return fields[4]
    return ""


@lru_cache(maxsize=_FOLDERS_MAX)
def _place(path: str) -> Placement:
    return parse_placement(f"0::{path}")


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []  # gone meanwhile, or not ours to see
