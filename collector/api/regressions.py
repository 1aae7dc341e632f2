"""``/regressions``: what scans have found, one for each cause; and the scan that records it."""

from http import HTTPStatus
from typing import Final

from collector.api.context import Context
from collector.api.detect import ServiceScan, answer_of, finding_row, price_of, scan_service
from collector.api.parameters import DetectQuery, NoQuery, RegressionsQuery
from collector.api.posted import Posted
from collector.api.problems import ProblemError
from collector.api.times import unix_time
from collector.events.event import read_events
from collector.regressions.kept import can_be_kept, read_tickets, write_tickets
from collector.regressions.merge import Scan, change_state, merge
from collector.regressions.ticket import Found, Price, Ticket, TicketState
from pyrometer.api_detect import DetectAnswer
from pyrometer.api_regressions import RegressionBody, RegressionRow, RegressionsAnswer, StateRow
from pyrometer.units import NS_PER_MS

_EVENTS_MAX: Final = 200
# A change in the first eighth of a range has too little before it.
_NOT_SEARCHED: Final = 8
_MS_PER_S: Final = 1000
_SOMEBODY: Final = "somebody"


def regressions(context: Context, query: RegressionsQuery) -> RegressionsAnswer:
    """Answer ``GET /regressions``."""
    is_state = query.state not in ("open", "all")
    tickets = read_tickets(
        context.rows,
        services=[] if query.service is None else [query.service],
        states=[query.state] if is_state else [],
        only_open=query.state == "open",
        rows_max=min(query.limit, context.limits.rows_max),
    )
    return _answer(context, tickets)


def post_regression(context: Context, _: NoQuery, posted: Posted) -> RegressionsAnswer:
    """Answer ``POST /regressions``."""
    body: RegressionBody = posted.content
    with context.writing:
        found = read_tickets(context.rows, ticket_ids=[body.id], rows_max=1)
        if not found:
            raise ProblemError(HTTPStatus.NOT_FOUND, "there is no regression of this id; GET the same path lists them")
        state, by = TicketState(body.state), body.by or _SOMEBODY
        changed = change_state(found[0], state, time_s=int(context.now_s), by=by, note=body.note)
        _write(context, [changed])
    return _answer(context, [changed])


def post_detect(context: Context, query: DetectQuery, _: Posted) -> DetectAnswer:
    """Answer ``POST /detect``."""
    return answer_of(context, query, record_scan(context, query))


def record_scan(context: Context, query: DetectQuery) -> ServiceScan:
    """Scan a service and keep what was found."""
    found = scan_service(context, query)
    scan = _scan(context, query.service, found)
    with context.writing:
        known = read_tickets(context.rows, services=[query.service], rows_max=context.limits.rows_max)
        before = {ticket.ticket_id: ticket for ticket in known}
        _write(context, [each for each in merge(scan, known) if each != before.get(each.ticket_id)])
    return found


def _scan(context: Context, service: str, found: ServiceScan) -> Scan:
    planned = read_events(
        context.rows,
        services=[service],
        kinds=["capacity"],
        versions=[],
        **found.span.in_milliseconds(),
        rows_max=_EVENTS_MAX,
    )
    answer = found.releases.answer
    priced = (Found(finding, _price(context, found, number)) for number, finding in enumerate(found.kept))
    return Scan(
        service=service,
        start_s=_searched_from(found),
        until_s=found.span.end_s,
        found=[each for each in priced if can_be_kept(each)],
        releases=(answer.baseline, answer.candidate) if answer else None,
        planned_s=[event.time_ms // _MS_PER_S for event in planned],
    )


def _searched_from(found: ServiceScan) -> int:
    """Return from when on changes were sought; without enough of a history, none were."""
    grid, end_s = found.over_time.grid, found.span.end_s
    return grid.start_s + (end_s - grid.start_s) // _NOT_SEARCHED if grid else end_s


def _price(context: Context, found: ServiceScan, number: int) -> Price | None:
    price = price_of(context, found.kept[number], found.load)
    return Price(price.middle, price.low, price.high) if price else None


def _write(context: Context, tickets: list[Ticket]) -> None:
    write_tickets(context.store, tickets, written_ms=context.now_ns() // NS_PER_MS)


def _answer(context: Context, tickets: list[Ticket]) -> RegressionsAnswer:
    return RegressionsAnswer(currency=context.prices.currency, regressions=[_row(ticket) for ticket in tickets])


def _row(ticket: Ticket) -> RegressionRow:
    return RegressionRow(
        id=ticket.ticket_id,
        state=ticket.state.value,
        open=ticket.is_open,
        began=unix_time(ticket.began_s),
        release=ticket.release,
        kinds=list(ticket.kinds),
        finding=finding_row(ticket.found.finding, ticket.found.price),
        history=[
            StateRow(time=unix_time(step.time_s), state=step.state.value, by=step.by, note=step.note)
            for step in ticket.history
        ],
    )
