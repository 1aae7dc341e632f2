"""What the agent reads of /proc: small parsers of its files, each bounded, and a process's CPU clock."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from pyrometer.units import NS_PER_S

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
TICK_NS = NS_PER_S // TICKS_PER_S
# A stat line is some 350 bytes; the name in it at most 16, or 64 for a kernel worker.
STAT_BYTES_MAX = 1024
TEXT_BYTES_MAX = 131_072
MAPS_BYTES_MAX = 4_194_304
# Of field 9, the flags: a thread of the kernel, which never runs a program. Source: include/linux/sched.h, PF_KTHREAD.
_KERNEL_THREAD = 0x0020_0000


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """
    One line of ``/proc/PID/stat``. Source: proc_pid_stat(5).

    Attributes:
        pid: As in the file.
        command: The kernel's short name of it; hostile text.
        state: One letter; Z and X are dead.
        parent_pid: Field 4.
        start_ticks: Field 22, clock ticks since boot.
        cpu_ns: User and system time of all threads, those that ended included; in steps of one clock tick.
        image: Differs after an exec: where the program and its stack lie, or its name where that is hidden from us.
        is_kernel: Whether it is a thread of the kernel.
    """

    pid: int
    command: str
    state: str
    parent_pid: int
    start_ticks: int
    cpu_ns: int
    image: tuple[str, str, str]
    is_kernel: bool = False


def parse_stat(line: bytes) -> ProcessStat:
    """
    Parse a stat line; the name may itself hold spaces and parentheses.

    Raises:
        ValueError: If it is not one.
    """
    head, separator, tail = line.rpartition(b") ")
    pid_text, opening, command = head.partition(b" (")
    fields = tail.split()
    if not separator or not opening or len(fields) < 26:  # noqa: PLR2004
        raise ValueError("not a stat line")
    name = command.decode("utf-8", "replace")
    # Fields 26 and 28 of the manual page: start of the code, and of the stack, which is random for each exec.
    code, stack = fields[23].decode(), fields[25].decode()
    hidden = stack in ("0", "1")
    return ProcessStat(
        pid=int(pid_text),
        command=name,
        state=fields[0].decode(),
        parent_pid=int(fields[1]),
        start_ticks=int(fields[19]),
        cpu_ns=(int(fields[11]) + int(fields[12])) * TICK_NS,
        image=(name, "", "") if hidden else ("", code, stack),
        is_kernel=bool(int(fields[6]) & _KERNEL_THREAD),
    )


def read_stat(pid: int) -> ProcessStat | None:
    """Return the stat of a process, or None where there is none that can be read."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)  # a third of the cost of a file object
    except OSError:
        return None
    try:
        return parse_stat(os.read(descriptor, STAT_BYTES_MAX))
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)


def list_pids() -> list[int]:
    """Return the pids of this pid namespace, ascending."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208 (a Path each is slow)


def list_processes() -> list[tuple[int, int]]:
    """
    Return pid and inode of each process of this pid namespace, ascending by pid.

    The kernel gives a process's folder a new inode number when it makes its entry, and drops the entry with the
    process: as long as the number is the same, so is the process. A number that changed may mean either.
    Source: fs/proc/base.c, pid_delete_dentry and proc_flush_pid.
    """
    with os.scandir("/proc") as entries:
        return sorted((int(entry.name), entry.inode()) for entry in entries if entry.name.isdecimal())


def read_start(path: str, bytes_max: int = TEXT_BYTES_MAX) -> bytes:
    """Return a file's first bytes, or nothing where it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a third of the price of a Path's `open`
    except OSError:
        return b""
    chunks: list[bytes] = []
    size = 0
    try:
        while size < bytes_max and (chunk := os.read(descriptor, min(65_536, bytes_max - size))):
            chunks.append(chunk)
            size += len(chunk)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return b"".join(chunks)


def read_arguments(pid: int) -> list[str]:
    """Return a process's command line as its arguments. It may hold secrets: look at it, never keep it."""
    text = read_start(f"/proc/{pid}/cmdline").decode("utf-8", "replace")
    return text.rstrip("\0").split("\0") if text else []


def read_environment(pid: int, names: tuple[str, ...]) -> dict[str, str]:
    """Return these variables of a process's environment at its start, and no others."""
    wanted = {name.encode(): name for name in names}
    found: dict[str, str] = {}
    for entry in read_start(f"/proc/{pid}/environ").split(b"\0"):
        key, separator, value = entry.partition(b"=")
        if separator and key in wanted:
            found.setdefault(wanted[key], value.decode("utf-8", "replace"))
    return found


def read_executable(pid: int) -> str:
    """Return the path of a process's program, or nothing for a kernel thread or a process we may not look at."""
    return _read_link(f"/proc/{pid}/exe")


def read_folder(pid: int) -> str:
    """Return the path of a process's working directory, or nothing for a process we may not look at."""
    return _read_link(f"/proc/{pid}/cwd")


def _read_link(path: str) -> str:
    try:
        return os.readlink(path).removesuffix(" (deleted)")  # noqa: PTH115 (a Path would normalise it)
    except OSError:
        return ""


def read_cgroup(pid: int) -> str:
    """Return a process's cgroup lines."""
    return read_start(f"/proc/{pid}/cgroup", 16_384).decode("utf-8", "replace")


def boot_time_s() -> int:
    """Return when the machine started, in seconds since 1970."""
    for line in read_start("/proc/stat", 4_194_304).splitlines():
        if line.startswith(b"btime "):
            return int(line.split()[1])
    return 0


def read_thread_clocks(pid: int, threads_max: int) -> dict[int, int]:
    """
    Return how long each thread of a process has run on a CPU, in nanoseconds; at most *threads_max* of them.

    Source: Documentation/scheduler/sched-stats.rst, ``/proc/PID/schedstat``; empty where the kernel lacks it.
    """
    clocks: dict[int, int] = {}
    try:
        names = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
    except OSError:
        return clocks
    for name in names[:threads_max]:
        fields = read_start(f"/proc/{pid}/task/{name}/schedstat", 128).split()
        if fields and fields[0].isdigit():
            clocks[int(name)] = int(fields[0])
    return clocks


def clock_deltas(before: Mapping[int, int], after: Mapping[int, int]) -> dict[int, int]:
    """Return what each thread used between two readings; a thread that is new in *after* began at 0."""
    return {thread: max(0, clock - before.get(thread, 0)) for thread, clock in after.items()}
