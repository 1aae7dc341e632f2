"""One recording: windows of one target, one after the other, summed into one profile."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.adhoc.reader import Reader
from agent.reader.engine import Target, Window
from pyrometer.errors import PyrometerError, TargetNotFoundError
from pyrometer.units import NS_PER_S
from pyrometer.values import Frame, FrameType, Profile, Sample, Stack

# A recording without end must not fill the memory: further stacks are counted under one name.
STACKS_MAX: Final = 200_000
OTHER_STACKS: Final = Frame("[other stacks]", frame_type=FrameType.MARKER)
# A program that has just been started is no Python process until its interpreter has been set up.
STARTUP_S: Final = 3.0
STARTUP_RETRY_S: Final = 0.05

_Key = tuple[Stack, int, str]


@dataclass(slots=True)
class Totals:
    """
    What has been seen so far; read by the progress display while it grows.

    Attributes:
        samples: Stacks seen.
        unstable: Those of them whose leaf part could not be read consistently.
        errors: Samples that could not be read.
        lost: Samples that were not taken because the reader was behind.
        merged_stacks: Samples counted as `OTHER_STACKS`.
        ticks: Looks at the process; 0 where the engine does not tell.
        looked_ns: How long it was looked at.
    """

    samples: int = 0
    unstable: int = 0
    errors: int = 0
    lost: int = 0
    merged_stacks: int = 0
    ticks: int = 0
    looked_ns: int = 0

    @property
    def rate_hz(self) -> float:
        """Looks a second, as achieved; 0 where unknown."""
        return self.ticks * NS_PER_S / self.looked_ns if self.looked_ns else 0.0

    @property
    def unstable_share(self) -> float:
        """The share of the samples whose leaf part is missing."""
        return self.unstable / self.samples if self.samples else 0.0


@dataclass(slots=True, kw_only=True)
class Recording:
    """
    Sums windows into one profile.

    Attributes:
        period_ns: Nominal time between two samples.
        wall: Values are wall time; otherwise CPU time.
        totals: What has been added so far.
    """

    period_ns: int
    wall: bool = False
    totals: Totals = field(default_factory=Totals)
    _sums: dict[_Key, tuple[int, int]] = field(default_factory=dict)
    _start_unix_ns: int = 0
    _end_unix_ns: int = 0

    def add(self, window: Window) -> None:
        """Add one window."""
        self._start_unix_ns = self._start_unix_ns or window.start_unix_ns
        self._end_unix_ns = max(self._end_unix_ns, window.start_unix_ns + window.duration_ns)
        self.totals.errors += window.errors
        self.totals.lost += window.lost
        self.totals.unstable += window.unstable
        self.totals.ticks += window.ticks
        self.totals.looked_ns += window.duration_ns
        self.add_samples(window.samples)

    def add_samples(self, samples: Iterable[Sample]) -> None:
        """Add samples that belong to no window of their own."""
        for sample in samples:
            self.totals.samples += sample.count
            key = (sample.stack, sample.thread_id, sample.thread_name)
            if key not in self._sums and len(self._sums) >= STACKS_MAX:
                self.totals.merged_stacks += sample.count
                key = ((OTHER_STACKS,), 0, "")
            count, value = self._sums.get(key, (0, 0))
            self._sums[key] = (count + sample.count, value + sample.value)

    def profile(self, attributes: Mapping[str, str | int]) -> Profile:
        """Return everything added so far."""
        return Profile(
            samples=tuple(
                Sample(stack=stack, count=count, value=value, thread_id=thread_id, thread_name=thread_name)
                for (stack, thread_id, thread_name), (count, value) in self._sums.items()
            ),
            sample_type="wall" if self.wall else "cpu",
            start_unix_ns=self._start_unix_ns,
            duration_ns=self._end_unix_ns - self._start_unix_ns,
            period_ns=self.period_ns,
            attributes=attributes,
        )


class Recorder:
    """Takes windows of a target until the time is over, the target ends, or somebody stops it."""

    def __init__(self, reader: Reader, target: Target, *, duration_s: float | None, startup_s: float = 0.0) -> None:
        """
        Prepare.

        Args:
            reader: Reads it.
            target: What is read.
            duration_s: Seconds to go on; None for no end.
            startup_s: For how long a target that cannot be read yet is tried again.
        """
        self._reader = reader
        self._target = target
        self._duration_s = duration_s
        self._startup_s = startup_s
        self._stopped = threading.Event()

    def run(self, add: Callable[[Window], None]) -> tuple[Sample, ...]:
        """
        Hand over windows until the end; call it in any one thread.

        Returns:
            The CPU time that no window's samples stand for.

        Raises:
            PyrometerError: If the target could not be read; a target that was read once and has gone is no error.
        """
        self._run(add)
        return self._reader.rest()

    def stop(self) -> None:
        """End the recording soon, with what it has; from any thread but not from a signal handler."""
        self._stopped.set()
        self._reader.detach()

    def _run(self, add: Callable[[Window], None]) -> None:
        started_ns = time.monotonic_ns()
        windows = 0
        while not self._stopped.is_set():
            elapsed_s = (time.monotonic_ns() - started_ns) / NS_PER_S
            remaining_s = math.inf if self._duration_s is None else self._duration_s - elapsed_s
            if remaining_s <= 0:
                return
            try:
                window = self._reader.sample(remaining_s)
            except PyrometerError as error:
                # One that ends has lost its memory a moment before it is seen to have ended.
                has_gone = isinstance(error, TargetNotFoundError) or not self._target.is_alive()
                if self._stopped.is_set() or (windows and has_gone):
                    return
                if windows or not self._target.is_alive() or elapsed_s >= self._startup_s:
                    raise
                self._stopped.wait(STARTUP_RETRY_S)
                continue
            add(window)
            windows += 1
            if window.ended:
                return
