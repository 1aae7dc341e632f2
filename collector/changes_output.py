"""Changes as lines of JSON, as CSV, and as text for a person."""

import csv
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TextIO

from collector.detect.series import SeriesChange
from pyrometer.text import printable
from pyrometer.units import NS_PER_S

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_US: Final = 1000
COLUMNS: Final = ("series", "index", "timestamp", "before", "after", "low", "high", "p", "direction", "state")


def row_of(change: SeriesChange, *, has_dates: bool) -> dict[str, Any]:
    """Return the values of COLUMNS; the timestamp in the form in which the series had it."""
    return {
        "series": change.series,
        "index": change.index,
        "timestamp": timestamp(change.time_ns, has_dates=has_dates),
        "before": change.before,
        "after": change.after,
        "low": change.low,
        "high": change.high,
        "p": change.p,
        "direction": change.direction,
        "state": str(change.state),
    }


def timestamp(time_ns: int, *, has_dates: bool) -> str | int | float:
    """Return a time as RFC 3339 in UTC, or as seconds since the epoch."""
    if has_dates:
        moment = _EPOCH + timedelta(microseconds=time_ns // _NS_PER_US)
        return moment.isoformat().replace("+00:00", "Z")
    return time_ns // NS_PER_S if time_ns % NS_PER_S == 0 else time_ns / NS_PER_S


def write_json(rows: Iterable[dict[str, Any]], out: TextIO) -> None:
    """Write one object a line."""
    out.writelines(json.dumps(row, allow_nan=False) + "\n" for row in rows)


def write_csv(rows: Iterable[dict[str, Any]], out: TextIO) -> None:
    """Write a header and one line each."""
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def write_text(rows: Iterable[dict[str, Any]], out: TextIO) -> None:
    """Write one sentence each."""
    for row in rows:
        before, after = row["before"], row["after"]
        relative = f" ({100 * (after - before) / abs(before):+.1f}%)" if before else ""
        out.write(
            f"{printable(row['series'])}  {row['direction']} at {row['timestamp']} (point {row['index']}):  "
            f"{before:.6g} -> {after:.6g}{relative}, 95% interval {row['low']:+.3g} to {row['high']:+.3g}, "
            f"p {row['p']:.2g}, {row['state']}\n"
        )


WRITERS: Final[dict[str, Callable[[Iterable[dict[str, Any]], TextIO], None]]] = {
    "text": write_text,
    "json": write_json,
    "csv": write_csv,
}
