"""systemd units and containers, as cgroups account for them: CPU, throttling, memory, and its events."""

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from agent.containers import Placement, parse_placement
from agent.host.cgroup_files import GroupFiles
from agent.host.readings import Reading
from agent.selfmetrics import SelfMetrics
from pyrometer import semconv

_DEPTH_MAX: Final = 10
# Every group below a mount is looked at to find units; a host has some hundreds.
_FOLDERS_MAX: Final = 4096
_PATH_CHARS_MAX: Final = 512
_US_PER_S: Final = 1e6


class _Group(NamedTuple):
    """A unit or container: its path below the mount, what its points carry, and its CPU accounts."""

    path: str
    labels: dict[str, str]
    cpu: Mapping[str, int]


class CgroupReader:
    """Reads the busiest units and containers; it remembers their CPU time between two calls to know which those are."""

    def __init__(self, metrics: SelfMetrics, files: GroupFiles | None, *, cgroups_max: int) -> None:
        """
        Look at nothing yet.

        Args:
            metrics: Where units beyond the limit are counted.
            files: The hierarchies of this host; None where it has none.
            cgroups_max: Most units and containers reported.
        """
        self._metrics = metrics
        self._files = files
        self._cgroups_max = cgroups_max
        self._used: dict[str, int] = {}

    def read(self) -> Iterator[Reading]:
        """Yield the numbers of each unit and container; none where there is no hierarchy."""
        files = self._files
        if files is None or not self._cgroups_max:
            return
        found = {path: labels for root in files.roots for path, labels in _find(root)}
        groups = [_Group(path, labels, files.cpu(path)) for path, labels in found.items()]
        used = {group.path: group.cpu.get("usage_usec", 0) for group in groups}
        groups.sort(key=lambda group: self._used.get(group.path, 0) - used[group.path])
        self._used = used
        self._metrics.set(semconv.AGENT_CGROUPS_IGNORED, max(0, len(groups) - self._cgroups_max))
        for group in groups[: self._cgroups_max]:
            yield from _read_cpu(files, group)
            yield from _read_memory(files, group)


def _find(root: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield path and labels of each group that is a unit or container, not of what it divides itself into."""
    waiting = [("", _place(""))]
    for _ in range(_FOLDERS_MAX):
        if not waiting:
            return
        parent, outer = waiting.pop()
        for name in _folders(f"{root}{parent}"):
            path = f"{parent}/{name}"
            placement = _place(path)
            if path.count("/") < _DEPTH_MAX:
                waiting.append((path, placement))
            if placement != outer and (placement.container_id or placement.systemd_unit):
                labels = {semconv.PROCESS_LINUX_CGROUP: path[:_PATH_CHARS_MAX]}
                if placement.container_id:
                    labels[semconv.CONTAINER_ID] = placement.container_id
                yield path, labels


def _read_cpu(files: GroupFiles, group: _Group) -> Iterator[Reading]:
    cpu, labels = group.cpu, group.labels
    for mode in ("user", "system"):
        if f"{mode}_usec" in cpu:
            yield Reading(semconv.CGROUP_CPU_TIME, cpu[f"{mode}_usec"] / _US_PER_S, {**labels, semconv.CPU_MODE: mode})
    if "nr_periods" in cpu:
        yield Reading(semconv.CGROUP_CPU_PERIODS, cpu["nr_periods"], labels)
        yield Reading(semconv.CGROUP_CPU_THROTTLED_PERIODS, cpu.get("nr_throttled", 0), labels)
        yield Reading(semconv.CGROUP_CPU_THROTTLED_TIME, cpu.get("throttled_usec", 0) / _US_PER_S, labels)
    if (limit := files.cpu_limit(group.path)) is not None:
        yield Reading(semconv.CGROUP_CPU_LIMIT, limit, labels)


def _read_memory(files: GroupFiles, group: _Group) -> Iterator[Reading]:
    memory = files.memory(group.path)
    if memory.usage is not None:
        yield Reading(semconv.CGROUP_MEMORY_USAGE, memory.usage, group.labels)
    if memory.limit is not None:
        yield Reading(semconv.CGROUP_MEMORY_LIMIT, memory.limit, group.labels)
    for event, count in memory.events.items():
        labels = {**group.labels, semconv.CGROUP_MEMORY_EVENT: event}
        yield Reading(semconv.CGROUP_MEMORY_EVENTS, count, labels)


@lru_cache(maxsize=_FOLDERS_MAX)
def _place(path: str) -> Placement:
    return parse_placement(f"0::{path}")


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []  # gone meanwhile, or not ours to see
