"""Why py-spy could not read a process, as one line that says what to do."""

import os
import signal
from pathlib import Path
from typing import Final

from agent.reader.engine import Target
from agent.reader.pyspy_process import OUTPUT_BYTES_MAX, Finished
from pyrometer.errors import NotPythonError, PermissionDeniedError, PyrometerError, TargetNotFoundError
from pyrometer.text import printable

_NO_RIGHT: Final = ("permission denied", "operation not permitted", "(os error 1)", "(os error 13)")
_NOT_PYTHON: Final = (
    "failed to find python version",
    "failed to get process executable name",
    "python interpreter",
    "interpreter address",
)
_GONE: Final = ("(os error 3)", "no such process", "process exited")
_PTRACE_SCOPE: Final = Path("/proc/sys/kernel/yama/ptrace_scope")


def explain_failure(finished: Finished, target: Target) -> PyrometerError:
    """Return the error that stands for a run of py-spy that failed."""
    text = finished.messages.lower()
    if not target.is_alive() or any(words in text for words in _GONE):
        return TargetNotFoundError(f"process {target.pid} has ended")
    if any(words in text for words in _NO_RIGHT):
        return permission_denied(target.pid)
    if any(words in text for words in _NOT_PYTHON):
        return NotPythonError(
            f"process {target.pid} ({_command(target.pid)}) is not a Python process, or of a Python that py-spy does "
            "not know: give the pid of a CPython process"
        )
    if finished.exit_code == -signal.SIGXFSZ:
        limit_mib = OUTPUT_BYTES_MAX // 2**20
        return PyrometerError(f"the profile of process {target.pid} is larger than {limit_mib} MiB: lower the rate")
    return PyrometerError(f"py-spy could not read process {target.pid}: {_first_line(finished)}")


def permission_denied(pid: int) -> PermissionDeniedError:
    """Return the error for a process that may not be read, with the way to the right."""
    owner = _owner(pid)
    if owner is not None and owner != os.geteuid():
        return PermissionDeniedError(
            f"may not read process {pid} of user id {owner}: run as that user or with sudo, or grant CAP_SYS_PTRACE"
        )
    scope = _ptrace_scope()
    if scope is not None and scope > 0:
        return PermissionDeniedError(
            f"may not read process {pid}: kernel.yama.ptrace_scope is {scope}; use sudo, or start the program with "
            "pyrometer record -- PROGRAM"
        )
    return PermissionDeniedError(
        f"may not read process {pid}: use sudo or grant CAP_SYS_PTRACE; in a container, start it with "
        "--cap-add SYS_PTRACE"
    )


def _owner(pid: int) -> int | None:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None


def _ptrace_scope() -> int | None:
    try:
        return int(_PTRACE_SCOPE.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _command(pid: int) -> str:
    try:
        return printable(Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").rstrip("\n"))
    except OSError:
        return "unknown"


def _first_line(finished: Finished) -> str:
    lines = [line for line in finished.messages.splitlines() if line.strip() and not line.startswith("py-spy> ")]
    return printable(lines[0].removeprefix("Error: ")) if lines else f"it ended with code {finished.exit_code}"
