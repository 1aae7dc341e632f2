"""``/events``: what was done to services, told by people, pipelines, and by the releases themselves."""

from collector.api.context import Context
from collector.api.parameters import EventsQuery, NoQuery
from collector.api.posted import Posted
from collector.api.problems import bad_parameter
from collector.api.times import parse_moment
from collector.events.event import Event, event_of, read_events, write_event
from pyrometer.api_events import EventBody, EventRow, EventsAnswer, EventStored
from pyrometer.units import NS_PER_MS, format_time

_MS_PER_S = 1000


def events(context: Context, query: EventsQuery) -> EventsAnswer:
    """Answer ``GET /events``."""
    span = context.span(query)
    found = read_events(
        context.rows,
        services=[] if query.service is None else [query.service],
        kinds=[] if query.kind is None else [query.kind],
        versions=[],
        **span.in_milliseconds(),
        rows_max=min(query.limit, context.limits.rows_max),
    )
    return EventsAnswer(range=span.answer(), events=[event_row(event) for event in found])


def post_event(context: Context, _: NoQuery, posted: Posted) -> EventStored:
    """Answer ``POST /events``."""
    return store_event(context, posted.content)


def store_event(context: Context, body: EventBody) -> EventStored:
    """
    Store what was told of.

    Raises:
        ProblemError: If its time cannot be read.
    """
    now_ms = context.now_ns() // NS_PER_MS
    event = event_of(body, now_ms if body.time is None else _milliseconds(context, body.time))
    write_event(context.store, event, received_ms=now_ms)
    return EventStored(id=event.event_id)


def event_row(event: Event) -> EventRow:
    """Return an event as answers show it."""
    return EventRow(
        id=event.event_id,
        kind=event.kind,
        service=event.service,
        environment=event.environment,
        version=event.version,
        time=format_time(event.time_ms * NS_PER_MS),
        title=event.title,
        text=event.text,
        url=event.url,
        source=event.source,
        commits=list(event.commits),
        functions=list(event.functions),
    )


def _milliseconds(context: Context, time: str) -> int:
    if not time:
        raise bad_parameter("time", "must be RFC 3339, or absent for now")
    return round(parse_moment(time, context.now_s, "time") * _MS_PER_S)
