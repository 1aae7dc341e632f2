"""The engine that reads stacks out of another process's memory without stopping it: CPython 3.11 and later, Linux."""

import platform
import time
from typing import Final

from agent.reader.engine import Target
from agent.reader.pace import Pace
from agent.reader.remote.attachment import Mode, RemoteAttachment
from agent.reader.remote.locate import Located, locate_python
from agent.reader.remote.memory import Memory, UnreadableError
from agent.reader.remote.ticker import Ticker
from pyrometer.errors import PyrometerError, RefusedError, TargetNotFoundError
from pyrometer.values import STACK_DEPTH_MAX

MACHINES: Final = ("x86_64", "aarch64")
# Tries to read a process that changes while we look, or that was just started or forked and, on a busy host, waits for
# its first turn on a CPU; and the pause between them.
_CHECKS: Final = 20
_CHECK_PAUSE_S: Final = 0.01


class RemoteEngine:
    """Reads with `process_vm_readv`; one thread serves all attachments."""

    def __init__(
        self,
        *,
        pace: Pace,
        window_s: float = 10.0,
        mode: Mode = "cpu",
        depth_max: int = STACK_DEPTH_MAX,
        first_lines: bool = False,
        off_cpu_every: int = 1,
    ) -> None:
        """
        Prepare.

        Args:
            pace: How often each process is looked at.
            window_s: Length of a window.
            mode: Which threads are looked at: on a CPU, all ("wall"), or the one that holds the GIL.
            depth_max: Frames at most of one stack; what is deeper is cut at the root.
            first_lines: Give the line where a function begins, in place of the line that runs.
            off_cpu_every: A thread that is off the CPU as its turn comes may be put on one before its stack is copied,
                which takes some 10 us to prepare. Left out, the beginnings of work would be missed. So one in so many
                is looked at all the same, and counts for as many: 1 for the least noise, more for the least cost.
        """
        self._pace = pace
        self._window_s = window_s
        self._mode: Mode = mode
        self._depth_max = depth_max
        self._first_lines = first_lines
        self._off_cpu_every = off_cpu_every
        self._ticker = Ticker()

    @property
    def name(self) -> str:
        """The name in logs and metrics."""
        return "remote"

    def attach(self, target: Target) -> RemoteAttachment:
        """
        Begin to read a target; see `Engine.attach`.

        Raises:
            RefusedError: It is Python, and not one that is known well enough to be read.
            NotPythonError: It is not Python.
            PermissionDeniedError: A right is missing.
            TargetNotFoundError: It is not there, or the pid belongs to another process by now.
            PyrometerError: It is just starting.
        """
        if platform.machine() not in MACHINES:
            raise RefusedError(f"no offsets for {platform.machine()}", reason="machine")
        if not target.is_alive():
            raise TargetNotFoundError(f"process {target.pid} has ended")
        located = locate_python(Memory(target.pid))
        attachment = RemoteAttachment(
            target,
            located,
            ticker=self._ticker,
            pace=self._pace,
            window_s=self._window_s,
            mode=self._mode,
            depth_max=self._depth_max,
            first_lines=self._first_lines,
            off_cpu_every=self._off_cpu_every,
        )
        try:
            _check(attachment, located, target)
        except BaseException:
            attachment.detach()
            raise
        return attachment


def _check(attachment: RemoteAttachment, located: Located, target: Target) -> None:
    """Refuse a process of which nothing can be read, rather than guess; it gets a few tries, as it runs meanwhile."""
    for _ in range(_CHECKS):
        try:
            attachment.check()
        except UnreadableError:
            time.sleep(_CHECK_PAUSE_S)
        else:
            return
    if not target.is_alive():
        raise TargetNotFoundError(f"process {target.pid} has ended")
    head = located.runtime + located.layout.interpreters_head
    try:
        is_started = Memory(target.pid).read_word(head) != 0
    except UnreadableError:
        is_started = True
    if not is_started:
        raise PyrometerError(f"the Python of process {target.pid} is not running: it starts or ends just now")
    version = ".".join(map(str, located.layout.version))
    raise RefusedError(f"process {target.pid} is Python {version}, and what its memory holds is not", reason="check")
