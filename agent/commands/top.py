"""``pyrometer top``: which functions use the time of one process, live."""

import sys
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Final, Protocol

import click
from rich.console import Console
from rich.live import Live

from agent.adhoc.identify import identify, service_of
from agent.adhoc.interrupts import noted_interrupts
from agent.adhoc.keyboard import key_by_key, wait_for_key
from agent.adhoc.plan import Plan, PlannedEngine
from agent.adhoc.ranking import Order, Ranking
from agent.adhoc.reader import ProcessReader
from agent.adhoc.recording import Recorder
from agent.adhoc.top_view import KEYS, Heading, live_table, plain_table
from agent.adhoc.tree import TreeReader
from agent.commands.options import (
    blocking_option,
    engine_option,
    full_filenames_option,
    gil_option,
    idle_option,
    native_option,
    nonblocking_option,
    rate_option,
    required_pid_option,
    subprocesses_option,
)
from agent.reader.engine import Target, Window, find_target
from pyrometer.errors import TargetNotFoundError

_POLL_S: Final = 0.1
PLAIN_ROWS: Final = 20


@click.command("top")
@required_pid_option
@rate_option
@click.option("--delay", type=click.FloatRange(0.2, 3600), default=1.0, show_default=True, help="Seconds per refresh.")
@click.option("--iterations", type=click.IntRange(1), help="Refresh this often, then end.  [default: until q]")
@subprocesses_option
@click.option("-F", "--function", is_flag=True, help="Accepted as in py-spy; functions are never split by line here.")
@gil_option
@idle_option
@engine_option
@native_option
@blocking_option
@nonblocking_option
@full_filenames_option
def command(*, pid: int, delay: float, iterations: int | None, rate: int, function: bool, **plan_flags: Any) -> None:
    """
    Show which functions use the time of one Python process.

    Shares are of one CPU, over the last refresh; seconds are since the start. q or Ctrl-C ends it. Into a pipe it
    prints plain tables.
    """
    del function  # it is how the table is anyway
    plan = Plan(rate_hz=rate, **plan_flags)
    target = find_target(pid)
    if not sys.stdout.isatty():
        _watch(target, plan, delay, iterations, PlainView())
        return
    with key_by_key() as has_keys, Live(console=Console(), screen=True, auto_refresh=False) as live:
        _watch(target, plan, delay, iterations, LiveView(live, has_keys=has_keys))


class View(Protocol):
    """A way to show the table."""

    def show(self, heading: Heading, ranking: Ranking, order: Order) -> None:
        """Show it as it is now."""

    def key(self) -> str:
        """Return the key pressed within a short time, or an empty text."""


class LiveView:
    """One screen, drawn again each time."""

    def __init__(self, live: Live, *, has_keys: bool) -> None:
        self._live = live
        self._has_keys = has_keys

    def show(self, heading: Heading, ranking: Ranking, order: Order) -> None:
        """Redraw the screen."""
        width, height = self._live.console.size
        self._live.update(live_table(heading, ranking, order, width=width, height=height), refresh=True)

    def key(self) -> str:
        """Wait for a key."""
        return wait_for_key(_POLL_S, enabled=self._has_keys)


class PlainView:
    """Lines, one table after the other."""

    def show(self, heading: Heading, ranking: Ranking, order: Order) -> None:
        """Print the table."""
        if ranking.windows:
            click.echo(plain_table(heading, ranking, ranking.rows(order, PLAIN_ROWS)) + "\n")

    def key(self) -> str:
        """Wait as long as for a key."""
        return wait_for_key(_POLL_S, enabled=False)


def _watch(target: Target, plan: Plan, delay_s: float, iterations: int | None, view: View) -> None:
    """Read in a thread, and show each window when it is there, until the end."""
    ranking, order, stale = Ranking(), Order.SELF_SHARE, True
    heading = Heading(
        service=service_of(identify(target.pid)),
        pid=target.pid,
        rate_hz=plan.rate_hz,
        time_name="wall" if plan.idle else "CPU",
    )
    windows: SimpleQueue[Window] = SimpleQueue()
    open_reader = TreeReader if plan.subprocesses else ProcessReader
    recorder = Recorder(open_reader(PlannedEngine(plan), target, window_s=delay_s), target, duration_s=None)
    with noted_interrupts() as interrupts, ThreadPoolExecutor(1, "top") as pool:
        try:
            future = pool.submit(recorder.run, windows.put)
            while interrupts.first is None and (iterations is None or ranking.windows < iterations):
                if stale:
                    view.show(heading, ranking, order)
                ended = future.done()
                key = "" if ended else view.key()
                if key in ("q", "Q"):
                    return
                order, stale = KEYS.get(key, order), key in KEYS
                if not windows.empty():
                    ranking.add(windows.get())
                    stale = True
                elif ended:
                    future.result()
                    raise TargetNotFoundError(f"process {target.pid} has ended")
        finally:
            recorder.stop()
        if stale:
            view.show(heading, ranking, order)
