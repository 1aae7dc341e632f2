"""One event as the collector holds it, and its way into the store and out of it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from collector.store.protocol import Parameter, Store
from pyrometer.api_events import EventBody, EventKind, TouchedFunction

_ID_HEX: Final = 32

Query = Callable[..., list[dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    Something that was done to a service.

    Attributes:
        event_id: What it is recognised by when it is sent again.
        kind: What was done.
        service: To which service; empty: to all.
        environment: ``deployment.environment.name``; empty where it is not known.
        version: The release that a deploy brought.
        time_ms: When, Unix milliseconds.
        title: For people, as are *text* and *url*.
        source: How it came here: ``api``, ``git``, ``github``, ``gitlab``, a name of the sender's, or ``seen``.
        commits: Subjects of the commits that it brought.
        functions: Functions that it touched.
    """

    event_id: str
    kind: EventKind
    service: str
    environment: str = ""
    version: str = ""
    time_ms: int
    title: str = ""
    text: str = ""
    url: str = ""
    source: str = "api"
    commits: Sequence[str] = ()
    functions: Sequence[TouchedFunction] = ()


def event_of(body: EventBody, time_ms: int) -> Event:
    """Return the event that a request describes; its id is made of its content where none was given."""
    content = (body.kind, body.service, body.environment, body.version, body.title, body.source, str(time_ms))
    return Event(
        event_id=body.id or stable_id(*content),
        kind=body.kind,
        service=body.service,
        environment=body.environment,
        version=body.version,
        time_ms=time_ms,
        title=body.title,
        text=body.text,
        url=body.url,
        source=body.source,
        commits=body.commits,
        functions=body.functions,
    )


def stable_id(*parts: str) -> str:
    """Return what the same parts are always recognised by."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()[:_ID_HEX]


def write_event(store: Store, event: Event, *, received_ms: int) -> None:
    """Store an event; one of the same id is replaced."""
    touched = event.functions
    row: dict[str, Any] = {
        "event_id": event.event_id,
        "kind": event.kind,
        "service": event.service,
        "environment": event.environment,
        "version": event.version,
        "ts": event.time_ms,
        "title": event.title,
        "text": event.text,
        "url": event.url,
        "source": event.source,
        "commits": list(event.commits),
        "functions": [row.function for row in touched],
        "files": [row.file for row in touched],
        "first_lines": [row.first_line for row in touched],
        "last_lines": [row.last_line for row in touched],
        "touches": [row.touch for row in touched],
        "received": received_ms,
    }
    # The same content again after another of its id is not the same insert: the time makes the difference.
    token = stable_id("event", str(received_ms), repr(event))
    store.insert("events", {name: [value] for name, value in row.items()}, token=token)


def read_events(rows: Query, **parameters: Parameter) -> list[Event]:
    """
    Return the events of a range, the newest first.

    A release that is first seen in what it sends is an event too, unless a deploy of it was told of.

    Args:
        rows: Runs a query of the store by its name.
        parameters: Those of ``events.sql``.
    """
    return [_event(row) for row in rows("events", **parameters)]


def _event(row: dict[str, Any]) -> Event:
    touched = zip(row["functions"], row["files"], row["first_lines"], row["last_lines"], row["touches"], strict=True)
    return Event(
        event_id=row["event_id"] or f"seen-{stable_id(row['service'], row['version'])}",
        kind=row["kind"],
        service=row["service"],
        environment=row["environment"],
        version=row["version"],
        time_ms=row["time_ms"],
        title=row["title"],
        text=row["text"],
        url=row["url"],
        source=row["source"],
        commits=row["commits"],
        functions=[
            TouchedFunction(function=name, file=file, first_line=first, last_line=last, touch=touch)
            for name, file, first, last, touch in touched
        ],
    )
