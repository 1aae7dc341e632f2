"""What a stack reader is: an engine attaches to a target, an attachment yields one window of stacks at a time."""

from dataclasses import dataclass
from typing import Final, Protocol

from agent.procfs import read_stat
from pyrometer.errors import TargetNotFoundError
from pyrometer.values import Sample

# States of /proc/PID/stat: a zombie, and a process on its way out.
DEAD_STATES: Final = ("Z", "X")


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
        stat = read_stat(self.pid)
        return stat is not None and stat.start_ticks == self.start_ticks and stat.state not in DEAD_STATES


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
        late: Times the reader noticed that it was behind its rate.
        lost: Samples that the rate promised for this time and that were not taken.
        unstable: Samples whose leaf part could not be read consistently; their stacks end in UNSTABLE.
        cut: Samples that were cut at the root because they were too deep; their stacks begin with TRUNCATED.
        ticks: Moments at which the target was looked at, whether or not a thread was running; 0 where unknown.
        python_threads: Kernel thread ids, in the reader's pid namespace, that are known to run Python; empty where
            unknown.
        own_cpu_ns: CPU time that reading cost in child processes, which are not in this process's own account.
        ended: The target has gone, or the attachment was detached: there will be no further window.
    """

    samples: tuple[Sample, ...]
    start_unix_ns: int
    duration_ns: int
    period_ns: int
    errors: int = 0
    late: int = 0
    lost: int = 0
    unstable: int = 0
    cut: int = 0
    ticks: int = 0
    python_threads: frozenset[int] = frozenset()
    own_cpu_ns: int = 0
    ended: bool = False


class Attachment(Protocol):
    """One target being read."""

    def sample(self, window_s: float | None = None) -> Window:
        """
        Block for one window, the engine's or a shorter one, and return it.

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
    """
    stat = read_stat(pid)
    if stat is None:
        raise TargetNotFoundError(f"no process has the pid {pid}: check the number; it may have ended")
    if stat.state in DEAD_STATES:
        raise TargetNotFoundError(f"process {pid} has ended and waits for its parent to collect it")
    return Target(pid, stat.start_ticks)
