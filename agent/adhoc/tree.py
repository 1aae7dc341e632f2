"""Reads a process and those below it, as they come and go: each by a reader of its own, under a frame with its name."""

import math
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Final

from agent.adhoc.descendants import descendants
from agent.adhoc.plan import PlannedEngine
from agent.adhoc.reader import WINDOW_S, ProcessReader
from agent.command_line import parse_program
from agent.procfs import TICK_NS, ProcessStat, read_arguments, read_executable
from agent.reader.engine import Target, Window
from pyrometer.errors import PyrometerError, TargetNotFoundError
from pyrometer.units import NS_PER_S
from pyrometer.values import Frame, FrameType, Sample

# Processes read at the same time; those beyond are counted.
PROCESSES_MAX: Final = 64
# How often new processes are looked for, and how long one may take to become a Python process.
_SCAN_S: Final = 0.2
_YOUNG_NS: Final = 5 * NS_PER_S
# A window shorter than this sees nothing.
_WINDOW_S_MIN: Final = 0.05

_Image = tuple[int, int, tuple[str, str, str]]


class TreeReader:
    """A process and its descendants; it ends with the process at the root."""

    def __init__(
        self, engine: PlannedEngine, target: Target, *, window_s: float | None = None, doubtful_s: float = 0.0
    ) -> None:
        """
        Open the process at the root; see `ProcessReader`.

        Attributes:
            left_out: Processes that were not read because there were too many.
        """
        self._engine = engine
        self._root = ProcessReader(engine, target, window_s=math.inf, doubtful_s=doubtful_s)
        self._target = target
        self._window_s = window_s or WINDOW_S
        self._readers: dict[_Image, ProcessReader] = {}
        self._names: dict[Target, Frame] = {target: _process_frame(target.pid)}
        self._hopeless: set[_Image] = set()
        self._ended: list[Sample] = []
        self._born_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self._pool = ThreadPoolExecutor(PROCESSES_MAX, "tree")
        self._stopped = False
        self.left_out = 0

    def sample(self, limit_s: float) -> Window:
        """Block for one window; see `Reader.sample`."""
        end_s = time.monotonic() + min(limit_s, self._window_s)
        root = self._pool.submit(self._root.sample, end_s - time.monotonic())
        running: dict[_Image, Future[Window]] = {}
        while not root.done():
            left_s = end_s - time.monotonic()
            if left_s > _WINDOW_S_MIN and not self._stopped:
                self._begin(running, left_s)
            wait([root], timeout=_SCAN_S)
        if root.exception() is not None or root.result().ended:
            self._release_children()
        windows = list(self._finish(running))
        if windows and isinstance(root.exception(), TargetNotFoundError):
            return replace(self._merge(windows), ended=True)  # it waited for those below it, and ended unseen
        return self._merge([(self._target, root.result()), *windows])

    def rest(self) -> tuple[Sample, ...]:
        """Return what waits; see `Reader.rest`."""
        self._pool.shutdown()
        samples = [*self._ended, *self._under(self._target, self._root.rest())]
        for reader in self._readers.values():
            samples += self._under(reader.target, reader.rest())
        return tuple(samples)

    def detach(self) -> None:
        """Let go of all; see `Reader.detach`."""
        self._stopped = True
        self._root.detach()
        self._release_children()

    def _release_children(self) -> None:
        for reader in list(self._readers.values()):
            reader.detach()

    def _begin(self, running: dict[_Image, Future[Window]], left_s: float) -> None:
        """Begin a window of every process below the root that has none yet."""
        self.left_out = 0
        for stat in descendants(self._target.pid):
            image = (stat.pid, stat.start_ticks, stat.image)
            if image in running or image in self._hopeless:
                continue
            if len(running) >= PROCESSES_MAX - 1:
                self.left_out += 1
                continue
            try:
                reader = self._readers.get(image) or self._open(stat)
            except TargetNotFoundError:
                continue
            self._readers[image] = reader
            running[image] = self._pool.submit(reader.sample, left_s)

    def _open(self, stat: ProcessStat) -> ProcessReader:
        born_ns = stat.start_ticks * TICK_NS
        target = Target(stat.pid, stat.start_ticks)
        self._names[target] = _process_frame(stat.pid)
        return ProcessReader(
            self._engine,
            target,
            window_s=math.inf,
            # py-spy is not asked about every shell and compiler below.
            doubtful_s=math.inf,
            start_cpu_ns=0 if born_ns >= self._born_ns else None,
        )

    def _finish(self, running: dict[_Image, Future[Window]]) -> Iterator[tuple[Target, Window]]:
        """Wait for the windows; one that failed ends its reader, which is opened again if the process stays."""
        for image, future in running.items():
            reader = self._readers[image]
            try:
                window = future.result()
            except PyrometerError:
                self._close(image)
                age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - image[1] * TICK_NS
                if age_ns > _YOUNG_NS:
                    self._hopeless.add(image)
                continue
            yield reader.target, window
            if window.ended:
                self._close(image)

    def _close(self, image: _Image) -> None:
        reader = self._readers.pop(image)
        reader.detach()
        rest = reader.rest()
        # What was never read leaves no trace; a Python process that ended keeps the time that nobody saw.
        self._ended += self._under(reader.target, rest) if reader.has_read else []

    def _merge(self, every: list[tuple[Target, Window]]) -> Window:
        """Return one window that says of time and rate what the first does."""
        return replace(
            every[0][1],
            samples=tuple(sample for target, window in every for sample in self._under(target, window.samples)),
            errors=sum(window.errors for _, window in every),
            late=sum(window.late for _, window in every),
            lost=sum(window.lost for _, window in every),
            unstable=sum(window.unstable for _, window in every),
            cut=sum(window.cut for _, window in every),
        )

    def _under(self, target: Target, samples: tuple[Sample, ...]) -> list[Sample]:
        """Return samples under a frame for their process."""
        frame = self._names[target]
        return [replace(sample, stack=(frame, *sample.stack)) for sample in samples]


def _process_frame(pid: int) -> Frame:
    name = parse_program(read_arguments(pid), read_executable(pid)).name
    return Frame(f"process {pid}: {name}", frame_type=FrameType.MARKER)
