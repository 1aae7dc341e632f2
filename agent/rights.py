"""Which rights the agent has for reading other processes, said in one line before anything fails."""

import os
from pathlib import Path

_CAP_SYS_PTRACE = 19
_PTRACE_SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")


def missing_rights(status: str | None = None, ptrace_scope: int | None = None) -> str:
    """
    Return what keeps the agent from reading other processes, and what to do; empty where nothing does.

    Args:
        status: Text of ``/proc/self/status``; None to read it.
        ptrace_scope: ``kernel.yama.ptrace_scope``; None to read it, 0 where the kernel has none.
    """
    if has_ptrace_capability(_read(Path("/proc/self/status")) if status is None else status):
        return ""
    scope = int(_read(_PTRACE_SCOPE).strip() or 0) if ptrace_scope is None else ptrace_scope
    if scope > 0:
        return (
            f"kernel.yama.ptrace_scope is {scope} and the agent lacks CAP_SYS_PTRACE, so it can read no process that "
            "is not its child; run it as root, or grant CAP_SYS_PTRACE (AmbientCapabilities= in its systemd unit)"
        )
    return (
        f"the agent lacks CAP_SYS_PTRACE, so it can read only processes of its own user (uid {os.geteuid()}); "
        "run it as root, or grant CAP_SYS_PTRACE, to see the others"
    )


def has_ptrace_capability(status: str) -> bool:
    """Return whether CapEff in the text of ``/proc/self/status`` includes CAP_SYS_PTRACE."""
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _CAP_SYS_PTRACE & 1)
    return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
