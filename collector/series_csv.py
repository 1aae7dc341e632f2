"""Series from a CSV file that anybody wrote: what can be read is read, and what cannot is named by its line."""

import csv
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TextIO

import numpy as np

from collector.detect.series import Series
from pyrometer.errors import ConfigError
from pyrometer.text import printable
from pyrometer.units import NS_PER_S

# 24 bytes a row are kept: under 1.3 GB at the most.
ROWS_MAX: Final = 50_000_000
SERIES_MAX: Final = 1_000_000
LINE_LENGTH_MAX: Final = 65_536
# Broken rows beyond these are counted, not named.
BROKEN_NAMED_MAX: Final = 1000
# Nanoseconds since the epoch in 64 bits: the years 1678 to 2261.
_SECONDS_MAX: Final = 9_200_000_000
_REQUIRED: Final = ("series", "timestamp", "value")
_MISSING: Final = frozenset({"", "nan", "null", "none", "na"})
_SHOWN: Final = 60


@dataclass(slots=True)
class _Rows:
    times_ns: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    weights: "array[float]" = field(default_factory=lambda: array("d"))
    has_dates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenRow:
    """A row that was left out: its line, counted from 1, and why."""

    line: int
    reason: str


class SeriesCsv:
    """
    What one CSV file holds.

    Attributes:
        broken: The first rows that could not be read.
        n_broken: How many rows could not be read.
    """

    def __init__(self, source: TextIO, *, rows_max: int = ROWS_MAX) -> None:
        """
        Read all of it.

        Raises:
            ConfigError: The columns are not there, or a limit is exceeded.
        """
        self.broken: list[BrokenRow] = []
        self.n_broken = 0
        self._rows: dict[str, _Rows] = {}
        self._rows_max = rows_max
        lines = _lines(source)
        self._places, self._weight_place = _columns(lines)
        self._read(lines)

    def series(self) -> Iterator[Series]:
        """Yield the series in the order in which they first appear."""
        for name, rows in self._rows.items():
            yield Series(
                name=name,
                times_ns=np.frombuffer(rows.times_ns, dtype=np.int64),
                values=np.frombuffer(rows.values, dtype=np.float64),
                weights=np.frombuffer(rows.weights, dtype=np.float64) if rows.weights else None,
            )

    def has_dates(self, name: str) -> bool:
        """Return whether the series had RFC 3339 times, rather than seconds since the epoch."""
        return self._rows[name].has_dates

    def _read(self, lines: Iterator[tuple[int, str | None]]) -> None:
        n_rows = 0
        for number, line in lines:
            if line is not None and not line.strip():
                continue
            try:
                self._take(line)
            except ValueError as error:
                self._leave_out(number, str(error))
                continue
            n_rows += 1
            if n_rows > self._rows_max:
                raise ConfigError(f"more than {self._rows_max:,} rows; split the file by series")

    def _take(self, line: str | None) -> None:
        if line is None:
            raise ValueError(f"longer than {LINE_LENGTH_MAX:,} characters")
        cells = _cells(line)
        try:
            name, timestamp, text = (cells[place] for place in self._places)
            weight_text = "" if self._weight_place is None else cells[self._weight_place]
        except IndexError:
            raise ValueError(f"{len(cells)} cells, fewer than columns") from None
        time_ns, is_date = _time_ns(timestamp)
        value = _number(text, "value")
        weight = None if self._weight_place is None else _weight(weight_text)
        rows = self._rows.get(name)
        if rows is None:
            if len(self._rows) >= SERIES_MAX:
                raise ConfigError(f"more than {SERIES_MAX:,} series; split the file")
            rows = self._rows[name] = _Rows()
        rows.times_ns.append(time_ns)
        rows.values.append(value)
        rows.has_dates = rows.has_dates or is_date
        if weight is not None:
            rows.weights.append(weight)

    def _leave_out(self, line: int, reason: str) -> None:
        self.n_broken += 1
        if len(self.broken) < BROKEN_NAMED_MAX:
            self.broken.append(BrokenRow(line=line, reason=reason))


def _lines(source: TextIO) -> Iterator[tuple[int, str | None]]:
    """Yield each line with its number from 1; None stands for one that is too long."""
    number = 0
    while line := source.readline(LINE_LENGTH_MAX):
        number += 1
        if len(line) < LINE_LENGTH_MAX or line.endswith("\n"):
            yield number, line
            continue
        while (rest := source.readline(LINE_LENGTH_MAX)) and not rest.endswith("\n"):
            pass
        yield number, None


def _columns(lines: Iterator[tuple[int, str | None]]) -> tuple[tuple[int, int, int], int | None]:
    first = next(lines, (1, ""))[1] or ""
    names = [cell.strip().lower() for cell in _cells(first)]
    absent = [name for name in _REQUIRED if name not in names]
    if absent:
        raise ConfigError(
            f"the first line has no column {', '.join(absent)}: it must name series, timestamp, value, and may name "
            f"weight; it is {printable(first.strip(), _SHOWN)!r}"
        )
    series, timestamp, value = (names.index(name) for name in _REQUIRED)
    return (series, timestamp, value), names.index("weight") if "weight" in names else None


def _cells(line: str) -> list[str]:
    if '"' not in line:
        return line.rstrip("\r\n").split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from None


def _time_ns(text: str) -> tuple[int, bool]:
    """Return nanoseconds since the epoch, and whether the text was a date."""
    text = text.strip()
    try:
        seconds = int(text) if text.isdecimal() else float(text)
    except ValueError:
        return _date_ns(text), True
    if not abs(seconds) < _SECONDS_MAX:
        raise ValueError(f"timestamp {printable(text, _SHOWN)!r}: not within the years 1678 to 2261 in epoch seconds")
    whole = math.floor(seconds)
    return whole * NS_PER_S + round((seconds - whole) * NS_PER_S), False


def _date_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        # A date without an offset is UTC.
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"timestamp {printable(text, _SHOWN)!r}: neither RFC 3339 nor epoch seconds") from None
    if not abs(seconds) < _SECONDS_MAX:
        raise ValueError(f"timestamp {printable(text, _SHOWN)!r}: not within the years 1678 to 2261")
    # Microseconds are exact in the float; what it adds below them is not.
    return round(seconds * 1_000_000) * 1000


def _number(text: str, column: str) -> float:
    text = text.strip()
    if text.lower() in _MISSING:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{column} {printable(text, _SHOWN)!r}: not a number") from None


def _weight(text: str) -> float:
    weight = _number(text, "weight")
    if not 0 <= weight < math.inf:
        raise ValueError(f"weight {printable(text.strip(), _SHOWN)!r}: not a number of at least 0")
    return weight
