"""
The findings of a scan and the tickets that there are, to the tickets that there are then.

Nothing here looks at a clock or a database, and nothing is counted twice: the same scan again changes nothing, in
whatever order its findings come. So two collectors that scan the same data come to the same tickets.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from collector.detect.finding import Finding, FindingState
from collector.events.event import stable_id
from collector.regressions.ticket import BY_PEOPLE, OF_FINDING, Found, Step, Ticket, TicketState, subject_of

# Changes of one subject within this are one change: seconds, and steps of the coarser series.
_SAME_TIME_S: Final = 3600
_SAME_TIME_STEPS: Final = 6
# A change that takes back this much of an earlier one ends it.
_TAKEN_BACK: Final = 0.5
# A change this near to a planned one is planned.
_PLANNED_S: Final = 3600
_HISTORY_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """
    What one scan of one service found.

    Attributes:
        service: Whose series.
        start_s: Changes were sought from here on, Unix seconds.
        until_s: Until when the data went.
        found: Regressions, improvements and cost shifts.
        releases: The two that were compared, baseline first; None where none were.
        planned_s: When changes of capacity were planned, Unix seconds.
    """

    service: str
    start_s: int
    until_s: int
    found: Sequence[Found]
    releases: tuple[str, str] | None = None
    planned_s: Sequence[int] = ()


def merge(scan: Scan, known: Iterable[Ticket]) -> list[Ticket]:
    """
    Return the tickets of a service after a scan, by id.

    Args:
        scan: Of that service.
        known: Its tickets before.
    """
    tickets = {ticket.ticket_id: ticket for ticket in known}
    changes = _changes(scan.found)
    matches = _matches(changes, tickets.values())
    found_again: set[str] = set()
    for number, change in enumerate(changes):
        ticket = matches.get(number)
        updated = _new(scan, change) if ticket is None else _again(scan, ticket, change)
        tickets[updated.ticket_id] = updated
        found_again.add(updated.ticket_id)
    for ticket in list(tickets.values()):
        note = _gone(scan, ticket, found_again=ticket.ticket_id in found_again)
        if note:
            tickets[ticket.ticket_id] = _moved(ticket, TicketState.GONE, scan.until_s, note=note)
    return sorted(tickets.values(), key=lambda ticket: ticket.ticket_id)


def change_state(ticket: Ticket, state: TicketState, *, time_s: int, by: str, note: str) -> Ticket:
    """Return a ticket in the state that a person gives it."""
    return _moved(ticket, state, time_s, by=by, note=note)


@dataclass(frozen=True, slots=True)
class _Change:
    """
    What changed at one time for one subject.

    Attributes:
        subject: As a ticket's.
        best: What says most about it.
        release: With which release it came; None where that is not known.
        kinds: All quantities that were found.
    """

    subject: tuple[str, ...]
    best: Found
    release: str | None
    kinds: tuple[str, ...]

    @property
    def time_s(self) -> int:
        """When, Unix seconds."""
        return self.best.finding.time_s

    def fits(self, ticket: Ticket) -> tuple[bool, int] | None:
        """Return how well a ticket fits, the least the best: of the same release, or near in time; None: not at all."""
        if self.subject != ticket.subject:
            return None
        apart_s = abs(ticket.began_s - self.time_s)
        if self.release is not None and ticket.release is not None:
            return (False, apart_s) if self.release == ticket.release else None
        return (True, apart_s) if apart_s <= _reach_s(self.best.finding, ticket.found.finding) else None


def _changes(found: Iterable[Found]) -> list[_Change]:
    """Return what is worse: quantities of one subject that changed with one release, or together, are one change."""
    worse = [one for one in found if one.finding.is_worse and one.finding.state in OF_FINDING]
    groups: list[list[Found]] = []
    for one in sorted(worse, key=_place):
        group = next((group for group in reversed(groups) if _belongs(one.finding, group[0].finding)), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return [_change(group) for group in groups]


def _change(group: Sequence[Found]) -> _Change:
    best = max(group, key=_importance)
    kinds = tuple(sorted({one.finding.key.kind.value for one in group}))
    return _Change(subject_of(best.finding.key), best, group[0].finding.candidate_version, kinds)


def _belongs(one: Finding, first: Finding) -> bool:
    if subject_of(one.key) != subject_of(first.key):
        return False
    if one.candidate_version is not None:
        return one.candidate_version == first.candidate_version
    return abs(one.time_s - first.time_s) <= _reach_s(one, first)


def _reach_s(first: Finding, second: Finding) -> int:
    return max(_SAME_TIME_S, _SAME_TIME_STEPS * max(first.step_s, second.step_s))


def _place(one: Found) -> tuple[tuple[str, ...], bool, str, int, str, float]:
    """Order releases before what was found over time: these then gather what is near them."""
    finding = one.finding
    version = finding.candidate_version
    return (
        subject_of(finding.key), version is None, version or "", finding.time_s, finding.key.kind.value, finding.effect
    )  # fmt: skip


def _importance(one: Found) -> tuple[bool, float, float, str]:
    """Order what was found of one subject: what costs most, then the largest relative change; names decide the rest."""
    relative = one.finding.relative
    price = one.price.middle if one.price else 0.0
    return one.price is not None, price, float("inf") if relative is None else abs(relative), one.finding.key.kind.value


def _matches(changes: Sequence[_Change], tickets: Iterable[Ticket]) -> dict[int, Ticket]:
    """
    Return the ticket of each change that has one, by the change's number; no ticket has two.

    The best fits come first; what is left opens the last ticket of its subject again that had ended before it.
    """
    tickets = sorted(tickets, key=lambda ticket: ticket.ticket_id)
    fits = [
        (fit, ticket.ticket_id, number, ticket)
        for ticket in tickets
        for number, change in enumerate(changes)
        if (fit := change.fits(ticket)) is not None
    ]
    matches: dict[int, Ticket] = {}
    taken: set[str] = set()
    for _, ticket_id, number, ticket in sorted(fits, key=lambda each: each[:3]):
        if number not in matches and ticket_id not in taken:
            matches[number] = ticket
            taken.add(ticket_id)
    for number, change in enumerate(changes):
        ended = [each for each in tickets if each.ticket_id not in taken and _can_reopen(each, change)]
        if number not in matches and ended:
            matches[number] = max(ended, key=lambda ticket: (ticket.began_s, ticket.ticket_id))
            taken.add(matches[number].ticket_id)
    return matches


def _can_reopen(ticket: Ticket, change: _Change) -> bool:
    # What people call a false alarm is not opened again: what comes later is another ticket.
    has_ended = ticket.state in (TicketState.GONE, TicketState.RESOLVED)
    return has_ended and ticket.subject == change.subject and change.time_s > ticket.history[-1].time_s


def _new(scan: Scan, change: _Change) -> Ticket:
    finding = change.best.finding
    # The release says better than the time which change it is: another scan may have seen another start of it.
    when = f"time {finding.time_s}" if change.release is None else f"release {change.release}"
    ticket = Ticket(
        ticket_id=stable_id("regression", *change.subject, when),
        began_s=finding.time_s,
        release=change.release,
        found=change.best,
        kinds=change.kinds,
        history=(Step(scan.until_s, OF_FINDING[finding.state]),),
    )
    if any(abs(planned_s - finding.time_s) <= _PLANNED_S for planned_s in scan.planned_s):
        return _moved(ticket, TicketState.PLANNED, scan.until_s, note="a change of capacity was planned then")
    return ticket


def _again(scan: Scan, ticket: Ticket, change: _Change) -> Ticket:
    """Return a ticket whose change was found again, or that another change opens again."""
    state = OF_FINDING[change.best.finding.state]
    updated = replace(ticket, found=change.best, kinds=tuple(sorted({*ticket.kinds, *change.kinds})))
    if change.fits(ticket) is None:
        updated = replace(updated, began_s=change.time_s, release=change.release)
        return _moved(updated, state, scan.until_s, note="came back")
    updated = replace(updated, release=ticket.release or change.release)
    if not ticket.is_open:
        if ticket.state in BY_PEOPLE or _taken_back(scan, ticket):
            return ticket
        return _moved(updated, state, scan.until_s, note="found again")
    if ticket.state in BY_PEOPLE or (ticket.state, state) == (TicketState.CONFIRMED, TicketState.PROVISIONAL):
        return updated
    return _moved(updated, state, scan.until_s)


def _gone(scan: Scan, ticket: Ticket, *, found_again: bool) -> str:
    """Return why a ticket's regression is gone; empty where it is not known to be."""
    finding = ticket.found.finding
    if not ticket.is_open or finding.key.service != scan.service:
        return ""
    if taken := _taken_back(scan, ticket):
        return f"went back {taken}"
    if ticket.state is not TicketState.PROVISIONAL or found_again:
        return ""
    looked_again = (
        scan.start_s <= ticket.began_s < scan.until_s
        if finding.candidate_version is None
        else scan.releases == (finding.baseline_version, finding.candidate_version)
    )
    return "not found again with more data" if looked_again else ""


def _taken_back(scan: Scan, ticket: Ticket) -> str:
    """Return with what a regression went back; empty where nothing took it back."""
    last = ticket.found.finding
    for one in sorted(scan.found, key=_place):
        finding = one.finding
        if (
            finding.key == last.key
            and not finding.is_worse
            and finding.state is not FindingState.NOT_ENOUGH_DATA
            and finding.time_s > ticket.began_s
            and abs(finding.effect) >= _TAKEN_BACK * abs(last.effect)
        ):
            return "over time" if finding.candidate_version is None else f"with {finding.candidate_version}"
    return ""


def _moved(ticket: Ticket, state: TicketState, time_s: int, *, by: str = "scan", note: str = "") -> Ticket:
    if ticket.state is state:
        return ticket
    history = (*ticket.history, Step(time_s, state, by, note))
    return replace(ticket, history=history if len(history) <= _HISTORY_MAX else (history[0], *history[2:]))
