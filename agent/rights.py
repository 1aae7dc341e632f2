"""Which rights the agent has for reading other processes, said in one line before anything fails."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CAP_DAC_READ_SEARCH: Final = 2
CAP_SYS_PTRACE: Final = 19
_PTRACE_SCOPE: Final = Path("/proc/sys/kernel/yama/ptrace_scope")


@dataclass(frozen=True, slots=True)
class MissingRight:
    """
    A right that is not there.

    Attributes:
        what: What cannot be done without it.
        mend: How to get it.
        blinding: No process but our own children can be read at all.
    """

    what: str
    mend: str
    blinding: bool


def missing_right(status: str | None = None, ptrace_scope: int | None = None) -> MissingRight | None:
    """
    Return what keeps the agent from reading other processes, or None where nothing does.

    Args:
        status: Text of ``/proc/self/status``; None to read it.
        ptrace_scope: ``kernel.yama.ptrace_scope``; None to read it, 0 where the kernel has none.
    """
    if has_capability(CAP_SYS_PTRACE, _read(Path("/proc/self/status")) if status is None else status):
        return None
    scope = int(_read(_PTRACE_SCOPE).strip() or 0) if ptrace_scope is None else ptrace_scope
    if scope > 0:
        return MissingRight(
            f"kernel.yama.ptrace_scope is {scope} and the agent lacks CAP_SYS_PTRACE, so it can read no process that "
            "is not its child",
            "run it as root, or grant CAP_SYS_PTRACE (AmbientCapabilities= in its systemd unit)",
            blinding=True,
        )
    return MissingRight(
        f"the agent lacks CAP_SYS_PTRACE, so it can read only processes of its own user (uid {os.geteuid()})",
        "run it as root, or grant CAP_SYS_PTRACE (AmbientCapabilities= in its systemd unit), to see the others",
        blinding=False,
    )


def has_capability(number: int, status: str) -> bool:
    """Return whether CapEff in the text of ``/proc/self/status`` includes a capability."""
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
