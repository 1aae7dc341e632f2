"""The engine over perf events: native and kernel stacks of any process, Python or not."""

import math
import threading
import time
from dataclasses import dataclass
from typing import Final

from agent.reader.engine import Attachment, Target, Window
from agent.reader.perf.reader import PerfReader
from agent.reader.perf.tally import Watch
from pyrometer.errors import PyrometerError, TargetNotFoundError

# The reader may hang on a file of a target whose file system does not answer.
_GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PerfEngine:
    """
    An engine whose attachments all share one reader.

    Attributes:
        reader: Running; it reads the whole host, whoever is attached.
        window_s: Length of one window.
    """

    reader: PerfReader
    window_s: float = 10.0

    @property
    def name(self) -> str:
        """The name in logs and metrics."""
        return "perf"

    def attach(self, target: Target) -> Attachment:
        """Begin to read a target; see `Engine.attach`."""
        if not self.reader.is_running:
            raise PyrometerError("perf events are not being read")
        if not target.is_alive():
            raise TargetNotFoundError(f"process {target.pid} has ended")
        return PerfAttachment(self, target)


class PerfAttachment:
    """One target."""

    def __init__(self, engine: PerfEngine, target: Target) -> None:
        """Remember both; the reader reads every process anyway."""
        self._engine = engine
        self._target = target
        self._lock = threading.Lock()
        self._watch: Watch | None = None
        self._detached = False

    def sample(self, window_s: float | None = None) -> Window:
        """Block for one window, the engine's or a shorter one, and return it; see `Attachment.sample`."""
        reader, target = self._engine.reader, self._target
        if self._detached:
            return Window(
                samples=(), start_unix_ns=time.time_ns(), duration_ns=0, period_ns=reader.period_ns, ended=True
            )
        if not target.is_alive():
            raise TargetNotFoundError(f"process {target.pid} has ended")
        length_s = min(window_s or math.inf, self._engine.window_s)
        watch = reader.watch(target, length_s)
        with self._lock:
            self._watch = watch
            if self._detached:
                reader.end(watch)
        if not watch.finished.wait(length_s + _GRACE_S):
            raise PyrometerError("the reader of perf events hangs: a file of some process cannot be read")
        return self._read(watch, reader.period_ns)

    def detach(self) -> None:
        """End the window that is being taken, if any; see `Attachment.detach`."""
        with self._lock:
            self._detached = True
            if self._watch is not None:
                self._engine.reader.end(self._watch)

    def _read(self, watch: Watch, period_ns: int) -> Window:
        samples = watch.samples(period_ns)
        if watch.gone and not samples and not self._detached:
            raise TargetNotFoundError(f"process {self._target.pid} ended before anything of it was seen")
        return Window(
            samples=samples,
            start_unix_ns=watch.start_unix_ns,
            duration_ns=watch.duration_ns,
            period_ns=period_ns,
            lost=watch.lost,
            cut=watch.cut,
            ticks=watch.duration_ns // period_ns,
            ended=watch.gone or self._detached,
        )
