"""``/cost``: what services, releases, hosts, operations and functions cost a month, and what that rests on."""

from collections.abc import Callable, Iterable
from typing import Final

from collector.api.context import Context, parameters
from collector.api.cost_data import Cell, Use, basis_of, read_use
from collector.api.parameters import CostQuery
from collector.api.problems import bad_parameter
from collector.api.times import Span
from collector.cost.bill import Bill, add_bills
from pyrometer.api_cost import BudgetLine, CostAnswer, CostRow
from pyrometer.units import HOURS_PER_MONTH

_SECONDS_PER_HOUR: Final = 3600
_THOUSAND: Final = 1000
_BASES_SHOWN: Final = 5


def cost(context: Context, query: CostQuery) -> CostAnswer:
    """Answer ``/cost``."""
    if query.by in {"operation", "function"} and query.service is None:
        raise bad_parameter("service", f"is required with by={query.by}")
    span = context.span(query)
    use = read_use(context, span, query.service)
    rows = _ROWS[query.by](context, use, query, span)
    rows.sort(key=lambda row: (-row.cost_per_month, row.name, row.detail))
    idle = None if query.service is not None else _idle_of_all(context, use)
    rows_max = min(query.limit, context.limits.rows_max)
    return CostAnswer(
        range=span.answer(),
        by=query.by,
        currency=context.prices.currency,
        rows=rows[:rows_max],
        total=_row(context, use, use.cells, idle=idle, requests=use.requests_per_second),
        budgets=_budgets(context, use, query.service, idle),
        assumptions=_assumptions(context, use, query),
    )


def _by_service(context: Context, use: Use, query: CostQuery, span: Span) -> list[CostRow]:  # noqa: ARG001
    return _grouped(context, use, lambda service, _: (service, ""))


def _by_release(context: Context, use: Use, query: CostQuery, span: Span) -> list[CostRow]:  # noqa: ARG001
    return _grouped(context, use, lambda service, version: (service, version))


def _by_host(context: Context, use: Use, query: CostQuery, span: Span) -> list[CostRow]:  # noqa: ARG001
    rows = []
    for name, cells in use.by_host().items():
        host = use.hosts[name]
        # With one service alone, what the others use of the machine is not known here, and so is what is idle.
        idle = use.idle(context, host, cells) if query.service is None else None
        if cells or idle is not None:
            rows.append(_row(context, use, cells, name=name, idle=idle, basis=host.rates.basis))
    return rows


def _by_operation(context: Context, use: Use, query: CostQuery, span: Span) -> list[CostRow]:
    found = context.rows(
        "latency_operations",
        service=query.service or "",
        versions=[],
        operations=[],
        **span.in_seconds(),
        rows_max=context.limits.rows_max,
    )
    served = [row for row in found if row["kind"] == "server"]
    spent = sum(row["duration_ns"] for row in served) or 1
    whole, basis = add_bills(cell.bill for cell in use.cells), basis_of(context, use.cells)
    return [
        _priced(
            whole.scaled(row["duration_ns"] / spent, row["duration_ns"] / spent),
            use,
            name=row["operation"],
            basis=basis,
            requests=row["requests"] / use.seconds,
        )
        for row in served
    ]


def _by_function(context: Context, use: Use, query: CostQuery, span: Span) -> list[CostRow]:
    common = parameters(service=query.service or "", versions=[], **span.in_seconds())
    found = context.rows("functions", **common, search="", rows_max=context.limits.rows_max)
    accounted = max(context.rows("service_cpu", **common)[0]["cpu_ns"], 1)
    whole, basis = add_bills(cell.bill for cell in use.cells), basis_of(context, use.cells)
    return [
        _priced(
            whole.scaled(row["self_ns"] / accounted, 0.0),
            use,
            name=row["function"],
            detail=row["file"],
            basis=basis,
            requests=use.requests_per_second,
            has_memory=False,
        )
        for row in found
        if row["self_ns"] > 0
    ]


_ROWS: Final[dict[str, Callable[[Context, Use, CostQuery, Span], list[CostRow]]]] = {
    "service": _by_service,
    "release": _by_release,
    "host": _by_host,
    "operation": _by_operation,
    "function": _by_function,
}


def _idle_of_all(context: Context, use: Use) -> Bill:
    idle = (use.idle(context, use.hosts[name], cells) for name, cells in use.by_host().items())
    return add_bills(bill for bill in idle if bill is not None)


