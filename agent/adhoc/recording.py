"""One recording: windows of one target, one after the other, summed into one profile."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from agent.cpu_truth import scale_samples
from agent.procfs import clock_deltas, read_stat, read_thread_clocks
from agent.reader.engine import Target, Window
from agent.reader.pyspy import PySpyAttachment, PySpyEngine
from pyrometer.errors import PyrometerError
from pyrometer.units import NS_PER_S
from pyrometer.values import Frame, FrameType, Profile, Sample, Stack

# Each window is one run of py-spy; a run costs some 15 ms of CPU, and its samples are counted when it ends.
WINDOW_S: Final = 5.0
# The first one is short, so that somebody who waits soon sees that it works.
FIRST_WINDOW_S: Final = 1.0
# A recording without end must not fill the memory: further stacks are counted under one name.
STACKS_MAX: Final = 200_000
OTHER_STACKS: Final = Frame("[other stacks]", frame_type=FrameType.MARKER)
THREADS_MAX: Final = 4096
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
        errors: Samples that could not be read.
        lost: Samples that were not taken because the reader was behind.
        merged_stacks: Samples counted as `OTHER_STACKS`.
    """

    samples: int = 0
    errors: int = 0
    lost: int = 0
    merged_stacks: int = 0


@dataclass(slots=True)
class Recording:
    """
    Sums windows into one profile.

    Attributes:
        wall: Values are wall time; otherwise CPU time.
        by_thread: Put a frame for the thread at each root, as py-spy's ``--threads`` does.
        totals: What has been added so far.
    """

    wall: bool = False
    by_thread: bool = False
    totals: Totals = field(default_factory=Totals)
    _sums: dict[_Key, tuple[int, int]] = field(default_factory=dict)
    _start_unix_ns: int = 0
    _end_unix_ns: int = 0
    _period_ns: int = 0

    def add(self, window: Window) -> None:
        """Add one window."""
        self._start_unix_ns = self._start_unix_ns or window.start_unix_ns
        self._end_unix_ns = max(self._end_unix_ns, window.start_unix_ns + window.duration_ns)
        self._period_ns = window.period_ns
        self.totals.errors += window.errors
        self.totals.lost += window.lost
        for sample in window.samples:
            self._add_sample(sample)

    def _add_sample(self, sample: Sample) -> None:
        self.totals.samples += sample.count
        stack = (_thread_frame(sample), *sample.stack) if self.by_thread else sample.stack
        key = (stack, sample.thread_id, sample.thread_name)
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
            period_ns=self._period_ns,
            attributes=attributes,
        )


def _thread_frame(sample: Sample) -> Frame:
    name = f": {sample.thread_name}" if sample.thread_name else ""
    return Frame(f"thread ({sample.thread_id}){name}", frame_type=FrameType.MARKER)


class Recorder:
    """Takes windows of a target until the time is over, the target ends, or somebody stops it."""

    def __init__(
        self, engine: PySpyEngine, target: Target, *, duration_s: float | None, startup_s: float = 0.0
    ) -> None:
        """
        Attach.

        Args:
            engine: How to read.
            target: What to read.
            duration_s: Seconds to go on; None for no end.
            startup_s: For how long a target that cannot be read yet is tried again.

        Raises:
            PyrometerError: If it cannot be read at all.
        """
        self._attachment = engine.attach(target)
        self._target = target
        # The clocks of the kernel are for the threads of this one process, and for time on the CPU.
        self._scales = not (engine.idle or engine.gil or engine.subprocesses)
        self._duration_s = duration_s
        self._startup_s = startup_s
        self._stopped = threading.Event()

    def run(self, add: Callable[[Window], None]) -> None:
        """
        Hand over windows until the end; call it in any one thread.

        Raises:
            PyrometerError: If the target could not be read; a target that was read once and has gone is no error.
        """
        started_ns = time.monotonic_ns()
        windows = 0
        while not self._stopped.is_set():
            elapsed_s = (time.monotonic_ns() - started_ns) / NS_PER_S
            remaining_s = None if self._duration_s is None else self._duration_s - elapsed_s
            if remaining_s is not None and remaining_s <= 0:
                return
            try:
                window = self._sample(min(remaining_s or math.inf, math.inf if windows else FIRST_WINDOW_S))
            except PyrometerError:
                if not self._target.is_alive() and windows:
                    return
                if windows or not self._target.is_alive() or elapsed_s >= self._startup_s:
                    raise
                self._stopped.wait(STARTUP_RETRY_S)
                continue
            add(window)
            windows += 1
            if window.ended:
                return

    def stop(self) -> None:
        """End the recording soon, with what it has; from any thread but not from a signal handler."""
        self._stopped.set()
        self._attachment.detach()

    def _sample(self, window_s: float) -> Window:
        assert isinstance(self._attachment, PySpyAttachment)  # noqa: S101
        before = self._clocks()
        window = self._attachment.sample(window_s)
        after = self._clocks()
        if before is None or after is None:
            return window
        (cpu_before, threads_before), (cpu_after, threads_after) = before, after
        by_thread = clock_deltas(threads_before, threads_after)
        return replace(window, samples=scale_samples(window.samples, cpu_after - cpu_before, by_thread))

    def _clocks(self) -> tuple[int, dict[int, int]] | None:
        stat = read_stat(self._target.pid) if self._scales else None
        if stat is None or stat.start_ticks != self._target.start_ticks:
            return None
        return stat.cpu_ns, read_thread_clocks(self._target.pid, THREADS_MAX)
