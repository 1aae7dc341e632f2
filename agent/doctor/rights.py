"""May the agent read other processes? Capabilities, ptrace scope, namespaces, security modules, and a trial."""

import ctypes
import os
import signal
from collections.abc import Iterator
from typing import Final

from agent.doctor.files import HostFiles
from agent.doctor.finding import Finding, fail, ok, warn
from agent.reader.perf.host import find_obstacle
from agent.reader.remote.memory import Memory, UnreadableError
from agent.rights import CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, has_capability, missing_right
from pyrometer.errors import PyrometerError

_STATUS: Final = "proc/self/status"
_NO_ATTACH: Final = 3
_IDENTITY_MAP: Final = ["0", "0", "4294967295"]
_SECCOMP_FILTER: Final = "2"
_TRIAL: Final = b"pyromete"


def check_rights(files: HostFiles) -> Iterator[Finding]:
    """Look at everything that decides whether a process can be read."""
    yield check_capabilities(files)
    yield check_ptrace_scope(files)
    yield from check_user_namespace(files)
    yield from check_security_modules(files)
    yield check_hidden_processes(files)
    yield check_reading(files)


def check_capabilities(files: HostFiles) -> Finding:
    """Which of the two capabilities are there."""
    status = files.read(_STATUS)
    missing = missing_right(status, _ptrace_scope(files))
    if missing is not None:
        if missing.blinding:
            return fail("capabilities", missing.what, missing.mend, is_right=True)
        return warn("capabilities", missing.what, missing.mend)
    if not has_capability(CAP_DAC_READ_SEARCH, status):
        return warn(
            "capabilities",
            "CAP_SYS_PTRACE is there; CAP_DAC_READ_SEARCH is not, so programs in folders of other users cannot be read",
            "grant CAP_DAC_READ_SEARCH too (AmbientCapabilities= in the systemd unit, --cap-add in a container)",
        )
    return ok("capabilities", "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are there")


def check_ptrace_scope(files: HostFiles) -> Finding:
    """What the Yama security module allows."""
    scope = _ptrace_scope(files)
    text = f"kernel.yama.ptrace_scope is {scope}"
    if scope >= _NO_ATTACH:
        return fail(
            "ptrace",
            f"{text}: nobody may read another process",
            "set it to 1 and start the machine again",
            is_right=True,
        )
    if scope and not has_capability(CAP_SYS_PTRACE, files.read(_STATUS)):
        return fail("ptrace", text, "grant CAP_SYS_PTRACE, which it does not bind", is_right=True)
    return ok("ptrace", f"{text}, which does not bind us" if scope else f"{text}: no restriction")


def check_user_namespace(files: HostFiles) -> Iterator[Finding]:
    """Whether capabilities count outside: in a user namespace they do not."""
    if (given := files.read("proc/self/uid_map").split()) and given != _IDENTITY_MAP:
        yield warn(
            "user namespace",
            "the agent is in a user namespace, where capabilities do not reach processes outside of it",
            "run it without user namespace remapping (PrivateUsers=no, --userns=host)",
        )


def check_security_modules(files: HostFiles) -> Iterator[Finding]:
    """What AppArmor and SELinux forbid."""
    profile = files.read("proc/self/attr/current").rstrip("\0")
    if profile.endswith("(enforce)") and "unconfined" not in profile:
        yield warn(
            "AppArmor",
            f"the agent is under the profile {profile}, which may forbid to read processes outside of it",
            "run it unconfined (--security-opt apparmor=unconfined; appArmorProfile in Kubernetes)",
        )
    if files.read("sys/fs/selinux/booleans/deny_ptrace").startswith("1"):
        yield fail(
            "SELinux", "deny_ptrace is on: nobody may read a process", "setsebool -P deny_ptrace 0", is_right=True
        )


def check_hidden_processes(files: HostFiles) -> Finding:
    """Whether /proc shows the processes of other users."""
    options = _proc_options(files)
    hidden = next((option for option in options if option.startswith("hidepid=")), "")
    if "subset=pid" in options:
        return fail(
            "/proc", "mounted with subset=pid: the host's own numbers are not there", "unset ProcSubset= in the unit"
        )
    if hidden in ("", "hidepid=0", "hidepid=off") or has_capability(CAP_SYS_PTRACE, files.read(_STATUS)):
        return ok("/proc", f"mounted with {hidden}, which does not bind us" if hidden else "shows all processes")
    return fail(
        "/proc",
        f"mounted with {hidden}: processes of other users are hidden",
        "grant CAP_SYS_PTRACE, or unset ProtectProc= in the unit",
        is_right=True,
    )


def check_reading(files: HostFiles) -> Finding:
    """Read the memory of a child of ours: it works everywhere but under a filter of system calls."""
    filtered = files.field(_STATUS, "Seccomp") == _SECCOMP_FILTER
    under = "under a seccomp filter" if filtered else "without a seccomp filter"
    try:
        read = _read_a_child()
    except (PyrometerError, UnreadableError, OSError) as error:
        return fail(
            "memory",
            f"process_vm_readv fails on a child of ours, {under}: {error}",
            "allow process_vm_readv (SystemCallFilter=@system-service, or SYS_PTRACE with the container's profile)",
            is_right=True,
        )
    if read != _TRIAL:
        return fail("memory", "process_vm_readv returned something else than a child of ours holds", "tell us about it")
    return ok("memory", f"process_vm_readv works, {under}")


def check_perf_events() -> Finding:
    """Open a perf event of a whole CPU, as the agent would."""
    if obstacle := find_obstacle():
        what, _, mend = obstacle.partition("; ")
        return warn("perf events", what, mend or "nothing to be done")
    return ok("perf events", "can be read for the whole host: kernel and native stacks")


def _read_a_child() -> bytes:
    # After a fork the child has the same bytes at the same address.
    buffer = ctypes.create_string_buffer(_TRIAL)
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    try:
        return Memory(child).read(ctypes.addressof(buffer), len(_TRIAL))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _ptrace_scope(files: HostFiles) -> int:
    return int(files.read("proc/sys/kernel/yama/ptrace_scope") or 0)


def _proc_options(files: HostFiles) -> list[str]:
    for line in files.read("proc/self/mounts").splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[1] == "/proc" and fields[2] == "proc":  # noqa: PLR2004
            return fields[3].split(",")
    return []
