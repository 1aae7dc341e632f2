"""Ctrl-C and SIGTERM as a wish that is looked at when it suits, so that what was recorded is still written."""

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType
from typing import Final

# timeout(1) and some supervisors send a signal to the process and at once to its whole group.
ECHO_NS: Final = 500_000_000
_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """
    The signals received so far.

    Attributes:
        received: In order; the handler only appends to it, as a handler may take no lock.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        self._last_ns = 0

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal; a second Ctrl-C ends the program as usual, unless it is an echo of the first."""
        now_ns = time.monotonic_ns()
        if number == signal.SIGINT and self.received and now_ns - self._last_ns > ECHO_NS:
            raise KeyboardInterrupt
        self.received.append(number)
        self._last_ns = now_ns

    @property
    def first(self) -> int | None:
        """The signal that came first."""
        return self.received[0] if self.received else None


@contextlib.contextmanager
def noted_interrupts() -> Iterator[Interrupts]:
    """Note signals, in place of ending, until the end of the block; only in the main thread."""
    interrupts = Interrupts()
    # A signal our parent had us ignore (nohup) stays ignored.
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    handled = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    for number in handled:
        signal.signal(number, interrupts.note)
    try:
        yield interrupts
    finally:
        for number in handled:
            signal.signal(number, before[number])
