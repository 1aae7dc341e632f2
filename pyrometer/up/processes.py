"""
What the kernel offers so that no process outlives its supervisor.

Three nets, for three ways to end:
    - a child gets SIGTERM when the thread that started it ends (PR_SET_PDEATHSIG): start them on the main thread;
    - the children of a child that died become ours (PR_SET_CHILD_SUBREAPER), so we can end and reap them;
    - every process we start carries a mark in its environment, by which ``guard`` finds them when we were killed.
Source: prctl(2).
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psutil

from pyrometer.up import guard

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36

MARK_VARIABLE: Final = "PYROMETER_UP_ID"
# How long what is left after our end has to end by itself; every part stops in less after SIGTERM.
GUARD_GRACE_S: Final = 5.0


def end_with_parent() -> Callable[[], None]:
    """
    Return what a new child must call before it executes its program, so that it gets SIGTERM when we end.

    SIGTERM and not SIGKILL: a part then stops its own children and writes what it holds; ``guard`` kills what hangs.
    """
    libc = ctypes.CDLL(None, use_errno=True)  # here, because after the fork nothing may be loaded
    parent = os.getpid()

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it ended before we could ask to be told
            os._exit(1)

    return prepare


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> set[int]:
    """Return the pids of the direct children of this process, zombies included; costs a look at every process."""
    return {child.pid for child in psutil.Process().children()}


def end_orphans(known: Collection[int]) -> int:
    """
    Kill and reap the children that we did not start: they are ours because the part that started them died.

    Args:
        known: Pids of the children that we started.

    Returns:
        How many there were. Their own children are found by the next call.
    """
    orphans = children().difference(known)
    for pid in orphans:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return len(orphans)


def kill_session(leader: int) -> None:
    """Kill every process of the group that *leader* leads."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


@contextmanager
def guarded(mark: str) -> Iterator[int]:
    """Have a guard clear up what carries *mark* should we be killed, and yield the guard's pid."""
    process = subprocess.Popen(
        (sys.executable, "-I", "-S", guard.__file__, f"{MARK_VARIABLE}={mark}", str(GUARD_GRACE_S)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # So that an agent on this host knows what it is.
        env=os.environ | {"OTEL_SERVICE_NAME": "pyrometer-up"},
    )
    try:
        yield process.pid
    finally:
        # It ends at once where nothing is left, and otherwise without us.
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=0.5)
