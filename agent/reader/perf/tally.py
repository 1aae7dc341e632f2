"""What the events showed between two moments: of one target, and of the whole host."""

import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.reader.engine import Target
from pyrometer.units import NS_PER_S
from pyrometer.values import TRUNCATED, Sample, Stack

# Different stacks kept of one window; those beyond count under the frame TRUNCATED alone.
STACKS_MAX: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """
    A thread that was on a CPU, its stack named.

    Attributes:
        pid: Its process; 0 where it has no number in this pid namespace.
        thread_id: Likewise.
        time_ns: Of the monotonic clock.
        stack: Root first; empty where nobody wanted it.
        cut: Whether the stack was too deep and begins with TRUNCATED.
    """

    pid: int
    thread_id: int
    time_ns: int
    stack: Stack
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWindow:
    """
    The whole host between two moments.

    Attributes:
        moments: How often each thread was on a CPU, by (pid, thread id); times *period_ns* it is CPU time.
        stacks: By pid, for those whose stacks were wanted; aggregated over threads.
        start_unix_ns: When it began, UTC.
        duration_ns: How long it went on.
        period_ns: Time between two looks at each CPU.
        lost: Looks whose result had no room.
    """

    moments: Mapping[tuple[int, int], int]
    stacks: Mapping[int, tuple[Sample, ...]]
    start_unix_ns: int
    duration_ns: int
    period_ns: int
    lost: int


@dataclass(slots=True)
class HostTally:
    """The open window of the host."""

    unwanted: frozenset[int] = frozenset()
    lost: int = 0
    moments: Counter[tuple[int, int]] = field(default_factory=Counter)
    stacks: Counter[tuple[int, Stack]] = field(default_factory=Counter)
    start_ns: int = field(default_factory=time.monotonic_ns)
    start_unix_ns: int = field(default_factory=time.time_ns)

    def add(self, seen: Seen) -> None:
        """Count one sighting."""
        self.moments[seen.pid, seen.thread_id] += 1
        if seen.stack and seen.pid and seen.pid not in self.unwanted:
            self.stacks[seen.pid, _bounded(self.stacks, (seen.pid, seen.stack))] += 1

    def close(self, period_ns: int) -> HostWindow:
        """Return what was seen."""
        by_pid: dict[int, list[Sample]] = {}
        for (pid, stack), count in self.stacks.items():
            by_pid.setdefault(pid, []).append(Sample(stack=stack, count=count, value=count * period_ns))
        return HostWindow(
            moments=self.moments,
            stacks={pid: tuple(samples) for pid, samples in by_pid.items()},
            start_unix_ns=self.start_unix_ns,
            duration_ns=time.monotonic_ns() - self.start_ns,
            period_ns=period_ns,
            lost=self.lost,
        )


class Watch:
    """The open window of one target: filled by the reader's thread, waited for by another."""

    def __init__(self, target: Target, window_s: float) -> None:
        """Begin now."""
        self.target = target
        self.start_unix_ns = time.time_ns()
        self.start_ns = time.monotonic_ns()
        self.end_ns = self.start_ns + int(window_s * NS_PER_S)
        self.duration_ns = 0
        self.lost = 0
        self.cut = 0
        self.gone = False
        self.finished = threading.Event()
        self._counts: Counter[tuple[int, Stack]] = Counter()

    def add(self, seen: Seen) -> None:
        """Count one sighting, if it lies in the window."""
        if self.start_ns <= seen.time_ns < self.end_ns:
            self._counts[seen.thread_id, _bounded(self._counts, (seen.thread_id, seen.stack))] += 1
            self.cut += seen.cut

    def finish(self, *, gone: bool = False) -> None:
        """Let the one who waits go on."""
        self.gone = gone
        self.duration_ns = min(time.monotonic_ns(), self.end_ns) - self.start_ns
        self.finished.set()

    def samples(self, period_ns: int) -> tuple[Sample, ...]:
        """Return what was seen."""
        return tuple(
            Sample(stack=stack, count=count, value=count * period_ns, thread_id=thread_id)
            for (thread_id, stack), count in self._counts.items()
        )


def _bounded(counts: Collection[tuple[int, Stack]], key: tuple[int, Stack]) -> Stack:
    return key[1] if len(counts) < STACKS_MAX or key in counts else (TRUNCATED,)
