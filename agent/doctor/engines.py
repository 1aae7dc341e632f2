"""Which engine would read a process, and why not the other."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from agent.procfs import MAPS_BYTES_MAX, read_start
from agent.reader.engine import Target
from agent.reader.pace import Pace
from agent.reader.pyspy_process import find_pyspy
from agent.reader.remote import RemoteEngine
from agent.reader.remote.memory import Memory, UnreadableError
from pyrometer.errors import PermissionDeniedError, PyrometerError, RefusedError

EngineName = Literal["auto", "remote", "py-spy"]


@dataclass(frozen=True, slots=True)
class Choice:
    """
    How a process would be read.

    Attributes:
        engine: Its name; empty where none reads it.
        why: Why not our own, or why none; empty where our own reads it.
        is_right: None reads it because a right is missing.
    """

    engine: str
    why: str = ""
    is_right: bool = False


def choose_engine(target: Target, wanted: EngineName) -> Choice:
    """
    Return the engine that would read a process; our own is attached to it and let go again.

    Args:
        target: Which process.
        wanted: As ``sampling.engine`` says.
    """
    why = "sampling.engine says so"
    try:
        if wanted == "py-spy":
            _read_something(target.pid)
        else:
            _own_engine().attach(target).detach()
            return Choice("remote")
    except RefusedError as error:
        why = str(error)
        if wanted == "remote":
            return Choice("", why)
    except UnreadableError:
        return Choice("", "its memory cannot be read")
    except PyrometerError as error:
        return Choice("", str(error), is_right=isinstance(error, PermissionDeniedError))
    missing = pyspy_missing()
    return Choice("", missing) if missing else Choice("py-spy", why)


@cache
def pyspy_missing() -> str:
    """Return why py-spy cannot be run; empty where it can."""
    try:
        find_pyspy()
    except PyrometerError as error:
        return str(error)
    return ""


@cache
def _own_engine() -> RemoteEngine:
    return RemoteEngine(pace=Pace(1.0))


def _read_something(pid: int) -> None:
    for line in read_start(f"/proc/{pid}/maps", MAPS_BYTES_MAX).splitlines():
        addresses, rights = line.split()[:2]
        if rights.startswith(b"r"):
            Memory(pid).read(int(addresses.partition(b"-")[0], 16), 8)
            return
