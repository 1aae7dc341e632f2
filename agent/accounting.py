"""One watched process over time: what CPU time was already reported, so that every second is reported once."""

from dataclasses import dataclass

from agent.cpu_truth import scale_samples
from agent.procfs import clock_deltas
from agent.targets import PythonProcess
from pyrometer.values import NOT_SAMPLED, Profile, Sample


@dataclass(frozen=True, slots=True)
class Moment:
    """
    A reading of all clocks at once.

    Attributes:
        monotonic_ns: For durations.
        unix_ns: UTC.
    """

    monotonic_ns: int
    unix_ns: int


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What an engine saw in a window.

    Attributes:
        samples: Not yet scaled.
        period_ns: Nominal time between two.
        clocks_before: CPU clock of each thread where the window began, nanoseconds.
        clocks_after: And when it ended.
    """

    samples: tuple[Sample, ...]
    period_ns: int
    clocks_before: dict[int, int]
    clocks_after: dict[int, int]


class Account:
    """The CPU time of one process, cut into windows that follow each other without gap or overlap."""

    def __init__(self, process: PythonProcess, *, start: Moment, start_cpu_ns: int) -> None:
        """
        Begin to account.

        Args:
            process: Whose clock is read; the caller refreshes it.
            start: Where the first window begins: the start of the process, or the present for one met on the way.
            start_cpu_ns: What it had used by then.
        """
        self._process = process
        self._settled_at = start
        self._settled_cpu_ns = start_cpu_ns
        self._earlier = (start, start_cpu_ns)

    def open_ns(self, now: Moment) -> int:
        """Return how long the window that is open now has lasted."""
        return max(0, now.monotonic_ns - self._settled_at.monotonic_ns)

    def cpu_ns(self) -> int:
        """Return the CPU time used in the open window."""
        return max(0, self._process.stat.cpu_ns - self._settled_cpu_ns)

    def busy_share(self, now: Moment) -> float:
        """Return the share of one core used over the last closed window and the open one."""
        moment, cpu_ns = self._earlier
        elapsed_ns = now.monotonic_ns - moment.monotonic_ns
        return max(0, self._process.stat.cpu_ns - cpu_ns) / elapsed_ns if elapsed_ns > 0 else 0.0

    def settle(self, now: Moment, seen: Seen | None = None) -> Profile | None:
        """
        Close the open window and begin the next.

        Returns:
            Its profile, whose values sum to the CPU time used; None for a window without length.
        """
        duration_ns, used_ns = self.open_ns(now), self.cpu_ns()
        if duration_ns == 0:
            return None
        self._earlier = (self._settled_at, self._settled_cpu_ns)
        self._settled_at = now
        self._settled_cpu_ns += used_ns
        samples: tuple[Sample, ...] = ()
        if seen:
            samples = scale_samples(seen.samples, used_ns, clock_deltas(seen.clocks_before, seen.clocks_after))
        elif used_ns:
            samples = scale_samples((), used_ns)
        return Profile(
            # An idle process is reported too: its observed time is what CPU time is divided by.
            samples=samples or (Sample(stack=(NOT_SAMPLED,), count=0, value=0),),
            start_unix_ns=now.unix_ns - duration_ns,
            duration_ns=duration_ns,
            period_ns=seen.period_ns if seen else 0,
            attributes=self._process.attributes,
        )
