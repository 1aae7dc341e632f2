"""``/services``: what runs, what it uses and costs, and how fast it answers."""

from typing import Any

from collector.api.context import Context, histogram, seen_seconds
from collector.api.machines import ServiceRates
from collector.api.parameters import ServicesQuery
from collector.api.times import BUCKET_S, unix_time
from collector.cost.rates import Rates
from collector.detect.histogram import quantiles_ms
from pyrometer.api import ServiceRow, ServicesAnswer
from pyrometer.units import NS_PER_S

_QUANTILES = (0.5, 0.95, 0.99)


def services(context: Context, query: ServicesQuery) -> ServicesAnswer:
    """Answer ``/services``."""
    span = context.span(query)
    rows_max = context.limits.rows_max
    names = ("services_cpu", "services_latency")
    cpu, latency = (
        {
            row["service"]: row
            for row in context.cut(context.rows(name, **span.in_seconds(), rows_max=rows_max + 1), rows_max, "rows_max")
        }
        for name in names
    )
    rates = ServiceRates(context, span)
    rows = [_row(context, rates.of(name), name, cpu.get(name), latency.get(name)) for name in {**cpu, **latency}]
    rows.sort(key=lambda row: (-row.cost_per_month, -row.requests, row.service))
    return ServicesAnswer(range=span.answer(), currency=context.prices.currency, services=rows[:rows_max])


def _row(
    context: Context, rates: Rates, name: str, cpu: dict[str, Any] | None, latency: dict[str, Any] | None
) -> ServiceRow:
    known = [side for side in (cpu, latency) if side is not None]
    cpu_seconds = cpu["cpu_ns"] / NS_PER_S if cpu else 0.0
    cores = cpu_seconds / seen_seconds(cpu["first_s"], cpu["last_s"]) if cpu else 0.0
    requests, errors = (latency["requests"], latency["errors"]) if latency else (0, 0)
    p50, p95, p99 = quantiles_ms(*histogram(latency), _QUANTILES) if latency and requests else (None, None, None)
    last_s = max(side["last_s"] for side in known) + BUCKET_S
    return ServiceRow(
        service=name,
        versions=sorted({version for side in known for version in side["versions"]}),
        first_seen=unix_time(min(side["first_s"] for side in known)),
        last_seen=unix_time(min(last_s, context.now_s)),
        hosts=len([host for host in cpu["hosts"] if host]) if cpu else 0,
        cpu_seconds=cpu_seconds,
        cpu_cores=cores,
        samples=cpu["samples"] if cpu else 0,
        cost_per_month=rates.cpu_per_month(cores),
        requests=requests,
        requests_per_second=requests / seen_seconds(latency["first_s"], latency["last_s"]) if latency else 0.0,
        errors=errors,
        error_rate=errors / requests if requests else None,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
    )
