"""What the supervisor says: one line per event, and on a terminal a live list of what is not ready yet."""

from collections.abc import Iterable
from typing import Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from pyrometer.up.plan import Part


class Reporter(Protocol):
    """Shows a person what happens."""

    def line(self, text: str) -> None:
        """Say something that stays."""

    def waiting(self, parts: Iterable[tuple[Part, float]]) -> None:
        """Show the parts that are not ready, each with the seconds since its start."""

    def close(self) -> None:
        """Leave the terminal tidy."""


def ready_line(part: Part, seconds: float) -> str:
    """Return the line that says a part is ready and where."""
    return f"{part.name:<11} {part.address or '-':<22} ready in {seconds:.1f} s"


def reporter_for(stream: TextIO) -> Reporter:
    """Return the live display on a terminal, plain lines elsewhere."""
    console = Console(file=stream)
    return TerminalReporter(console) if console.is_terminal and not console.is_dumb_terminal else PlainReporter(stream)


class PlainReporter:
    """Plain lines, each written out at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def line(self, text: str) -> None:
        """Write a line."""
        print(text, file=self._stream, flush=True)

    def waiting(self, parts: Iterable[tuple[Part, float]]) -> None:
        """Say nothing: a log file wants events, not progress."""

    def close(self) -> None:
        """Do nothing."""


class TerminalReporter:
    """A spinner for each part that is not ready, below the lines that stay."""

    def __init__(self, console: Console) -> None:
        self._console = console
        # No refresh thread: children must be started by a process without threads.
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._spinners: dict[str, Spinner] = {}

    def line(self, text: str) -> None:
        """Print a line above the display; log lines may hold markup, which is shown as it is."""
        self._console.print(Text(text), soft_wrap=True)

    def waiting(self, parts: Iterable[tuple[Part, float]]) -> None:
        """Draw the display again, or remove it when nothing is waited for."""
        rows = []
        for part, seconds in parts:
            spinner = self._spinners.setdefault(part.name, Spinner("dots"))
            spinner.update(text=Text(f"{part.name:<11} {part.address:<22} starting, {seconds:.0f} s", style="dim"))
            rows.append(spinner)
        if not rows:
            self._live.stop()
            return
        self._live.start()
        self._live.update(Group(*rows), refresh=True)

    def close(self) -> None:
        """Remove the display and show the cursor again."""
        self._live.stop()
