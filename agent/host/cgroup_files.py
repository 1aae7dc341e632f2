"""
The accounts that the kernel keeps of a group of processes: the files of both versions of cgroups, told in one way.

A group has the same path in every hierarchy of version 1 that has it. Where the controllers are in version 1, a host
may have version 2 beside it (hybrid), which then still knows the CPU time of what systemd started.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from agent.host.readings import parse_counters
from agent.procfs import TICKS_PER_S, read_start

_MOUNTS_BYTES_MAX: Final = 1_048_576
_FILE_BYTES_MAX: Final = 8192
_US_PER_S: Final = 1_000_000
_NS_PER_US: Final = 1000
# Version 1 writes "no limit" as the largest number of whole pages.
_UNLIMITED_BYTES: Final = 1 << 62
_EVENTS: Final = ("low", "high", "max", "oom", "oom_kill", "oom_group_kill")
_CONTROLLERS: Final = ("cpuacct", "cpu", "memory")


class MemoryNumbers(NamedTuple):
    """
    Of one group.

    Attributes:
        usage: In bytes; None where it is not accounted.
        limit: In bytes; None for none.
        events: How often each kind of thing happened, under the names of version 2.
    """

    usage: int | None = None
    limit: int | None = None
    events: Mapping[str, int] = MappingProxyType({})


class GroupFiles(Protocol):
    """The hierarchies of a host; a group is named by its path below where they are mounted."""

    @property
    def roots(self) -> tuple[str, ...]:
        """Where the hierarchies that have groups are mounted."""

    def cpu(self, path: str) -> Mapping[str, int]:
        """Return the numbers of ``cpu.stat``, under the names of version 2; those that are not known are left out."""

    def cpu_limit(self, path: str) -> float | None:
        """Return how many CPUs the group may use; None for as many as there are."""

    def memory(self, path: str) -> MemoryNumbers:
        """Return what is known of its memory."""


class UnifiedFiles:
    """Version 2: one hierarchy. Source: the kernel's admin-guide/cgroup-v2."""

    def __init__(self, root: str) -> None:
        """Read below *root*."""
        self._root = root

    @property
    def roots(self) -> tuple[str, ...]:
        """See `GroupFiles.roots`."""
        return (self._root,)

    def cpu(self, path: str) -> Mapping[str, int]:
        """See `GroupFiles.cpu`."""
        return parse_counters(_read(self._root, path, "cpu.stat"))

    def cpu_limit(self, path: str) -> float | None:
        """See `GroupFiles.cpu_limit`."""
        quota, _, period = _read(self._root, path, "cpu.max").partition(b" ")
        return _share(_number(quota), _number(period))

    def memory(self, path: str) -> MemoryNumbers:
        """See `GroupFiles.memory`."""
        events = parse_counters(_read(self._root, path, "memory.events"))
        return MemoryNumbers(
            usage=_number(_read(self._root, path, "memory.current")),
            limit=_number(_read(self._root, path, "memory.max")),
            events={event: events[event] for event in _EVENTS if event in events},
        )


class LegacyFiles:
    """Version 1: a hierarchy for each controller. Source: the kernel's admin-guide/cgroup-v1, scheduler/sched-bwc."""

    def __init__(self, mounts: Mapping[str, str], unified: str = "") -> None:
        """
        Read below where controllers are mounted.

        Args:
            mounts: By the name of the controller; those that are not there are left out.
            unified: Where version 2 is mounted beside them, if it is.
        """
        self._mounts = mounts
        self._unified = unified

    @property
    def roots(self) -> tuple[str, ...]:
        """See `GroupFiles.roots`."""
        return tuple(dict.fromkeys(root for root in (*self._mounts.values(), self._unified) if root))

    def cpu(self, path: str) -> Mapping[str, int]:
        """See `GroupFiles.cpu`."""
        numbers: dict[str, int] = {}
        used_ns = _number(self._read("cpuacct", path, "cpuacct.usage"))
        if used_ns is not None:
            numbers["usage_usec"] = used_ns // _NS_PER_US
            for mode, ticks in parse_counters(self._read("cpuacct", path, "cpuacct.stat")).items():
                numbers[f"{mode}_usec"] = ticks * _US_PER_S // TICKS_PER_S
        elif self._unified:
            numbers |= parse_counters(_read(self._unified, path, "cpu.stat"))
        throttling = parse_counters(self._read("cpu", path, "cpu.stat"))
        for name in ("nr_periods", "nr_throttled"):
            if name in throttling:
                numbers[name] = throttling[name]
        numbers["throttled_usec"] = throttling.get("throttled_time", 0) // _NS_PER_US
        return numbers

    def cpu_limit(self, path: str) -> float | None:
        """See `GroupFiles.cpu_limit`."""
        quota = _number(self._read("cpu", path, "cpu.cfs_quota_us"))  # -1, which is no number here, for none
        return _share(quota, _number(self._read("cpu", path, "cpu.cfs_period_us")))

    def memory(self, path: str) -> MemoryNumbers:
        """See `GroupFiles.memory`."""
        limit = _number(self._read("memory", path, "memory.limit_in_bytes"))
        full = _number(self._read("memory", path, "memory.failcnt"))
        killed = parse_counters(self._read("memory", path, "memory.oom_control")).get("oom_kill")
        events = {"max": full, "oom_kill": killed}
        return MemoryNumbers(
            usage=_number(self._read("memory", path, "memory.usage_in_bytes")),
            limit=limit if limit is not None and limit < _UNLIMITED_BYTES else None,
            events={event: count for event, count in events.items() if count is not None},
        )

    def _read(self, controller: str, path: str, name: str) -> bytes:
        root = self._mounts.get(controller, "")
        return _read(root, path, name) if root else b""


def find_group_files(proc: str = "/proc") -> GroupFiles | None:
    """Return what this host has: version 1 where a controller is in it, else version 2. See proc_pid_mountinfo(5)."""
    mounts: dict[str, str] = {}
    unified = ""
    for line in read_start(f"{proc}/self/mountinfo", _MOUNTS_BYTES_MAX).decode("utf-8", "replace").splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) <= 4 or len(kind) <= 2:  # noqa: PLR2004
            continue
        if kind[0] == "cgroup2":
            unified = unified or fields[4]
        elif kind[0] == "cgroup":
            for name in _CONTROLLERS:
                if name in kind[2].split(","):
                    mounts.setdefault(name, fields[4])
    if mounts:
        return LegacyFiles(mounts, unified)
    return UnifiedFiles(unified) if unified else None


def _read(root: str, path: str, name: str) -> bytes:
    return read_start(f"{root}{path}/{name}", _FILE_BYTES_MAX).strip()


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() else None


def _share(quota: int | None, period: int | None) -> float | None:
    return quota / period if quota is not None and period else None
