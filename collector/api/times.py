"""Times as people write them in a query: ``-15m``, ``now``, ``now-1d``, or RFC 3339."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from collector.api.problems import bad_parameter
from pyrometer.api import TimeRange
from pyrometer.units import NS_PER_S, format_time

# Roll-ups are kept in buckets of this length; a range is widened to whole buckets, so that all routes agree.
BUCKET_S: Final = 10
_RELATIVE: Final = re.compile(r"(?:now)?(?:-(\d{1,9})(s|m|h|d|w))?", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_RULE: Final = "must be RFC 3339 with an offset, such as 2026-01-31T12:00:00Z, or relative, such as -15m, -2h, -7d, now"
# 2000 to 2100: what the columns of the store can hold, with room.
_EARLIEST_S: Final = 946_684_800
_LATEST_S: Final = 4_102_444_800


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of time [start_s, end_s), Unix seconds, both multiples of 10."""

    start_s: int
    end_s: int

    @property
    def seconds(self) -> int:
        """The length of the range."""
        return self.end_s - self.start_s

    def in_seconds(self) -> dict[str, int]:
        """Return the parameters of queries on roll-ups."""
        return {"start_s": self.start_s, "end_s": self.end_s}

    def in_milliseconds(self) -> dict[str, int]:
        """Return the parameters of queries on samples and metric points."""
        return {"start_ms": self.start_s * 1000, "end_ms": self.end_s * 1000}

    def answer(self) -> TimeRange:
        """Return the range as answers show it."""
        return TimeRange(start=unix_time(self.start_s), end=unix_time(self.end_s))


def unix_time(seconds: float) -> str:
    """Return Unix seconds as RFC 3339."""
    return format_time(int(seconds * NS_PER_S))


def parse_span(start: str, end: str, *, now_s: float, days_max: int, names: tuple[str, str] = ("start", "end")) -> Span:
    """
    Return the range between two times, widened to whole buckets.

    Raises:
        ProblemError: If a time cannot be read, or the range is empty or too long.
    """
    start_s, end_s = parse_moment(start, now_s, names[0]), parse_moment(end, now_s, names[1])
    if start_s >= end_s:
        raise bad_parameter(names[0], f"must be before {names[1]}")
    span = Span(int(start_s // BUCKET_S) * BUCKET_S, int(-(-end_s // BUCKET_S)) * BUCKET_S)
    if span.seconds > days_max * _SECONDS["d"] + 2 * BUCKET_S:
        raise bad_parameter(names[0], f"the range may be {days_max} days at most")
    return span


def parse_moment(text: str, now_s: float, name: str) -> float:
    """
    Return the Unix seconds of a time as people write it.

    Raises:
        ProblemError: Naming the parameter and the rule.
    """
    relative = _RELATIVE.fullmatch(text) if text else None
    if relative is not None:
        amount, unit = relative.groups()
        seconds = now_s - (int(amount) * _SECONDS[unit] if amount else 0)
    else:
        seconds = _parse_absolute(text, name)
    if not _EARLIEST_S <= seconds <= _LATEST_S:
        raise bad_parameter(name, "must lie between the years 2000 and 2100")
    return seconds


def _parse_absolute(text: str, name: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise bad_parameter(name, _RULE) from None
    if moment.tzinfo is None:
        raise bad_parameter(name, f"has no offset from UTC; it {_RULE}")
    try:
        return moment.timestamp()
    except (OverflowError, ValueError):
        raise bad_parameter(name, _RULE) from None
