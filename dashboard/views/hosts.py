"""The hosts page as plain data."""

import math
from typing import Any, Final, NamedTuple

import pandas as pd

from dashboard.views.overview import LEGEND
from dashboard.views.text import NO_VALUE, label, name_cell, visible
from pyrometer import semconv
from pyrometer.api import HostRow, HostsAnswer, MetricSeries
from pyrometer.units import format_bytes

LINES_MAX: Final = 12
CHARTS_MAX: Final = 24
# What to show first; all others follow by name.
_FIRST: Final = (
    "system.cpu.utilization",
    "system.memory.utilization",
    "system.linux.pressure.time",
    "linux.cgroup.cpu.time",
    "linux.cgroup.cpu.throttled_time",
    "linux.cgroup.memory.usage",
    "linux.cgroup.memory.events",
    "system.memory.linux.oom_kills",
    "system.network.io",
    "system.network.packet.dropped",
    "system.disk.io",
    "system.disk.io_time",
    "system.filesystem.utilization",
    "system.paging.faults",
    "system.process.created",
    "system.cpu.time",
    "system.memory.usage",
)


class MetricChart(NamedTuple):
    """One chart of a host: all series of one metric, and how many of them are not drawn."""

    metric: str
    options: dict[str, Any]
    hidden: int


def hosts_table(answer: HostsAnswer) -> pd.DataFrame:
    """
    Return one row per host in the answer's order.

    Columns: host, cpu and memory (percent), load, cpus, memory_size, profiled (cores), cost (per month), services,
    system, last_seen (UTC).
    """
    rows = answer.hosts
    return pd.DataFrame(
        {
            "host": [name_cell(row.host) for row in rows],
            "cpu": _percents([row.cpu_utilization for row in rows]),
            "memory": _percents([row.memory_utilization for row in rows]),
            "load": _floats([row.load_1m for row in rows]),
            "cpus": _floats([row.logical_cpus for row in rows]),
            "memory_size": [_size(row) for row in rows],
            "profiled": _floats([row.profiled_cpu_cores for row in rows]),
            "cost": _floats([row.cost_per_month for row in rows]),
            "services": [[visible(service, 60) for service in row.services] for row in rows],
            "system": [visible(f"{row.os} {row.arch}".strip(), 60) for row in rows],
            "last_seen": pd.to_datetime(pd.Series([row.last_seen for row in rows], dtype="object"), utc=True),
        }
    )


def metric_charts(series: list[MetricSeries]) -> list[MetricChart]:
    """Return one chart per metric, the most telling first, at most CHARTS_MAX."""
    by_metric: dict[str, list[MetricSeries]] = {}
    for one in series:
        if one.points:
            by_metric.setdefault(one.metric, []).append(one)
    ordered = sorted(by_metric, key=lambda metric: (_rank(metric), metric))
    return [_chart(metric, by_metric[metric]) for metric in ordered[:CHARTS_MAX]]


def metrics_hidden(series: list[MetricSeries]) -> int:
    """Return how many metrics have points and no chart."""
    return max(0, len({one.metric for one in series if one.points}) - CHARTS_MAX)


def line_name(series: MetricSeries) -> str:
    """Return the values of a series' attributes, or the metric's name where it has none; of a cgroup its last part."""
    attributes = dict(series.attributes)
    if path := attributes.get(semconv.PROCESS_LINUX_CGROUP):
        attributes[semconv.PROCESS_LINUX_CGROUP] = path.rpartition("/")[2]
        attributes.pop(semconv.CONTAINER_ID, None)
    values = [visible(value, 60) for _, value in sorted(attributes.items())]
    return " · ".join(values) or visible(series.metric, 60)


def _chart(metric: str, series: list[MetricSeries]) -> MetricChart:
    largest = sorted(series, key=lambda one: -max(abs(point.value) for point in one.points))
    drawn = sorted(largest[:LINES_MAX], key=line_name)
    scale, unit = _scale(series[0].unit, max(abs(point.value) for point in largest[0].points))
    options = {
        "animation": False,
        "legend": {"type": "scroll", "top": 0, "right": 0, "show": len(drawn) > 1, **LEGEND},
        "grid": {"left": 8, "right": 16, "top": 40, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis", "valueFormatter": f"%,.2f {unit.replace('%', '%%')}"},
        "xAxis": {"type": "time"},
        "yAxis": {"type": "value", "name": unit, "nameTextStyle": {"align": "left"}},
        "series": [
            {
                "type": "line",
                "name": line_name(one),
                "showSymbol": len(one.points) == 1,
                "data": [[point.time, point.value * scale] for point in one.points],
            }
            for one in drawn
        ],
    }
    return MetricChart(label(metric), options, len(series) - len(drawn))


def _rank(metric: str) -> int:
    return _FIRST.index(metric) if metric in _FIRST else len(_FIRST)


def _scale(unit: str, largest: float) -> tuple[float, str]:
    """Return what to multiply values by, and the unit they then have. Units come as UCUM: ``1``, ``By``, ``By/s``."""
    if unit == "1":
        return 100.0, "%"
    if unit.removesuffix("/s") == "By":
        power = min(max(math.floor(math.log2(largest) / 10), 0), 4) if largest > 0 else 0
        return 1024.0**-power, ("B", "KiB", "MiB", "GiB", "TiB")[power] + unit.removeprefix("By")
    return 1.0, visible(unit, 30)


def _size(row: HostRow) -> str:
    return NO_VALUE if row.memory_limit_bytes is None else format_bytes(row.memory_limit_bytes)


def _percents(fractions: list[float | None]) -> pd.Series:
    return _floats(fractions) * 100


def _floats(values: list[float | None] | list[int | None] | list[float]) -> pd.Series:
    return pd.Series(values, dtype="float64")
