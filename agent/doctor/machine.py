"""What this machine counts: namespaces, control groups, pressure, clocks; and the limits on the agent itself."""

import ctypes
import os
import platform
import resource
from collections.abc import Iterator
from typing import Final

from agent.doctor.files import HostFiles
from agent.doctor.finding import Finding, fail, ok, warn

# The number of the first pid namespace, a constant of the kernel (include/linux/proc_ns.h).
_FIRST_PID_NAMESPACE: Final = "pid:[4026531836]"
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 512
_SLOW_CLOCKS: Final = ("hpet", "acpi_pm", "jiffies", "refined-jiffies")
_DESCRIPTORS_SPARE: Final = 512


def check_machine(files: HostFiles, targets_max: int) -> Iterator[Finding]:
    """Look at everything that decides what can be counted."""
    yield check_platform()
    yield check_pid_namespace(files)
    yield check_cgroups(files)
    yield check_pressure(files)
    yield check_thread_clocks(files)
    yield from check_clocks(files)
    yield check_descriptors(targets_max)


def check_platform() -> Finding:
    """Kernel and machine, and who we are."""
    machine = platform.machine()
    text = f"Linux {platform.release()} on {machine}, as uid {os.geteuid()}"
    if machine in ("x86_64", "aarch64"):
        return ok("host", text)
    return warn(
        "host", f"{text}: our own stack reader does not know this machine", "nothing: py-spy reads in its place"
    )


def check_pid_namespace(files: HostFiles) -> Finding:
    """Whether all processes of the host can be seen at all."""
    if files.link("proc/self/ns/pid") == _FIRST_PID_NAMESPACE:
        return ok("pid namespace", "the host's own: all its processes can be seen")
    return warn(
        "pid namespace",
        "not the host's: only the processes inside this container can be seen",
        "start the container with --pid=host (hostPID: true in Kubernetes)",
    )


def check_cgroups(files: HostFiles) -> Finding:
    """Which version of control groups is mounted."""
    if files.exists("sys/fs/cgroup/cgroup.controllers"):
        return ok("cgroups", "version 2: CPU throttling and memory events of each service can be read")
    if files.exists("sys/fs/cgroup"):
        return ok(
            "cgroups",
            "version 1: CPU throttling and kills for lack of memory of each service can be read where accounted",
        )
    return warn("cgroups", "/sys/fs/cgroup is not there", "mount it; in a container share the host's")


def check_pressure(files: HostFiles) -> Finding:
    """Whether the kernel counts how long work waits."""
    if files.read("proc/pressure/cpu"):
        return ok("pressure", "PSI is there: waiting for CPU, memory and disk can be read")
    return warn("pressure", "this kernel does not count pressure (PSI)", "start it with psi=1, where it was built in")


def check_thread_clocks(files: HostFiles) -> Finding:
    """Whether each thread's time on a CPU is known to the nanosecond."""
    fields = files.read("proc/self/schedstat").split()
    if fields and fields[0].isdigit() and int(fields[0]) > 0:
        return ok("thread clocks", "/proc/PID/schedstat is there: CPU time is known for each thread")
    return fail(
        "thread clocks",
        "/proc/PID/schedstat is not there: CPU time cannot be given to threads",
        "use a kernel with CONFIG_SCHED_INFO",
    )


def check_clocks(files: HostFiles) -> Iterator[Finding]:
    """Whether the clock is kept in time, and cheap to read."""
    # struct timex with modes = 0 only reads; the answer alone is looked at. Source: adjtimex(2).
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if state == _TIME_ERROR:
        yield warn(
            "clock",
            "nobody keeps this machine's clock in time: its samples may not meet the spans of other machines",
            "run chrony or systemd-timesyncd",
        )
    else:
        yield ok("clock", "kept in time")
    source = files.read("sys/devices/system/clocksource/clocksource0/current_clocksource")
    if source in _SLOW_CLOCKS:
        yield warn(
            "clock source", f"{source}: reading the time is slow, for every program", "boot with clocksource=tsc"
        )


def check_descriptors(targets_max: int) -> Finding:
    """Whether enough files may be open: one for each process watched."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = targets_max + _DESCRIPTORS_SPARE
    if hard in (resource.RLIM_INFINITY, -1) or hard >= wanted:
        return ok("open files", f"{'any number' if hard < 0 else hard} allowed, {wanted} wanted at most")
    return warn(
        "open files",
        f"{hard} allowed, {wanted} wanted for targets.targets_max = {targets_max}",
        f"LimitNOFILE={wanted} in the unit, or ulimit -n {wanted}",
    )
