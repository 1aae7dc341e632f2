"""
The engine that reads stacks with the py-spy program: every CPython from 2.7 on, and native frames.

py-spy has no streaming mode: nothing is written before the end of a run. So each window is one run, which is ended by a
signal when its time is over; the run costs 10 to 20 ms more than its samples.
Not blocking never stops the target, and tears some stacks (more of them from CPython 3.12 on); blocking reads exact
stacks and stops the target while it reads.
"""

import math
import re
import signal
import threading
import time
from dataclasses import dataclass
from typing import Final

from agent.reader.engine import Attachment, Target, Window
from agent.reader.pace import Pace
from agent.reader.pyspy_failure import explain_failure
from agent.reader.pyspy_output import parse_speedscope
from agent.reader.pyspy_process import Finished, PySpyProcess, find_pyspy
from pyrometer.errors import ConfigError, TargetNotFoundError
from pyrometer.units import NS_PER_S

RATE_HZ_MAX: Final = 1000
WINDOW_S_MAX: Final = 3600.0

_BEHIND = re.compile(r"^py-spy> ([0-9.]+)s behind in sampling", re.MULTILINE)
_ERRORS = re.compile(r"Samples: \d+ Errors: (\d+)$", re.MULTILINE)
_TARGET_EXITED: Final = "Stopped sampling because process exited"


@dataclass(frozen=True, slots=True, kw_only=True)
class PySpyEngine:
    """
    How to run py-spy; the names and meanings are those of its flags.

    Attributes:
        rate_hz: Samples a second.
        window_s: Length of one window.
        pace: Where given, each window is taken at its rate, up to `rate_hz`.
        blocking: Stop the target while its stacks are read.
        idle: Also return the stacks of threads that wait.
        native: Also return native frames; needs `blocking`.
        gil: Return only stacks of threads that hold the GIL.
        first_lines: Give the line where a function begins, in place of the line that runs.
    """

    rate_hz: int = 19
    window_s: float = 10.0
    pace: Pace | None = None
    blocking: bool = False
    idle: bool = False
    native: bool = False
    gil: bool = False
    first_lines: bool = False

    def __post_init__(self) -> None:
        """Refuse what py-spy cannot do."""
        if not 1 <= self.rate_hz <= RATE_HZ_MAX:
            raise ConfigError(f"rate is {self.rate_hz}: it must be from 1 to {RATE_HZ_MAX} samples a second")
        if not 0 < self.window_s <= WINDOW_S_MAX:
            raise ConfigError(f"window is {self.window_s} s: it must be above 0 and at most {WINDOW_S_MAX:.0f} s")
        if self.native and not self.blocking:
            raise ConfigError("native frames need blocking reads: leave out either native or non-blocking")

    @property
    def name(self) -> str:
        """The name in logs and metrics."""
        return "py-spy"

    def attach(self, target: Target) -> Attachment:
        """Begin to read a target; see `Engine.attach`."""
        find_pyspy()
        if not target.is_alive():
            raise TargetNotFoundError(f"process {target.pid} has ended")
        return PySpyAttachment(self, target)

    def window_rate_hz(self) -> int:
        """Return the rate of a window that begins now."""
        return max(1, min(self.rate_hz, round(self.pace.rate_hz))) if self.pace else self.rate_hz

    def arguments(self, pid: int, rate_hz: int) -> list[str]:
        """Return py-spy's command line for one window, output excepted."""
        switches = {
            "--nonblocking": not self.blocking,
            "--idle": self.idle,
            "--native": self.native,
            "--gil": self.gil,
            "--function": self.first_lines,
            "--full-filenames": True,
        }
        # py-spy's duration counts samples, not time: it is only the safety net for a signal that is not heard.
        duration_s = math.ceil(self.window_s * 1.5) + 5
        values = [
            "--pid",
            str(pid),
            "--rate",
            str(rate_hz),
            "--duration",
            str(duration_s),
            "--format",
            "speedscope",
        ]
        return ["record", *values, *(flag for flag, wanted in switches.items() if wanted)]


class PySpyAttachment:
    """One target, read with one py-spy run a window."""

    def __init__(self, engine: PySpyEngine, target: Target) -> None:
        """Remember both; nothing runs before the first `sample`."""
        self._engine = engine
        self._target = target
        self._lock = threading.Lock()
        self._running: PySpyProcess | None = None
        self._detached = False
        self._rate_hz = engine.rate_hz

    def sample(self, window_s: float | None = None) -> Window:
        """Block for one window, the engine's or a shorter one, and return it; see `Attachment.sample`."""
        pid = self._target.pid
        start_unix_ns = time.time_ns()
        if self._detached:
            return self._window((), start_unix_ns, None)
        if not self._target.is_alive():
            raise TargetNotFoundError(f"process {pid} has ended")
        self._rate_hz = self._engine.window_rate_hz()
        with PySpyProcess(self._engine.arguments(pid, self._rate_hz), to_file=True) as process:
            self._set_running(process)
            try:
                finished = process.wait(interrupt_after_s=min(window_s or math.inf, self._engine.window_s))
            finally:
                self._set_running(None)
        return self._read(finished, start_unix_ns)

    def detach(self) -> None:
        """End the window that is being taken, if any; see `Attachment.detach`."""
        with self._lock:
            self._detached = True
            if self._running is not None:
                self._running.interrupt()

    def _set_running(self, process: PySpyProcess | None) -> None:
        with self._lock:
            self._running = process
            if process is not None and self._detached:
                process.interrupt()

    def _read(self, finished: Finished, start_unix_ns: int) -> Window:
        if finished.exit_code != 0:
            if finished.interrupted and finished.exit_code in (-signal.SIGINT, -signal.SIGKILL):
                return self._window((), start_unix_ns, finished)
            raise explain_failure(finished, self._target)
        window = self._window(finished.output, start_unix_ns, finished)
        if not window.samples and window.ended and not self._detached:
            raise TargetNotFoundError(f"process {self._target.pid} ended before anything of it was seen")
        return window

    def _window(self, output: bytes | tuple[()], start_unix_ns: int, finished: Finished | None) -> Window:
        period_ns = NS_PER_S // self._rate_hz
        messages = finished.messages if finished else ""
        duration_ns = finished.duration_ns if finished else 0
        behind_s = [float(seconds) for seconds in _BEHIND.findall(messages)]
        errors = _ERRORS.search(messages)
        return Window(
            samples=parse_speedscope(output, period_ns=period_ns) if output else (),
            start_unix_ns=start_unix_ns,
            duration_ns=duration_ns,
            period_ns=period_ns,
            errors=int(errors[1]) if errors else 0,
            late=len(behind_s),
            lost=round(behind_s[-1] * self._rate_hz) if behind_s else 0,
            own_cpu_ns=finished.cpu_ns if finished else 0,
            ended=self._detached or _TARGET_EXITED in messages,
        )