def _grouped(context: Context, use: Use, key_of: Callable[[str, str], tuple[str, str]]) -> list[CostRow]:
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in use.cells:
        groups.setdefault(key_of(cell.service, cell.version), []).append(cell)
    served: dict[tuple[str, str], int] = {}
    for release, count in use.requests.items():
        served[key_of(*release)] = served.get(key_of(*release), 0) + count
    return [
        _row(context, use, cells, name=key[0], detail=key[1], requests=served.get(key, 0) / use.seconds or None)
        for key, cells in groups.items()
    ]


def _row(
    context: Context,
    use: Use,
    cells: Iterable[Cell],
    *,
    name: str = "",
    detail: str = "",
    requests: float | None = None,
    idle: Bill | None = None,
    basis: str | None = None,
) -> CostRow:
    cells = list(cells)
    basis = basis_of(context, cells) if basis is None else basis
    bill = add_bills(cell.bill for cell in cells)
    return _priced(bill, use, name=name, detail=detail, basis=basis, requests=requests, idle=idle, is_sampled=True)


def _priced(
    bill: Bill,
    use: Use,
    *,
    name: str,
    basis: str,
    detail: str = "",
    requests: float | None = None,
    idle: Bill | None = None,
    has_memory: bool = True,
    is_sampled: bool = False,
) -> CostRow:
    cost_per_month = bill.cost + (idle.cost if idle else 0.0)
    a_month = (requests or 0.0) * HOURS_PER_MONTH * _SECONDS_PER_HOUR
    has_memory = has_memory and use.has_memory
    return CostRow(
        name=name,
        detail=detail,
        cost_per_month=cost_per_month,
        cpu_per_month=bill.cpu,
        memory_per_month=bill.memory if has_memory else None,
        idle_per_month=idle.cost if idle else None,
        unsampled_per_month=bill.unsampled if is_sampled else None,
        cpu_cores=bill.cores,
        memory_bytes=bill.memory_bytes if has_memory else None,
        requests_per_second=requests,
        cost_per_1000_requests=bill.cost / a_month * _THOUSAND if a_month else None,
        kwh_per_month=bill.kwh + (idle.kwh if idle else 0.0),
        kg_co2e_per_month=bill.kg_co2e + (idle.kg_co2e if idle else 0.0),
        basis=basis,
    )


def _budgets(context: Context, use: Use, service: str | None, idle: Bill | None) -> list[BudgetLine]:
    costs: dict[str, float] = {}
    for cell in use.cells:
        costs[cell.service] = costs.get(cell.service, 0.0) + cell.bill.cost
    if idle is not None:
        costs[""] = sum(costs.values()) + idle.cost
    return [
        BudgetLine(service=line.service, budget_per_month=line.per_month, cost_per_month=costs.get(line.service))
        for line in context.prices.budgets
        if service in {None, line.service}
    ]


def _assumptions(context: Context, use: Use, query: CostQuery) -> list[str]:
    energy = context.prices.energy
    bases = sorted({host.rates.basis for host in use.hosts.values()})
    lines = [f"a month has {HOURS_PER_MONTH:g} hours, all like the {use.seconds:,} s in which something was seen"]
    lines += bases[:_BASES_SHOWN]
    if len(bases) > _BASES_SHOWN:
        lines.append(f"and {len(bases) - _BASES_SHOWN} more kinds of machine")
    if use.has_memory:
        lines.append("memory is what watched processes had resident; pages they share count in each of them")
    else:
        lines.append("no process told its memory: services are priced by CPU alone")
    if query.by == "operation":
        lines.append(
            "the cost of the service is divided among its server operations by the time their requests took, which"
            " counts waiting like computing"
        )
    if query.by == "function":
        lines.append("a function costs its own CPU time; memory is not divided among functions")
    if query.service is None:
        unknown = sum(not host.is_known for host in use.hosts.values())
        lines.append("idle is what machines cost beyond their services; memory of programs not watched is in it")
        if unknown:
            lines.append(f"{unknown:,} hosts sent no metrics of their size: what they cost idle is not in any sum")
    lines.append(
        f"energy: {energy.watts_per_core:g} W more per busy core, {energy.watts_per_core_idle:g} W per idle core of a"
        f" whole machine, {energy.watts_per_gib:g} W per GiB, times {energy.overhead:g} for the site;"
        f" {energy.grams_co2e_per_kwh:g} g CO2e per kWh where the region is not listed, making the machines not in it"
    )
    return lines
