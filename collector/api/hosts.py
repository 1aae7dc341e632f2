"""``/hosts``: what machines there are, how busy they are, what they cost."""

from collections.abc import Callable
from statistics import fmean
from typing import Any, Final

from collector.api.context import Context, seen_seconds
from collector.api.machines import read_hosts
from collector.api.parameters import HostsQuery
from collector.api.times import BUCKET_S, Span, unix_time
from collector.cost.rates import Rates
from pyrometer import semconv
from pyrometer.api import HostRow, HostsAnswer, MetricPoint, MetricSeries
from pyrometer.units import NS_PER_S

# A processor that waits for a disk is free for other work.
_IDLE_MODES: Final = ("idle", "iowait")
_MS_PER_S: Final = 1000
_METRICS: Final = [
    semconv.SYSTEM_CPU_UTILIZATION,
    semconv.SYSTEM_CPU_TIME,
    semconv.SYSTEM_CPU_LOGICAL_COUNT,
    semconv.SYSTEM_LOAD_AVERAGE_1M,
    semconv.SYSTEM_MEMORY_LIMIT,
    semconv.SYSTEM_MEMORY_UTILIZATION,
]
# A few hundred points are what a chart can show.
_POINTS: Final = 240
_Rows = dict[str, list[dict[str, Any]]]


def hosts(context: Context, query: HostsQuery) -> HostsAnswer:
    """Answer ``/hosts``."""
    span = context.span(query)
    names = [] if query.host is None else [query.host]
    rows_max = context.limits.rows_max
    metrics: dict[str, _Rows] = {}
    # A machine reports some dozens of these series: a few per mode and state.
    for row in context.rows(
        "hosts_seen", metrics=_METRICS, hosts=names, **span.in_milliseconds(), rows_max=rows_max * 64
    ):
        metrics.setdefault(row["host"], {}).setdefault(row["metric"], []).append(row)
    profiled = {
        row["host"]: row for row in context.rows("hosts_profiled", hosts=names, **span.in_seconds(), rows_max=rows_max)
    }
    found = sorted({*metrics, *profiled})
    machines = read_hosts(context, span, found)
    if len(found) > rows_max:
        context.hit("rows_max")
    return HostsAnswer(
        range=span.answer(),
        currency=context.prices.currency,
        hosts=[
            _row(context, machines[host].rates, host, metrics.get(host, {}), profiled.get(host))
            for host in found[:rows_max]
        ],
        series=[] if query.host is None else _series(context, query.host, span),
    )


def _row(context: Context, rates: Rates, host: str, metrics: _Rows, profiled: dict[str, Any] | None) -> HostRow:
    rows = [row for group in metrics.values() for row in group]
    seen = [row["last_ms"] / _MS_PER_S for row in rows]
    cores = 0.0
    if profiled is not None:
        seen.append(min(profiled["last_s"] + BUCKET_S, context.now_s))
        cores = profiled["cpu_ns"] / NS_PER_S / seen_seconds(profiled["first_s"], profiled["last_s"])
    cpus = _latest(metrics, semconv.SYSTEM_CPU_LOGICAL_COUNT)
    memory = _latest(metrics, semconv.SYSTEM_MEMORY_LIMIT)
    known = cpus is not None and memory is not None
    return HostRow(
        host=host,
        last_seen=unix_time(max(seen)),
        os=rows[0]["os"] if rows else "",
        arch=rows[0]["arch"] if rows else "",
        logical_cpus=None if cpus is None else round(cpus),
        cpu_utilization=_cpu_utilization(metrics),
        memory_utilization=_latest(metrics, semconv.SYSTEM_MEMORY_UTILIZATION, _is_used_memory),
        memory_limit_bytes=None if memory is None else round(memory),
        load_1m=_latest(metrics, semconv.SYSTEM_LOAD_AVERAGE_1M),
        services=profiled["services"] if profiled else [],
        profiled_cpu_cores=cores,
        cost_per_month=rates.machine_per_month(cores=cpus or 0, memory_bytes=memory or 0) if known else None,
    )


def _latest(metrics: _Rows, name: str, wanted: Callable[[dict[str, Any]], bool] = bool) -> float | None:
    """Return the latest value of a metric: of its series that are wanted, the one seen last."""
    rows = [row for row in metrics.get(name, []) if wanted(row)]
    return float(max(rows, key=lambda row: row["last_ms"])["value"]) if rows else None


def _is_used_memory(row: dict[str, Any]) -> bool:
    return str(row["attributes"].get(semconv.SYSTEM_MEMORY_STATE, "used")) == "used"


def _cpu_utilization(metrics: _Rows) -> float | None:
    """Return the busy share of all processors, from the gauge where it is sent, else from the CPU clocks."""
    gauges = metrics.get(semconv.SYSTEM_CPU_UTILIZATION, [])
    plain = [row["value"] for row in gauges if semconv.CPU_MODE not in row["attributes"]]
    if plain:
        return _fraction(fmean(plain))
    if gauges:
        by_mode: dict[str, list[float]] = {}
        for row in gauges:
            by_mode.setdefault(row["attributes"][semconv.CPU_MODE], []).append(row["value"])
        return _fraction(1 - sum(fmean(by_mode[mode]) for mode in _IDLE_MODES if mode in by_mode))
    return _utilization_of_clocks(metrics.get(semconv.SYSTEM_CPU_TIME, []))


def _utilization_of_clocks(clocks: list[dict[str, Any]]) -> float | None:
    spent = {True: 0.0, False: 0.0}
    for row in clocks:
        # A clock that fell was restarted with its machine.
        idle = row["attributes"].get(semconv.CPU_MODE) in _IDLE_MODES
        spent[idle] += max(0.0, row["value"] - row["previous_value"])
    total = sum(spent.values())
    return _fraction(spent[False] / total) if total > 0 else None


def _fraction(value: float) -> float:
    return min(1.0, max(0.0, value))


def _series(context: Context, host: str, span: Span) -> list[MetricSeries]:
    points = min(_POINTS, context.limits.points_max)
    step_s = -(-span.seconds // (points * BUCKET_S)) * BUCKET_S
    series_max = context.limits.series_max
    rows = context.rows(
        "host_series", host=host, **span.in_milliseconds(), step_ms=step_s * _MS_PER_S, rows_max=series_max + 1
    )
    return [
        MetricSeries(
            metric=row["metric"],
            # A counter is given as its rate.
            unit=f"{row['unit']}/s" if row["counter"] else row["unit"],
            attributes=row["attributes"],
            points=[
                MetricPoint(time=unix_time(step / _MS_PER_S), value=value)
                for step, value in sorted(zip(row["steps"], row["values"], strict=True))
            ],
        )
        for row in context.cut(rows, series_max, "series_max")
    ]
