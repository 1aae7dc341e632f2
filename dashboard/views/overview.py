"""The overview as plain data: a table, headline numbers, a chart."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import pandas as pd

from dashboard.views.text import NO_VALUE, name_cell, newest_first, visible
from pyrometer.api import LatencyAnswer, ServiceRow, ServicesAnswer
from pyrometer.units import format_money

_RELEASES_SHOWN: Final = 3
LEGEND: Final = {"icon": "roundRect", "itemWidth": 12, "itemHeight": 4}


class Headline(NamedTuple):
    """One number at the top of a page."""

    label: str
    value: str
    help: str


def headlines(answer: ServicesAnswer) -> list[Headline]:
    """Return the numbers that sum up all services."""
    rows = answer.services
    rates = [row.error_rate for row in rows if row.error_rate is not None]
    return [
        Headline(
            "Cost per month",
            format_money(sum(row.cost_per_month for row in rows), answer.currency),
            "CPU time measured over the range, at the prices in prices.yaml, for a month of 730 h",
        ),
        Headline("CPU cores busy", f"{sum(row.cpu_cores for row in rows):.2f}", "CPU seconds used per second"),
        Headline("Services", f"{len(rows):,}", "Services that sent profiles or spans in the range"),
        Headline("Requests/s", f"{sum(row.requests_per_second for row in rows):,.1f}", "Server spans per second"),
        Headline(
            "Worst error rate",
            f"{max(rates):.2%}" if rates else NO_VALUE,
            "The highest share of failed requests of any one service",
        ),
    ]


def services_table(answer: ServicesAnswer) -> pd.DataFrame:
    """
    Return one row per service in the answer's order, the most expensive first.

    Columns: service, open, cost (per month), cores, requests (per second), errors (fraction), p50, p95, p99
    (milliseconds, missing where there are no spans), releases, hosts, last_seen (UTC).
    """
    rows = answer.services
    return pd.DataFrame(
        {
            "service": [name_cell(row.service) for row in rows],
            "open": ["Flame graph" for _ in rows],
            "cost": pd.Series([row.cost_per_month for row in rows], dtype="float64"),
            "cores": pd.Series([row.cpu_cores for row in rows], dtype="float64"),
            "requests": _floats([row.requests_per_second if row.requests else None for row in rows]),
            "errors": _floats([row.error_rate for row in rows]),
            "p50": _floats([row.p50_ms for row in rows]),
            "p95": _floats([row.p95_ms for row in rows]),
            "p99": _floats([row.p99_ms for row in rows]),
            "releases": [releases_in_words(row) for row in rows],
            "hosts": pd.Series([row.hosts for row in rows], dtype="int64"),
            "last_seen": pd.to_datetime(pd.Series([row.last_seen for row in rows], dtype="object"), utc=True),
        }
    )


def releases_in_words(row: ServiceRow) -> str:
    """Return the releases of a service in a few words: the newest, and how many more there are."""
    named = [visible(version, 40) for version in newest_first(row.versions) if version]
    if not named:
        return NO_VALUE
    more = len(named) - _RELEASES_SHOWN
    return ", ".join(named[:_RELEASES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def latency_frame(answer: LatencyAnswer) -> pd.DataFrame:
    """
    Return the latency series with columns time, p50, p95, p99 (milliseconds), requests/s and errors/s.

    The step that still goes on is left out once there is another: it would show traffic that has not come yet as lost.
    """
    points = answer.series
    if len(points) > 1 and _ends_after(points[-1].time, answer.step_s, answer.range.end):
        points = points[:-1]
    return pd.DataFrame(
        {
            "time": [point.time for point in points],
            "p50": [point.p50_ms for point in points],
            "p95": [point.p95_ms for point in points],
            "p99": [point.p99_ms for point in points],
            "requests/s": [point.requests / max(answer.step_s, 1) for point in points],
            "errors/s": [point.errors / max(answer.step_s, 1) for point in points],
        }
    )


def _ends_after(time: str, step_s: int, end: str) -> bool:
    return datetime.fromisoformat(time) + timedelta(seconds=step_s) > datetime.fromisoformat(end)


def latency_chart(frame: pd.DataFrame) -> dict[str, Any]:
    """Return chart options: three quantiles over time."""
    return _time_chart(frame, ["p50", "p95", "p99"], unit="ms", value_format="%.1f ms")


def traffic_chart(frame: pd.DataFrame) -> dict[str, Any]:
    """Return chart options: requests and failed requests per second over time."""
    return _time_chart(frame, ["requests/s", "errors/s"], unit="per second", value_format="%.2f/s")


def _time_chart(frame: pd.DataFrame, columns: list[str], *, unit: str, value_format: str) -> dict[str, Any]:
    return {
        "animation": False,
        "dataset": {"source": frame[["time", *columns]]},
        "legend": {"top": 0, "right": 0, **LEGEND},
        "grid": {"left": 8, "right": 16, "top": 40, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis", "valueFormatter": value_format},
        "xAxis": {"type": "time"},
        "yAxis": {"type": "value", "name": unit, "min": 0, "nameTextStyle": {"align": "left"}},
        "series": [
            {
                "type": "line",
                "name": column,
                "showSymbol": len(frame) == 1,
                "encode": {"x": "time", "y": column, "tooltip": [column]},
            }
            for column in columns
        ],
    }


def _floats(values: list[float | None]) -> pd.Series:
    return pd.Series(values, dtype="float64")
