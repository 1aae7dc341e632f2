"""What is kept of a regression, and its states."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from collector.detect.finding import Finding, FindingState, SeriesKey


class TicketState(StrEnum):
    """
    How it stands with a regression.

    The scan sets the first four. People set the last four, and what they say stays: but what is gone or resolved is
    opened again when it comes back.
    """

    PROVISIONAL = "provisional"
    CONFIRMED = "confirmed"
    GONE = "gone"
    COST_SHIFT = "cost_shift"
    PLANNED = "planned"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    FALSE_POSITIVE = "false_positive"


# Nobody needs to look at these.
CLOSED: Final = frozenset({TicketState.GONE, TicketState.RESOLVED, TicketState.FALSE_POSITIVE})
BY_PEOPLE: Final = frozenset(
    {TicketState.PLANNED, TicketState.ACKNOWLEDGED, TicketState.RESOLVED, TicketState.FALSE_POSITIVE}
)
OF_FINDING: Final = {
    FindingState.PROVISIONAL: TicketState.PROVISIONAL,
    FindingState.CONFIRMED: TicketState.CONFIRMED,
    FindingState.GONE: TicketState.GONE,
    FindingState.COST_SHIFT: TicketState.COST_SHIFT,
}
BY_SCAN: Final = "scan"


@dataclass(frozen=True, slots=True)
class Price:
    """Of a month, with the ends of its interval."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Found:
    """A finding and what it costs a month; no price where there is none."""

    finding: Finding
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """
    One change of state.

    Attributes:
        time_s: Until when the data went that a scan had, or when a person said so; Unix seconds.
        state: From then on.
        by: ``scan``, or who.
        note: Why.
    """

    time_s: int
    state: TicketState
    by: str = BY_SCAN
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """
    One regression.

    Attributes:
        ticket_id: Stays, however often it is found.
        began_s: When the change was that it was made for, or that opened it again, Unix seconds.
        release: With which release it came; None where that is not known.
        found: What was found last of it.
        kinds: All that was found of its subject: neighbouring quantities of one function or operation.
        history: Its states, the oldest first; never empty.
    """

    ticket_id: str
    began_s: int
    release: str | None = None
    found: Found
    kinds: tuple[str, ...]
    history: tuple[Step, ...]

    @property
    def state(self) -> TicketState:
        """How it stands."""
        return self.history[-1].state

    @property
    def is_open(self) -> bool:
        """Whether somebody should look at it."""
        return self.state not in CLOSED

    @property
    def subject(self) -> tuple[str, ...]:
        """Whose regression it is, whatever was measured of it."""
        return subject_of(self.found.finding.key)


def subject_of(key: SeriesKey) -> tuple[str, ...]:
    """Return what a series is about: the function, operation, service or host, without what is measured of it."""
    return (key.service, key.environment, key.kind.partition(".")[0], key.name, key.detail)
