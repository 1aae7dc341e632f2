"""One watched process: its account, its attachment, and taking one window of it."""

import logging
import threading
from dataclasses import dataclass

from agent.accounting import Account, Seen
from agent.procfs import read_thread_clocks
from agent.reader.engine import Attachment, Engine, Window
from agent.targets import PythonProcess
from pyrometer.errors import PyrometerError, TargetNotFoundError

_LOG = logging.getLogger(__name__)
THREADS_READ_MAX = 1024

Outcome = Seen | PyrometerError


class Session:
    """One watched process: its account, the attachment of the engine, and its failures."""

    def __init__(self, process: PythonProcess, account: Account, thread_clocks: dict[int, int] | None) -> None:
        """
        Begin to watch.

        Args:
            process: Which.
            account: Its CPU time.
            thread_clocks: Of its threads where the account's open window begins; None where they were not read.
        """
        self.process = process
        self.account = account
        self.thread_clocks = thread_clocks
        self.in_flight = False
        self.failures = 0
        self.retry_at_ns = 0
        self._lock = threading.Lock()
        self._attachment: Attachment | None = None
        self._closed = False

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
        return attachment

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


def take_window(session: Session, engine: Engine) -> Done:
    """Block for one window, and return what came of it; it runs in a thread of its own and never raises."""
    target = session.process.target
    window: Window | None = None
    outcome: Outcome
    try:
        attachment = session.attach(engine)
        before = session.thread_clocks
        if before is None:
            before = read_thread_clocks(target.pid, THREADS_READ_MAX)
        window = attachment.sample()
        after = read_thread_clocks(target.pid, THREADS_READ_MAX)
        outcome = Seen(window.samples, window.period_ns, before, after)
    except PyrometerError as error:
        outcome = error
    except Exception as error:  # noqa: BLE001 (a defect of an engine must not end the watch)
        _LOG.debug("engine %s failed on process %d", engine.name, target.pid, exc_info=True)
        outcome = PyrometerError(f"engine {engine.name}: {type(error).__name__}: {error}")
    return Done(session, outcome, window)
