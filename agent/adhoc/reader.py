"""Reads one process, window by window, with whichever engine serves, and gives its stacks the CPU time it used."""

import time
from dataclasses import replace
from typing import Final, Protocol

from agent.accounting import Account, Moment
from agent.adhoc.frames import FrameShaper
from agent.adhoc.plan import PlannedEngine
from agent.procfs import read_stat
from agent.python_process import open_process
from agent.reader.engine import Attachment, Target, Window
from agent.session import Session, look
from pyrometer.errors import NotPythonError, PyrometerError, TargetNotFoundError
from pyrometer.values import Sample

# Our own engine shows what it has at once. A window of py-spy is a run of it, which costs some 15 ms of CPU; the first
# is short, so that somebody who waits soon sees that it works.
WINDOW_S: Final = 1.0
PYSPY_WINDOW_S: Final = 5.0
# A thread that is seen rarely keeps its CPU time this long for the window that sees it.
CARRY_S_MAX: Final = 60.0


class Reader(Protocol):
    """What a recording takes its windows from."""

    def sample(self, limit_s: float) -> Window:
        """
        Block for one window, no longer than this, and return it.

        Raises:
            PyrometerError: The process could not be read.
        """

    def rest(self) -> tuple[Sample, ...]:
        """Return the CPU time that no window's samples stand for; once, at the end."""

    def detach(self) -> None:
        """End the window that is being taken; from any thread."""


class ProcessReader:
    """One process."""

    def __init__(
        self,
        engine: PlannedEngine,
        target: Target,
        *,
        window_s: float | None = None,
        doubtful_s: float = 0.0,
        start_cpu_ns: int | None = None,
    ) -> None:
        """
        Open it; nothing is read yet.

        Args:
            engine: How to read.
            target: What to read.
            window_s: Length of a window; None for what suits the engine.
            doubtful_s: For how long what seems to be no Python may still become one.
            start_cpu_ns: CPU time it had used where its account begins; None for what it has used by now.

        Raises:
            TargetNotFoundError: It has gone.
        """
        stat = read_stat(target.pid)
        process = open_process(stat, {}) if stat is not None and stat.start_ticks == target.start_ticks else None
        if process is None:
            raise TargetNotFoundError(f"process {target.pid} has ended")
        self.target = target
        self._engine = engine
        self._window_s = window_s
        self._doubt_from = time.monotonic() + doubtful_s
        self._shaper = FrameShaper(engine.plan, target.pid)
        used_ns = process.stat.cpu_ns if start_cpu_ns is None else start_cpu_ns
        self._session = Session(process, Account(process, start=_now(), start_cpu_ns=used_ns, carry_s_max=CARRY_S_MAX))
        self._windows = 0

    def sample(self, limit_s: float) -> Window:
        """Block for one window; see `Reader.sample`."""
        session = self._session
        attachment = session.attach(self)
        session.process.refresh()
        session.account.begin(_now())
        try:
            with self._engine.clocks.watching(session.process):
                window, seen = look(session, attachment, min(limit_s, self._length_s()))
        except PyrometerError:
            session.release()
            raise
        self._windows += 1
        samples = window.samples
        if self._engine.plan.is_cpu_time:
            session.process.refresh()
            profile = session.account.settle(_now(), seen)
            samples = profile.samples if profile else ()
        return replace(window, samples=self._shaper.shape(samples))

    def rest(self) -> tuple[Sample, ...]:
        """Return what waits; see `Reader.rest`."""
        session = self._session
        session.process.refresh()
        profile = session.account.close(_now()) if self._engine.plan.is_cpu_time else None
        session.process.close()
        samples = profile.samples if profile else ()
        return self._shaper.shape(sample for sample in samples if sample.value)

    def detach(self) -> None:
        """Let go of it for good; see `Reader.detach`."""
        self._session.close()

    @property
    def has_read(self) -> bool:
        """Whether a window of it was taken."""
        return self._windows > 0

    @property
    def name(self) -> str:
        """The name of the engine, for the session."""
        return self._engine.name

    def attach(self, target: Target) -> Attachment:
        """Attach for the session; what seems to be no Python, and may still become one, is not for py-spy yet."""
        try:
            return self._engine.attach(target, doubt=time.monotonic() >= self._doubt_from)
        except NotPythonError as error:
            if time.monotonic() >= self._doubt_from:
                raise
            raise PyrometerError(str(error)) from error

    def _length_s(self) -> float:
        if self._window_s is not None:
            return self._window_s
        return PYSPY_WINDOW_S if self._session.starts_programs and self.has_read else WINDOW_S


def _now() -> Moment:
    return Moment(time.monotonic_ns(), time.time_ns())
