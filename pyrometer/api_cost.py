"""What ``/cost`` answers: what use of the machines costs a month, by whom, and what those figures rest on."""

from typing import Literal

import msgspec

from pyrometer.api import TimeRange

CostBy = Literal["service", "release", "host", "operation", "function"]


class CostRow(msgspec.Struct, kw_only=True):
    """
    What one service, release, host, operation or function costs a month of 730 hours.

    ``name`` says which; ``detail`` is the version of a release, the file of a function, else empty. ``cost_per_month``
    is the sum of CPU, memory and, of a host, idle. ``unsampled_per_month`` is the part of the CPU's cost that no stack
    stands for. Null is what is not known. ``kg_co2e_per_month`` is the grid's.
    """

    name: str
    detail: str
    cost_per_month: float
    cpu_per_month: float
    memory_per_month: float | None
    idle_per_month: float | None
    unsampled_per_month: float | None
    cpu_cores: float
    memory_bytes: float | None
    requests_per_second: float | None
    cost_per_1000_requests: float | None
    kwh_per_month: float
    kg_co2e_per_month: float
    basis: str


class BudgetLine(msgspec.Struct, kw_only=True):
    """What a service, or everything where it is empty, may cost a month, and does; null where it was not seen."""

    service: str
    budget_per_month: float
    cost_per_month: float | None


class CostAnswer(msgspec.Struct, kw_only=True):
    """
    Answer of ``/cost``, the most expensive first.

    ``total`` is of all that was asked for, rows over the limit too; over all services its idle is what the machines
    cost beyond them. ``assumptions``: what the figures rest on, a sentence each.
    """

    range: TimeRange
    by: CostBy
    currency: str
    rows: list[CostRow]
    total: CostRow
    budgets: list[BudgetLine]
    assumptions: list[str]
