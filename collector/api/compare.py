"""``/compare``: what changed between two releases of a service, how sure that is, and what it costs."""

from dataclasses import dataclass

from collector.api.compare_data import Comparison, FunctionTable, Operation, read_comparison
from collector.api.context import Context
from collector.api.machines import ServiceRates
from collector.api.parameters import CompareQuery
from collector.api.problems import bad_parameter
from collector.cost.prices import BYTES_PER_GIB
from collector.cost.rates import Rates
from collector.detect.cpu import compare_cpu
from collector.detect.latency import compare_operation
from collector.detect.verdicts import Jury, untested, worst
from pyrometer.api import Change, CompareAnswer, FunctionChange, OperationChange, Verdict

_MS_PER_S = 1000.0


@dataclass(frozen=True, slots=True)
class _Price:
    """A price per month with the ends of its interval."""

    middle: float
    low: float
    high: float


def compare(context: Context, query: CompareQuery) -> CompareAnswer:
    """Answer ``/compare``."""
    if query.baseline == query.candidate:
        raise bad_parameter("candidate", "must be another release than baseline")
    span = context.span(query)
    data = read_comparison(context, query, span)
    rates = ServiceRates(context, span, query.service).of(query.service)
    jury = Jury(context.limits.compare)
    cpu, functions = _compare_functions(context, data, rates, jury)
    operations = [_compare_operation(context, data, operation, rates, jury) for operation in data.operations]
    jury.judge()
    for operation in operations:
        operation.verdict = worst([change.verdict for change in _changes(operation)])
    # By own time: what only calls a function that changed has no price of its own and stands further down.
    functions.sort(key=lambda row: (_order(row.self_cpu.verdict), -abs(row.price_per_month)))
    operations.sort(key=lambda row: (_order(row.verdict), -abs(row.price_per_month)))
    selection = data.cpu_selection if data.costs else data.latency_selection
    return CompareAnswer(
        range=span.answer(),
        service=query.service,
        baseline=query.baseline,
        candidate=query.candidate,
        paired=selection.paired,
        matching=selection.matching,
        buckets=min(len(selection.baseline), len(selection.candidate)),
        bucket_s=data.bucket_s,
        confidence=context.limits.compare.confidence,
        denominator=data.denominator,
        requests_per_second=data.requests_per_second,
        currency=context.prices.currency,
        cpu=cpu,
        cpu_price_per_month=_cpu_price(rates, data, cpu).middle,
        functions=functions[: query.limit],
        operations=operations[: query.limit],
        notes=data.notes,
        assumptions=_assumptions(context, data, rates),
    )


def _assumptions(context: Context, data: Comparison, rates: Rates) -> list[str]:
    prices = context.prices
    work = f"all {data.requests_per_second:,.3g} requests a second"
    if data.denominator == "second":
        work = f"what all {data.work_per_second:,.3g} processes of the service do"
    return [
        f"the candidate does {work}, all month",
        "a month has 730 hours",
        f"a core hour costs {rates.cpu_core_hour:.4g} {prices.currency}",
        f"a request that takes longer holds {prices.worker_memory_gib:g} GiB longer",
        f"a GiB hour costs {rates.memory_gib_hour:.4g} {prices.currency}",
        *([rates.basis] if prices.machines else []),
    ]


def _compare_functions(
    context: Context, data: Comparison, rates: Rates, jury: Jury
) -> tuple[Change, list[FunctionChange]]:
    if data.costs is None:
        return untested(0.0, 0.0), []
    found = compare_cpu(
        data.costs.baseline,
        data.costs.candidate,
        paired=data.cpu_selection.paired,
        bucket_s=data.bucket_s,
        settings=context.limits.compare,
        jury=jury,
    )
    return found.service, _function_changes(rates, data, data.costs, found.self_cpu, found.total_cpu)


def _function_changes(
    rates: Rates, data: Comparison, costs: FunctionTable, own: list[Change], total: list[Change]
) -> list[FunctionChange]:
    rows = []
    for (function, file), self_cpu, total_cpu in zip(costs.names, own, total, strict=True):
        price = _cpu_price(rates, data, self_cpu)
        rows.append(
            FunctionChange(
                function=function,
                file=file,
                self_cpu=self_cpu,
                total_cpu=total_cpu,
                price_per_month=price.middle,
                price_low=price.low,
                price_high=price.high,
            )
        )
    return rows


def _compare_operation(
    context: Context, data: Comparison, operation: Operation, rates: Rates, jury: Jury
) -> OperationChange:
    found = compare_operation(
        operation.baseline,
        operation.candidate,
        first_index=operation.first_index,
        paired=data.latency_selection.paired,
        bucket_s=data.bucket_s,
        settings=context.limits.compare,
        jury=jury,
    )
    mean = found.changes["mean"]
    # Little's law: requests per second x seconds longer = worker slots more that are held at any time.
    slots = [value / _MS_PER_S * operation.requests_per_second for value in (mean.absolute, mean.low, mean.high)]
    slot_bytes = context.prices.worker_memory_gib * BYTES_PER_GIB
    price = _Price(*(rates.memory_per_month(value * slot_bytes) for value in slots))
    return OperationChange(
        operation=operation.name,
        kind=operation.kind,
        baseline_requests=found.baseline_requests,
        candidate_requests=found.candidate_requests,
        mean_ms=mean,
        p50_ms=found.changes["p50"],
        p95_ms=found.changes["p95"],
        p99_ms=found.changes["p99"],
        error_rate=found.changes["error_rate"],
        verdict="not_enough_data",
        price_per_month=price.middle,
        price_low=price.low,
        price_high=price.high,
    )


def _cpu_price(rates: Rates, data: Comparison, change: Change) -> _Price:
    """Return the price of a change: CPU seconds per unit of work x units of work per second = cores more."""
    cores = [value / _MS_PER_S * data.work_per_second for value in (change.absolute, change.low, change.high)]
    return _Price(*(rates.cpu_per_month(value) for value in cores))


def _changes(row: OperationChange) -> list[Change]:
    return [row.mean_ms, row.p50_ms, row.p95_ms, row.p99_ms, row.error_rate]


def _order(verdict: Verdict) -> int:
    return {"regression": 0, "improvement": 1}.get(verdict, 2)
