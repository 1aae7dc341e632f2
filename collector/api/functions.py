"""``/functions``: which functions of a service use its CPU, and what each costs."""

from typing import Any

from collector.api.context import Context, parameters, seen_seconds
from collector.api.machines import ServiceRates
from collector.api.parameters import FunctionsQuery
from collector.api.quality import window_quality
from collector.cost.rates import Rates
from pyrometer.api import FunctionRow, FunctionsAnswer
from pyrometer.units import NS_PER_S


def functions(context: Context, query: FunctionsQuery) -> FunctionsAnswer:
    """Answer ``/functions``."""
    span = context.span(query)
    common = parameters(service=query.service, versions=query.versions, **span.in_seconds())
    rows_max = min(query.limit, context.limits.rows_max)
    rows = context.rows("functions", **common, search=query.search, rows_max=rows_max)
    # After its parts: what is stored between the two questions must not make a part larger than the whole.
    whole = context.rows("service_cpu", **common)[0]
    seconds = seen_seconds(whole["first_s"], whole["last_s"])
    rates = ServiceRates(context, span, query.service).of(query.service)
    return FunctionsAnswer(
        range=span.answer(),
        service=query.service,
        currency=context.prices.currency,
        functions=[_row(rates, row, cpu_ns=whole["cpu_ns"], seconds=seconds) for row in rows],
        quality=window_quality(context, span, service=query.service, versions=query.versions, hosts=[]),
    )


def _row(rates: Rates, row: dict[str, Any], *, cpu_ns: int, seconds: int) -> FunctionRow:
    self_s, total_s = row["self_ns"] / NS_PER_S, row["total_ns"] / NS_PER_S
    return FunctionRow(
        function=row["function"],
        file=row["file"],
        samples=row["samples"],
        self_cpu_seconds=self_s,
        total_cpu_seconds=total_s,
        self_share=row["self_ns"] / cpu_ns if cpu_ns else 0.0,
        total_share=row["total_ns"] / cpu_ns if cpu_ns else 0.0,
        self_cost_per_month=rates.cpu_per_month(self_s / seconds),
        total_cost_per_month=rates.cpu_per_month(total_s / seconds),
    )
