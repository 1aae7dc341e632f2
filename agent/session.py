"""One watched process: its account, its attachment, and taking one window of it."""

import logging
import re
import threading
import time
from dataclasses import dataclass
from typing import Final

from agent.accounting import Account, Moment, Seen
from agent.procfs import read_start, read_thread_clocks
from agent.python_process import PythonProcess
from agent.reader.engine import Attachment, Engine, Window
from agent.reader.pyspy import PySpyAttachment
from pyrometer import semconv
from pyrometer.errors import PyrometerError, TargetNotFoundError
from pyrometer.values import Stack

_LOG = logging.getLogger(__name__)
THREADS_READ_MAX: Final = 1024
_NAMES_MAX: Final = 32
_OTHERS: Final = "[others]"
# "worker-12": the number says nothing that a bill needs, and there may be any number of them.
_NUMBERED = re.compile(r"[-_:/#]\d+$")


class NoRoom:
    """A window was not begun: the programs that the engine starts are as many as may be."""


Outcome = Seen | PyrometerError | NoRoom


class Session:
    """One watched process: its account, the attachment of the engine, and its failures."""

    def __init__(self, process: PythonProcess, account: Account) -> None:
        """
        Begin to watch.

        Args:
            process: Which.
            account: Its CPU time.
        """
        self.process = process
        self.account = account
        self.in_flight = False
        # When a window of it last ended; until then, when it was met.
        self.looked_at_ns = time.monotonic_ns()
        self.is_reported = False
        # Each window is a program of its own, as with py-spy; not known before the first.
        self.starts_programs = False
        self.failures = 0
        self.retry_at_ns = 0
        self.refusal: Stack | None = None
        # CPU time of the process that the host's bill knows of.
        self.billed_ns = process.stat.cpu_ns - account.unreported_ns()
        self._lock = threading.Lock()
        self._attachment: Attachment | None = None
        self._closed = False

    @property
    def is_attached(self) -> bool:
        """Whether an engine holds what it needs to read the process."""
        return self._attachment is not None

    def take_billed_ns(self) -> int:
        """Return what the process used since the last call."""
        used_ns = max(0, self.process.stat.cpu_ns - self.billed_ns)
        self.billed_ns += used_ns
        return used_ns

    def attach(self, engine: Engine) -> Attachment:
        """
        Return the attachment, made where there is none.

        Raises:
            TargetNotFoundError: The session was closed, or the process has gone.
            PyrometerError: The engine cannot read it.
        """
        attachment = self._attachment or engine.attach(self.process.target)
        with self._lock:
            self._attachment = attachment
            if self._closed:
                attachment.detach()
                raise TargetNotFoundError(f"process {self.process.target.pid} is no longer watched")
        self.starts_programs = isinstance(attachment, PySpyAttachment)
        return attachment

    def refuse(self, stack: Stack, retry_at_ns: int) -> None:
        """Note that the process could not be read, what its CPU time is shown as, and when it is tried again."""
        self.release()
        self.refusal = stack
        self.failures += 1
        self.retry_at_ns = retry_at_ns

    def release(self) -> None:
        """Let go of the process; a window being taken ends early."""
        with self._lock:
            attachment, self._attachment = self._attachment, None
        if attachment is not None:
            attachment.detach()

    def close(self) -> None:
        """Let go for good, from any thread."""
        self._closed = True
        self.release()


@dataclass(frozen=True, slots=True)
class Done:
    """A window that has ended, one way or the other."""

    session: Session
    outcome: Outcome
    window: Window | None


def take_window(session: Session, engine: Engine, programs: threading.Semaphore, window_s: float) -> Done:
    """
    Block for one window, and return what came of it; it runs in a thread of its own and never raises.

    Args:
        session: Of the process.
        engine: Reads it.
        programs: Held while a window is taken that is a program of its own.
        window_s: Length of the window, up to the engine's.
    """
    window: Window | None = None
    outcome: Outcome
    try:
        attachment = session.attach(engine)
        if not session.starts_programs:
            window, outcome = look(session, attachment, window_s)
        elif programs.acquire(blocking=False):
            try:
                window, outcome = look(session, attachment, window_s)
            finally:
                programs.release()
        else:
            outcome = NoRoom()
    except PyrometerError as error:
        outcome = error
    except Exception as error:  # noqa: BLE001 (a defect of an engine must not end the watch)
        _LOG.debug("engine %s failed on process %d", engine.name, session.process.target.pid, exc_info=True)
        outcome = PyrometerError(f"engine {engine.name}: {type(error).__name__}: {error}")
    return Done(session, outcome, window)


def look(session: Session, attachment: Attachment, window_s: float | None = None) -> tuple[Window, Seen]:
    """
    Block for one window, the engine's or a shorter one, with the threads' clocks read before and after.

    Raises:
        PyrometerError: The window could not be taken; see `Attachment.sample`.
    """
    pid = session.process.target.pid
    now = Moment(time.monotonic_ns(), time.time_ns())
    before = session.account.recent_clocks(now)
    if before is None:
        before = read_thread_clocks(pid, THREADS_READ_MAX)
    window = attachment.sample(window_s)
    after = read_thread_clocks(pid, THREADS_READ_MAX)
    names: dict[int, str] = {}
    if window.python_threads:
        others = (thread for thread in after.keys() - window.python_threads if after[thread] > before.get(thread, 0))
        names = _read_names(pid, sorted(others))
    seen = Seen(
        samples=window.samples,
        period_ns=window.period_ns,
        clocks_before=before,
        clocks_after=after,
        python_threads=window.python_threads,
        names=names,
        quality=_quality(window),
    )
    return window, seen


def _quality(window: Window) -> dict[str, int]:
    """Return how a window was sampled, for its profile."""
    known = {semconv.WINDOW_LOOKS: window.ticks, semconv.WINDOW_SAMPLED_NS: window.duration_ns} if window.ticks else {}
    return known | {
        semconv.WINDOW_LATE: window.late,
        semconv.WINDOW_LOST: window.lost,
        semconv.WINDOW_ERRORS: window.errors,
        semconv.WINDOW_UNSTABLE: window.unstable,
        semconv.WINDOW_CUT: window.cut,
    }


def _read_names(pid: int, threads: list[int]) -> dict[int, str]:
    """Return the kernel's names of threads, numbers at their ends cut off, and a bounded number of names."""
    names: dict[int, str] = {}
    known: set[str] = set()
    for thread in threads:
        text = read_start(f"/proc/{pid}/task/{thread}/comm", 64).decode("utf-8", "replace").rstrip("\n")
        name = _NUMBERED.sub("", text)
        if name not in known and len(known) >= _NAMES_MAX:
            name = _OTHERS
        known.add(name)
        names[thread] = name
    return names
