"""The cost page as plain data: headline numbers, a chart, a table, budgets, and what it all rests on."""

from typing import Any, Final

import pandas as pd

from dashboard.views.overview import LEGEND, Headline
from dashboard.views.text import NO_VALUE, label, name_cell, visible
from pyrometer.api_cost import CostAnswer, CostBy, CostRow
from pyrometer.units import format_bytes, format_money

# What the reader chooses -> what a row stands for.
GROUPINGS: Final[dict[str, CostBy]] = {
    "Services": "service",
    "Releases": "release",
    "Hosts": "host",
    "Operations": "operation",
    "Functions": "function",
}
# Those that are parts of one service.
OF_ONE_SERVICE: Final[frozenset[CostBy]] = frozenset({"operation", "function"})
BARS_MAX: Final = 12
_BUDGETS_MAX: Final = 50
_TEXT_CHARS_MAX: Final = 300
_EVERYTHING: Final = "Everything"


def headlines(answer: CostAnswer) -> list[Headline]:
    """Return the numbers of the total."""
    total, currency = answer.total, answer.currency
    return [
        Headline(
            "Cost per month", format_money(total.cost_per_month, currency), "All below, idle included where known"
        ),
        Headline("CPU", format_money(total.cpu_per_month, currency), f"{total.cpu_cores:,.2f} cores busy"),
        Headline("Memory", _money(total.memory_per_month, currency), _memory_help(total)),
        Headline("Idle", _money(total.idle_per_month, currency), "What machines cost beyond what their services used"),
        Headline(
            "Not sampled",
            _money(total.unsampled_per_month, currency),
            "Part of the CPU's cost that no stack stands for",
        ),
        Headline(
            "1,000 requests",
            _unit_cost(total.cost_per_1000_requests, currency),
            "CPU and memory of a month over its requests (server spans)",
        ),
        Headline(
            "Energy per month", f"{total.kwh_per_month:,.1f} kWh", "CPU, memory and idle, by watts of prices.yaml"
        ),
        Headline(
            "CO2e per month", f"{total.kg_co2e_per_month:,.1f} kg", "The grid's; making the machines is not in it"
        ),
    ]


def cost_table(answer: CostAnswer) -> pd.DataFrame:
    """
    Return one row per service, release, host, operation or function, in the answer's order.

    Columns: name, detail, cost, cpu, memory, idle, unsampled, per_1000 (all currency, per month but the last), cores,
    memory_size, requests (per second), kwh, co2e (kg), basis.
    """
    rows = answer.rows
    return pd.DataFrame(
        {
            "name": [name_cell(row.name) for row in rows],
            "detail": [visible(row.detail) for row in rows],
            "cost": _floats([row.cost_per_month for row in rows]),
            "cpu": _floats([row.cpu_per_month for row in rows]),
            "memory": _floats([row.memory_per_month for row in rows]),
            "idle": _floats([row.idle_per_month for row in rows]),
            "unsampled": _floats([row.unsampled_per_month for row in rows]),
            "per_1000": _floats([row.cost_per_1000_requests for row in rows]),
            "cores": _floats([row.cpu_cores for row in rows]),
            "memory_size": [NO_VALUE if row.memory_bytes is None else format_bytes(row.memory_bytes) for row in rows],
            "requests": _floats([row.requests_per_second for row in rows]),
            "kwh": _floats([row.kwh_per_month for row in rows]),
            "co2e": _floats([row.kg_co2e_per_month for row in rows]),
            "basis": [visible(row.basis, _TEXT_CHARS_MAX) for row in rows],
        }
    )


def cost_chart(answer: CostAnswer) -> dict[str, Any]:
    """Return chart options: a bar for each of the most expensive rows, made of CPU, memory and idle."""
    rows = answer.rows[:BARS_MAX][::-1]
    parts: dict[str, list[float | None]] = {
        "CPU": [row.cpu_per_month for row in rows],
        "memory": [row.memory_per_month for row in rows],
        "idle": [row.idle_per_month for row in rows],
    }
    currency = visible(answer.currency, 16)
    return {
        "animation": False,
        "legend": {"top": 0, "right": 0, **LEGEND},
        "grid": {"left": 8, "right": 24, "top": 40, "bottom": 32, "containLabel": True},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}, "valueFormatter": "%,.2f"},
        "xAxis": {"type": "value", "name": f"{currency} / month", "nameLocation": "middle", "nameGap": 26},
        "yAxis": {"type": "category", "data": [_bar_name(row) for row in rows]},
        "series": [
            {
                "type": "bar",
                "name": name,
                "stack": "cost",
                "barMaxWidth": 22,
                "data": [value or 0.0 for value in values],
            }
            for name, values in parts.items()
            if any(values)
        ],
    }


def budgets_table(answer: CostAnswer) -> pd.DataFrame:
    """Return one row per budget: service, spent (percent), cost and budget (per month), verdict."""
    lines = answer.budgets[:_BUDGETS_MAX]
    costs = [line.cost_per_month for line in lines]
    shares = [
        None if cost is None or not line.budget_per_month else 100 * cost / line.budget_per_month
        for line, cost in zip(lines, costs, strict=True)
    ]
    over = [cost is not None and cost > line.budget_per_month for line, cost in zip(lines, costs, strict=True)]
    return pd.DataFrame(
        {
            "service": [name_cell(line.service) if line.service else _EVERYTHING for line in lines],
            "spent": _floats(shares),
            "cost": _floats(costs),
            "budget": _floats([line.budget_per_month for line in lines]),
            "verdict": [
                "not seen" if cost is None else ("over budget" if is_over else "within budget")
                for cost, is_over in zip(costs, over, strict=True)
            ],
        }
    )


def assumptions(answer: CostAnswer) -> str:
    """Return what the figures rest on, a line each; text from outside may be in it."""
    return "\n".join(f"• {visible(line, _TEXT_CHARS_MAX)}" for line in answer.assumptions)


def _bar_name(row: CostRow) -> str:
    return visible(f"{label(row.name)} {row.detail}".strip(), 28)


def _money(amount: float | None, currency: str) -> str:
    return NO_VALUE if amount is None else format_money(amount, currency)


def _unit_cost(amount: float | None, currency: str) -> str:
    return NO_VALUE if amount is None else f"{amount:,.2g} {currency}"


def _memory_help(row: CostRow) -> str:
    return "No process told its memory" if row.memory_bytes is None else f"{format_bytes(row.memory_bytes)} resident"


def _floats(values: list[float | None] | list[float]) -> pd.Series:
    return pd.Series(values, dtype="float64")
