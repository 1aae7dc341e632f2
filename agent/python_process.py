"""One watched process: its identity, and its CPU clock read through a descriptor that is kept."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.procfs import STAT_BYTES_MAX, ProcessStat, parse_stat
from agent.reader.engine import Target

_STOPPED = "Tt"
_DEAD = "ZX"


@dataclass(eq=False, slots=True)
class PythonProcess:
    """
    A watched process, with its stat file kept open: a descriptor of a process that ended never shows its successor.

    Attributes:
        target: Pid and start time.
        attributes: Resource attributes of its profiles.
        stat: As of the last scan.
        descriptor: Of ``/proc/PID/stat``.
        line: What it showed last.
    """

    target: Target
    attributes: Mapping[str, str | int]
    stat: ProcessStat
    descriptor: int
    line: bytes = b""

    @property
    def is_stopped(self) -> bool:
        """Whether a signal or a debugger has stopped it: it cannot change, and is not read."""
        return self.stat.state in _STOPPED

    def refresh(self) -> bool:
        """Read the clock again; False where the process has ended, though it may show its last clock until reaped."""
        try:
            line = os.pread(self.descriptor, STAT_BYTES_MAX, 0)
            if line == self.line:  # an idle process shows the very same bytes
                return True
            stat = parse_stat(line)
        except (OSError, ValueError):
            return False
        if stat.state in _DEAD:
            self.stat = replace(stat, image=self.stat.image)
            return False
        self.stat, self.line = stat, line
        return True

    def close(self) -> None:
        """Give the descriptor back; safe more than once."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def open_process(stat: ProcessStat, attributes: Mapping[str, str | int]) -> PythonProcess | None:
    """Keep the stat file of a process open, unless another process has taken its pid since it was described."""
    try:
        descriptor = os.open(f"/proc/{stat.pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    process = PythonProcess(
        target=Target(stat.pid, stat.start_ticks), attributes=attributes, stat=stat, descriptor=descriptor
    )
    if process.refresh() and (process.stat.start_ticks, process.stat.image) == (stat.start_ticks, stat.image):
        return process
    process.close()
    return None
