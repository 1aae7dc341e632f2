"""Tells the collector of the deploy of the second release, as a pipeline does with ``pyrometer deploy mark``."""

import inspect
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from pyrometer.api_events import EventBody, TouchedFunction
from pyrometer.client import CollectorClient
from pyrometer.demo.checkout import apply_discounts
from pyrometer.demo.orders import Ledger
from pyrometer.demo.releases import CANDIDATE
from pyrometer.demo.tracing import SERVICE_NAME
from pyrometer.errors import PyrometerError
from pyrometer.units import format_time

_TIMEOUT_S: Final = 5.0
# What its commits would have changed: where the two regressions are planted.
_TOUCHED: Final[tuple[Callable[..., Any], ...]] = (apply_discounts, Ledger.answer_time_s)
_COMMITS: Final = ("Try the discounts of all partners on every line", "Look up orders in the archive too")
_REPOSITORY: Final = Path(__file__).resolve().parent.parent.parent


def tell_of_rollout(collector: str) -> None:
    """Tell a collector of the deploy; where it does not take it, say so and go on: the demo runs without."""
    try:
        CollectorClient(collector, _TIMEOUT_S).post_event(rollout_event())
    except PyrometerError as error:
        click.echo(f"the deploy of {CANDIDATE.version} was not told of: {error}", err=True)


def rollout_event() -> EventBody:
    """Return the deploy of the second release."""
    return EventBody(
        kind="deploy",
        service=SERVICE_NAME,
        version=CANDIDATE.version,
        time=format_time(time.time_ns()),
        title="Partners' discounts, archived orders",
        source="demo",
        # Started again, it is the same deploy.
        id=f"demo-{CANDIDATE.version}",
        commits=list(_COMMITS),
        functions=[_touched(function) for function in _TOUCHED],
    )


def _touched(function: Callable[..., Any]) -> TouchedFunction:
    lines, first = inspect.getsourcelines(function)
    path = Path(inspect.getsourcefile(function) or "").resolve()
    return TouchedFunction(
        function=function.__qualname__,
        file=path.relative_to(_REPOSITORY).as_posix(),
        first_line=first,
        last_line=first + len(lines) - 1,
    )
