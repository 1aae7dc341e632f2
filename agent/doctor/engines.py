"""Which engine would read a process, and why not the other."""

from dataclasses import dataclass
from functools import cache

from agent.procfs import MAPS_BYTES_MAX, read_start
from agent.reader.engine import Target
from agent.reader.pyspy_process import find_pyspy
from agent.reader.remote.memory import Memory, UnreadableError
from pyrometer.errors import PyrometerError


@dataclass(frozen=True, slots=True)
class Choice:
    """
    How a process would be read.

    Attributes:
        engine: Its name; empty where none reads it.
        why: Why not another, or why none; empty where our own reads it.
    """

    engine: str
    why: str = ""


def choose_engine(target: Target) -> Choice:
    """Return the engine that would read a process; it is attached to and let go again."""
    try:
        _read_something(target.pid)
    except PyrometerError as error:
        return Choice("", str(error))
    except UnreadableError:
        return Choice("", "its memory cannot be read")
    missing = pyspy_missing()
    return Choice("", missing) if missing else Choice("py-spy")


@cache
def pyspy_missing() -> str:
    """Return why py-spy cannot be run; empty where it can."""
    try:
        find_pyspy()
    except PyrometerError as error:
        return str(error)
    return ""


def _read_something(pid: int) -> None:
    for line in read_start(f"/proc/{pid}/maps", MAPS_BYTES_MAX).splitlines():
        addresses, rights = line.split()[:2]
        if rights.startswith(b"r"):
            Memory(pid).read(int(addresses.partition(b"-")[0], 16), 8)
            return
