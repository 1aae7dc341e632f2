"""Whether a process runs CPython, and which: from its program's name, else from what it has mapped."""

import re
from pathlib import PurePosixPath

from agent.procfs import MAPS_BYTES_MAX, ProcessStat, read_start

_LIBPYTHON = re.compile(rb"/libpython(\d\.\d+)")
_VERSION = re.compile(r"python(\d\.\d+)")


def is_python_by_name(stat: ProcessStat, executable: str) -> bool:
    """
    Return whether a process's program is called python.

    Where the program is hidden from us, the kernel's short name decides: sampling will then say which right is missing.
    """
    name = PurePosixPath(executable).name if executable else stat.command
    return name.startswith("python")


def is_python_by_maps(pid: int) -> bool:
    """Return whether a process has libpython mapped. It costs much more than a name, and the process waits for it."""
    return _LIBPYTHON.search(read_start(f"/proc/{pid}/maps", MAPS_BYTES_MAX)) is not None


def runtime_version(pid: int, executable: str) -> str:
    """Return major and minor version of the Python in a process, or nothing where no path tells."""
    if match := _VERSION.search(PurePosixPath(executable).name):
        return match.group(1)
    if library := _LIBPYTHON.search(read_start(f"/proc/{pid}/maps", MAPS_BYTES_MAX)):
        return library.group(1).decode()
    return ""
