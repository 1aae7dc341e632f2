"""What a person sees while a recording goes on: a bar on a terminal, a line otherwise, nothing with --quiet."""

import time
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from agent.adhoc.recording import Totals


class Display(Protocol):
    """Shows how a recording goes on, in a ``with`` block."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""

    def update(self, totals: Totals) -> None:
        """Show these numbers, and the time that has passed."""


class NoDisplay:
    """Shows nothing."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def update(self, totals: Totals) -> None:
        """Do nothing."""


class BarDisplay:
    """A bar where the duration is known, a spinner where it is not, and it is gone afterwards."""

    def __init__(self, console: Console, duration_s: float | None) -> None:
        first = SpinnerColumn() if duration_s is None else BarColumn(bar_width=30)
        text = TextColumn("{task.fields[elapsed]}  {task.fields[samples]} samples  {task.fields[quality]}")
        hint = TextColumn("Ctrl-C to stop and write", style="dim")
        self._duration_s = duration_s
        self._progress = Progress(first, text, hint, console=console, transient=True, refresh_per_second=4)
        self._started_s = time.monotonic()
        self._task = self._progress.add_task("", total=duration_s, elapsed="0.0 s", samples=0, quality="")

    def __enter__(self) -> Self:
        """Draw it."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe it."""
        self._progress.stop()

    def update(self, totals: Totals) -> None:
        """Redraw it."""
        elapsed_s = time.monotonic() - self._started_s
        of_total = "" if self._duration_s is None else f" of {self._duration_s:g} s"
        self._progress.update(
            self._task,
            completed=elapsed_s,
            elapsed=f"{elapsed_s:.1f} s{of_total}",
            samples=totals.samples,
            quality=_quality(totals),
        )


def _quality(totals: Totals) -> str:
    """Return how well the process is read: errors, and what the engine tells of rate and unstable stacks."""
    rate = f"  {totals.rate_hz:.0f} Hz  {totals.unstable_share:.1%} unstable" if totals.ticks else ""
    return f"{totals.errors} errors{rate}"
