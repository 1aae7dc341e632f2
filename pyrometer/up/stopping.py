"""Turns the signals that ask a program to end into a value to look at, and wakes whoever waits."""

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_TOGETHER_S: Final = 0.5
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """
    Whether somebody asked us to stop, and how.

    Attributes:
        first: The first signal that asked; None while nobody did.
        insisted: Whether a later signal asked again: somebody does not want to wait. One that comes together with the
            first does not count, because make passes on what the whole process group got already.
    """

    def __init__(self, wakeup: int) -> None:
        self.first: signal.Signals | None = None
        self.insisted = False
        self._asked_at = 0.0
        self._wakeup = wakeup

    def ask(self, number: int, _frame: FrameType | None = None) -> None:
        """Note a signal."""
        now = time.monotonic()
        if self.first is None:
            self.first, self._asked_at = signal.Signals(number), now
        elif now - self._asked_at > _TOGETHER_S:
            self.insisted = True

    def wait(self, timeout_s: float) -> None:
        """Wait until a signal arrives, the end of a child (SIGCHLD) included, at most *timeout_s*."""
        readable, _, _ = select.select([self._wakeup], [], [], timeout_s)
        if readable:
            os.read(self._wakeup, 4096)

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C; a program that was asked to end by SIGTERM or SIGHUP, and did, succeeded."""
        return 130 if self.first is signal.SIGINT else 0


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Collect signals while the block runs; the main thread only. Those that ask to stop are ignored once one did."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    request = StopRequest(reader)
    before = {number: signal.signal(number, request.ask) for number in _SIGNALS}
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _ignore)
    old_wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield request
    finally:
        signal.set_wakeup_fd(old_wakeup)
        for number, handler in before.items():
            # Who was asked to stop is about to exit: one Ctrl-C more must not turn that into a traceback.
            signal.signal(number, signal.SIG_IGN if request.first and number in _SIGNALS else handler)
        os.close(reader)
        os.close(writer)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing; that a handler exists is what makes the signal wake us."""
