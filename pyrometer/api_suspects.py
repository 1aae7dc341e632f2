"""Suspects in the query API: which change is behind a regression."""

import msgspec

from pyrometer.api import TimeRange
from pyrometer.api_events import EventRow, TouchedFunction


class SuspectRow(msgspec.Struct, kw_only=True):
    """
    One change.

    ``confidence`` is a score from 0 to 1, no probability. ``explained`` is the part of the function's increase that
    lies in stacks with something the change touched; null where it is not known. ``touched`` is what it touched that
    has to do with the function; ``event.functions`` is empty here.
    """

    event: EventRow
    confidence: float
    explained: float | None
    touched: list[TouchedFunction]
    evidence: list[str]


class SuspectsAnswer(msgspec.Struct, kw_only=True):
    """Answer of ``GET /suspects``, the likeliest first; ``events`` is how many changes were weighed."""

    range: TimeRange
    service: str
    baseline: str
    candidate: str
    confidence_min: float
    events: int
    suspects: list[SuspectRow]
    notes: list[str]
