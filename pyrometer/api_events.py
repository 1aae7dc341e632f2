"""Events in the query API: what was done to services, by people and machines."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pyrometer.api import TimeRange

EventKind = Literal["deploy", "config", "flag", "capacity", "incident"]
# ``uses``: unchanged, and uses a value of its file that was changed.
Touch = Literal["added", "modified", "removed", "uses"]

FUNCTIONS_MAX = 5000
COMMITS_MAX = 200
NAME_CHARS_MAX = 1000
TEXT_CHARS_MAX = 65_536
URL_CHARS_MAX = 2000
_Name = Annotated[str, Meta(max_length=NAME_CHARS_MAX)]
_Line = Annotated[int, Meta(ge=0, le=2**31)]


class TouchedFunction(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A function that a change touched: name with its classes, file in the repository, first and last line."""

    function: Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]
    file: _Name = ""
    first_line: _Line = 0
    last_line: _Line = 0
    touch: Touch = "modified"


class EventBody(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """
    What ``POST /events`` takes.

    ``service`` is empty for what concerns all; a deploy names its own. ``time`` is RFC 3339 or relative (``-5m``), now
    when absent. An event sent again with the same ``id`` replaces itself; without one the id is made of the fields and
    of ``time``, so that naming the time makes repeating safe. ``commits`` are subjects; no field asks for source.
    """

    kind: EventKind
    service: Annotated[str, Meta(max_length=10_000)] = ""
    environment: _Name = ""
    version: Annotated[str, Meta(max_length=10_000)] = ""
    time: Annotated[str, Meta(max_length=64)] | None = None
    title: _Name = ""
    text: Annotated[str, Meta(max_length=TEXT_CHARS_MAX)] = ""
    url: Annotated[str, Meta(max_length=URL_CHARS_MAX, pattern=r"^(https?://[^\s]+)?$")] = ""
    source: Annotated[str, Meta(max_length=100, pattern="^(?!seen$)")] = "api"
    id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    commits: Annotated[list[_Name], Meta(max_length=COMMITS_MAX)] = []
    functions: Annotated[list[TouchedFunction], Meta(max_length=FUNCTIONS_MAX)] = []

    def __post_init__(self) -> None:
        """Refuse a deploy of nothing."""
        if self.kind == "deploy" and not self.service:
            raise ValueError("a deploy needs a `service`")


class EventStored(msgspec.Struct, kw_only=True):
    """Answer of ``POST /events``; ``id`` is empty where a webhook told of no event, and ``note`` says why."""

    id: str
    note: str = ""


class EventRow(msgspec.Struct, kw_only=True):
    """One event. ``source`` says how it came: ``seen`` is a release that was first seen in what it sent."""

    id: str
    kind: EventKind
    service: str
    environment: str
    version: str
    time: str
    title: str
    text: str
    url: str
    source: str
    commits: list[str]
    functions: list[TouchedFunction]


class EventsAnswer(msgspec.Struct, kw_only=True):
    """Answer of ``GET /events``, the newest first."""

    range: TimeRange
    events: list[EventRow]
