"""``/latency``: how fast a service's operations are, and how that went over time."""

from typing import Any

from collector.api.context import Context, histogram, parameters, seen_seconds
from collector.api.parameters import LatencyQuery
from collector.api.problems import bad_parameter
from collector.api.times import Span, unix_time
from collector.detect.buckets import bucket_seconds
from collector.detect.histogram import quantiles_ms
from pyrometer.api import LatencyAnswer, LatencyPoint, OperationRow
from pyrometer.units import NS_PER_MS

_QUANTILES = (0.5, 0.95, 0.99)


def latency(context: Context, query: LatencyQuery) -> LatencyAnswer:
    """Answer ``/latency``."""
    span = context.span(query)
    step_s = _step(context, query, span)
    common = parameters(
        service=query.service,
        versions=query.versions,
        operations=[] if query.operation is None else [query.operation],
        **span.in_seconds(),
    )
    rows = context.rows("latency_operations", **common, rows_max=min(query.limit, context.limits.rows_max))
    points = context.rows("latency_series", **common, step_s=step_s)
    return LatencyAnswer(
        range=span.answer(),
        service=query.service,
        step_s=step_s,
        operations=[_operation(row) for row in rows],
        series=[_point(row) for row in points],
    )


def _step(context: Context, query: LatencyQuery, span: Span) -> int:
    step_s = bucket_seconds(span.seconds) if query.step is None else query.step
    if span.seconds > step_s * context.limits.points_max:
        raise bad_parameter("step", f"gives more than {context.limits.points_max} points; ask for longer steps")
    return step_s


def _operation(row: dict[str, Any]) -> OperationRow:
    p50, p95, p99 = quantiles_ms(*histogram(row), _QUANTILES)
    return OperationRow(
        operation=row["operation"],
        kind=row["kind"],
        requests=row["requests"],
        errors=row["errors"],
        error_rate=row["errors"] / row["requests"],
        requests_per_second=row["requests"] / seen_seconds(row["first_s"], row["last_s"]),
        mean_ms=row["duration_ns"] / row["requests"] / NS_PER_MS,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
    )


def _point(row: dict[str, Any]) -> LatencyPoint:
    p50, p95, p99 = quantiles_ms(*histogram(row), _QUANTILES)
    return LatencyPoint(
        time=unix_time(row["step"]), requests=row["requests"], errors=row["errors"], p50_ms=p50, p95_ms=p95, p99_ms=p99
    )
