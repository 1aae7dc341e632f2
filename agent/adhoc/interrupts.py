"""Ctrl-C and SIGTERM as a wish that is looked at when it suits, so that what was recorded is still written."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Final

_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """
    The signals received so far.

    Attributes:
        received: In order; the handler only appends to it, as a handler may take no lock.
    """

    def __init__(self) -> None:
        self.received: list[int] = []

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal; the second Ctrl-C ends the program as usual."""
        self.received.append(number)
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

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
