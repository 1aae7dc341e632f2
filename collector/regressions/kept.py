"""Tickets into the store and out of it."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from collector.events.event import stable_id
from collector.regressions.ticket import Found, Ticket
from collector.store.protocol import Store

Query = Callable[..., list[dict[str, Any]]]


def read_tickets(
    rows: Query,
    *,
    ticket_ids: Sequence[str] = (),
    services: Sequence[str] = (),
    states: Sequence[str] = (),
    only_open: bool = False,
    rows_max: int,
) -> list[Ticket]:
    """
    Return tickets as they are now: open ones first, the last to begin first.

    Args:
        rows: Runs a query of the store by its name.
        ticket_ids: Empty: of any id; *services* and *states* likewise.
        services: See there.
        states: See there.
        only_open: Leave out what is gone, resolved, or a false alarm.
        rows_max: Most tickets.
    """
    found = rows(
        "regressions",
        ticket_ids=list(ticket_ids),
        services=list(services),
        states=list(states),
        only_open=int(only_open),
        rows_max=rows_max,
    )
    return [msgspec.json.decode(row["content"], type=Ticket) for row in found]


def write_tickets(store: Store, tickets: Iterable[Ticket], *, written_ms: int) -> None:
    """Store tickets; those of the same ids are replaced."""
    written = [(ticket, msgspec.json.encode(ticket).decode()) for ticket in tickets]
    if not written:
        return
    store.insert(
        "regressions",
        {
            "ticket_id": [ticket.ticket_id for ticket, _ in written],
            "service": [ticket.found.finding.key.service for ticket, _ in written],
            "state": [ticket.state.value for ticket, _ in written],
            "is_open": [ticket.is_open for ticket, _ in written],
            "began": [ticket.began_s for ticket, _ in written],
            "content": [content for _, content in written],
            "written": [written_ms] * len(written),
        },
        token=stable_id("regressions", str(written_ms), *(content for _, content in written)),
    )


def can_be_kept(found: Found) -> bool:
    """Return whether all numbers are finite: what is not cannot be written as JSON, and says nothing."""
    finding = found.finding
    numbers = (finding.before, finding.after, finding.low, finding.high, finding.p_value, finding.mde)
    prices = (found.price.middle, found.price.low, found.price.high) if found.price else ()
    return all(math.isfinite(number) for number in (*numbers, *prices))
