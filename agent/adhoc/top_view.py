"""How the table of `top` looks, live and as plain text; hostile names can neither steer the terminal nor style it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.adhoc.ranking import Order, Ranking, Row
from pyrometer.text import printable

# Lines of the screen that are not functions: three above the table, its heading and rule, the keys.
LINES_AROUND: Final = 6
KEYS: Final[dict[str, Order]] = {
    "1": Order.SELF_SHARE,
    "2": Order.TOTAL_SHARE,
    "3": Order.SELF_TIME,
    "4": Order.TOTAL_TIME,
}
_HOT: Final = 0.25
_NAME_LENGTH_MAX: Final = 120
_FILE_WIDTH_MIN: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """
    What stands above the table.

    Attributes:
        service: What the process runs; hostile text.
        pid: Its id.
        rate_hz: Samples a second.
        time_name: What the shares are of: ``CPU`` or ``wall``.
    """

    service: str
    pid: int
    rate_hz: int
    time_name: str


def heading_line(heading: Heading, ranking: Ranking) -> str:
    """Return one line about the process and how well it is read."""
    lost = f", {ranking.lost} lost" if ranking.lost else ""
    threads = "1 thread" if ranking.threads == 1 else f"{ranking.threads} threads"
    return (
        f"{printable(heading.service)} (pid {heading.pid}): {heading.time_name} {ranking.busy_share:.0%}, "
        f"{threads} running; {ranking.samples} samples at {heading.rate_hz} Hz, {ranking.errors} errors{lost}"
    )


def live_table(heading: Heading, ranking: Ranking, order: Order, *, width: int, height: int) -> RenderableType:
    """Return the whole screen of this many columns and lines."""
    file_width = max(_FILE_WIDTH_MIN, width // 3)
    table = Table(box=None, expand=True, header_style="bold reverse", pad_edge=False)
    for title in ("self %", "total %", "self s", "total s"):
        table.add_column(title, justify="right", no_wrap=True, width=8)
    table.add_column("function", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("file", no_wrap=True, width=file_width)
    for row in ranking.rows(order, max(1, height - LINES_AROUND)):
        style = "bold" if row.self_share >= _HOT else "dim" if row.total_share == 0 else ""
        *others, file = cells(row)
        table.add_row(*(Text(cell, style=style) for cell in (*others, keep_end(file, file_width))))
    keys = Text(f"q quit   sort: 1 self %  2 total %  3 self s  4 total s   (now: {_title(order)})", style="dim")
    return Group(
        Text(heading_line(heading, ranking), no_wrap=True, overflow="ellipsis"), Text(""), table, Text(""), keys
    )


def plain_table(heading: Heading, ranking: Ranking, rows: Sequence[Row]) -> str:
    """Return the same as lines of text, for a pipe or a log."""
    lines = [
        heading_line(heading, ranking),
        f"{'self %':>8} {'total %':>8} {'self s':>8} {'total s':>8}  function (file)",
    ]
    for row in rows:
        *numbers, function, file = cells(row)
        lines.append(" ".join(f"{number:>8}" for number in numbers) + f"  {function} ({file})")
    return "\n".join(lines)


def cells(row: Row) -> tuple[str, str, str, str, str, str]:
    """Return a row's six cells as printable text."""
    return (
        f"{row.self_share:.1%}",
        f"{row.total_share:.1%}",
        f"{row.self_s:.2f}",
        f"{row.total_s:.2f}",
        printable(row.function, _NAME_LENGTH_MAX),
        printable(row.file, _NAME_LENGTH_MAX),
    )


def keep_end(path: str, width: int) -> str:
    """Return a path cut at its beginning, as its end says more."""
    return path if len(path) <= width else f"…{path[1 - width :]}"


def _title(order: Order) -> str:
    return {
        Order.SELF_SHARE: "self %",
        Order.TOTAL_SHARE: "total %",
        Order.SELF_TIME: "self s",
        Order.TOTAL_TIME: "total s",
    }[order]
