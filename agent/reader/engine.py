"""What a stack reader is: an engine attaches to a target, an attachment yields one window of stacks at a time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pyrometer.errors import PermissionDeniedError, TargetNotFoundError
from pyrometer.values import Sample

# Field 22 of /proc/PID/stat, counted from the state field that follows the command's closing parenthesis (field 3).
_START_TICKS_INDEX = 22 - 3


@dataclass(frozen=True, slots=True)
class Target:
    """
    One process, told apart from a later one that gets the same number.

    Attributes:
        pid: In the reader's own pid namespace.
        start_ticks: When it started, in clock ticks since boot (field 22 of ``/proc/PID/stat``).
    """

    pid: int
    start_ticks: int

    def is_alive(self) -> bool:
        """Return whether this very process still exists (a zombie does not count)."""
        try:
            state, start_ticks = _read_stat(self.pid)
        except OSError:
            return False
        return start_ticks == self.start_ticks and state not in "ZX"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """
    What was seen of one target between two moments.

    Attributes:
        samples: Aggregated: one for each (stack, thread). ``value`` is count times period, not yet scaled to CPU time.
        start_unix_ns: When sampling began, UTC.
        duration_ns: How long it really went on.
        period_ns: Nominal time between two samples.
        errors: Samples that failed to be read.
        late: Samples that were taken late.
        lost: Samples that the rate promised for this time and that were not taken.
        own_cpu_ns: CPU time that reading cost, children included.
        ended: The target has gone, or the attachment was detached: there will be no further window.
    """

    samples: tuple[Sample, ...]
    start_unix_ns: int
    duration_ns: int
    period_ns: int
    errors: int = 0
    late: int = 0
    lost: int = 0
    own_cpu_ns: int = 0
    ended: bool = False


class Attachment(Protocol):
    """One target being read."""

    def sample(self) -> Window:
        """
        Block for one window and return it.

        A target that ends during the window gives what was seen until then. `detach` from another thread ends the
        wait early and gives the same.

        Raises:
            TargetNotFoundError: The target had gone before anything was seen.
            NotPythonError: The target is not a Python process.
            PermissionDeniedError: A right is missing.
            PyrometerError: The reader itself failed.
        """

    def detach(self) -> None:
        """Stop reading, from any thread, any number of times."""


class Engine(Protocol):
    """A way to read stacks."""

    @property
    def name(self) -> str:
        """A short name for logs and metrics."""

    def attach(self, target: Target) -> Attachment:
        """
        Begin to read a target.

        Raises:
            TargetNotFoundError: It is not there, or the pid belongs to another process by now.
            PyrometerError: The engine cannot run here.
        """


def find_target(pid: int) -> Target:
    """
    Return the process that has this pid now.

    Raises:
        TargetNotFoundError: There is none, or it is only waiting to be reaped.
        PermissionDeniedError: /proc hides it.
    """
    try:
        state, start_ticks = _read_stat(pid)
    except PermissionError as error:
        raise PermissionDeniedError(f"may not read /proc/{pid}: run as its owner or as root") from error
    except (OSError, ValueError, OverflowError) as error:
        raise TargetNotFoundError(f"no process with pid {pid}: check the number, it may have ended") from error
    if state in "ZX":
        raise TargetNotFoundError(f"process {pid} has ended and waits for its parent to collect it")
    return Target(pid, start_ticks)


def _read_stat(pid: int) -> tuple[str, int]:
    # The command stands in parentheses and may itself hold spaces and parentheses: cut after the last one.
    text = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2]
    fields = text.split()
    return fields[0].decode(), int(fields[_START_TICKS_INDEX])
