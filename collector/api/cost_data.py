"""Reads what a bill is made from: cells of service, release and host, each priced as its machine is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from collector.api.context import Context, seen_seconds
from collector.api.machines import CELLS_PER_ROW, Host, read_cells, read_hosts
from collector.api.times import Span
from collector.cost.bill import Bill, add_bills, bill_of_idle, bill_of_use
from collector.cost.rates import Rates, blend
from pyrometer.units import NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What a release of a service used of one host, and its price."""

    service: str
    version: str
    host: str
    rates: Rates
    bill: Bill


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """
    What was used in a range.

    Attributes:
        seconds: From the first to the last sight of anything: what a month is taken to be like.
        cells: By service, release and host.
        hosts: By name; those that were seen.
        requests: By service and release, server spans.
        has_memory: Whether any process told its memory.
    """

    seconds: int
    cells: tuple[Cell, ...]
    hosts: dict[str, Host]
    requests: dict[tuple[str, str], int]
    has_memory: bool

    @property
    def requests_per_second(self) -> float | None:
        """Of all releases; None where they served none."""
        return sum(self.requests.values()) / self.seconds or None

    def by_host(self) -> dict[str, list[Cell]]:
        """Return the cells of each host, none for one on which nothing ran."""
        groups: dict[str, list[Cell]] = {name: [] for name in self.hosts}
        for cell in self.cells:
            groups[cell.host].append(cell)
        return groups

    def idle(self, context: Context, host: Host, cells: Iterable[Cell]) -> Bill | None:
        """Return what a machine costs beyond what its cells used of it; None where its size is not known."""
        if not host.is_known:
            return None
        return bill_of_idle(
            context.prices,
            host.rates,
            cpus=host.cpus,
            memory_bytes=host.memory_bytes,
            used=add_bills(cell.bill for cell in cells),
        )


def read_use(context: Context, span: Span, service: str | None) -> Use:
    """Read the use of one service, or of all."""
    services = [] if service is None else [service]
    rows_max = context.limits.rows_max * CELLS_PER_ROW
    cpu = read_cells(context, span, service)
    memory = context.rows("cost_memory", services=services, **span.in_milliseconds(), rows_max=rows_max)
    requests = context.rows("cost_requests", services=services, **span.in_seconds(), rows_max=rows_max)
    hosts = read_hosts(context, span, (row["host"] for row in (*cpu, *memory)))
    seconds = seen_seconds(cpu[0]["all_first_s"], cpu[0]["all_last_s"]) if cpu else max(span.seconds, 1)
    return Use(
        seconds=seconds,
        cells=tuple(_cells(context, cpu, memory, hosts, seconds)),
        hosts=hosts,
        requests={(row["service"], row["version"]): row["requests"] for row in requests},
        has_memory=bool(memory),
    )


def basis_of(context: Context, cells: Iterable[Cell]) -> str:
    """Return in one sentence which prices stand behind the bill of some cells."""
    return blend(context.prices, [(cell.rates, cell.bill.cores) for cell in cells]).basis


def _cells(
    context: Context,
    cpu: list[dict[str, Any]],
    memory: list[dict[str, Any]],
    hosts: dict[str, Host],
    seconds: int,
) -> Iterable[Cell]:
    cores: dict[tuple[str, str, str], float] = {}
    unsampled: dict[tuple[str, str], float] = {}
    accounted: dict[tuple[str, str], float] = {}
    for row in cpu:
        release = (row["service"], row["version"])
        cores[*release, row["host"]] = max(row["cpu_ns"], 0) / NS_PER_S / seconds
        unsampled[release] = row["unsampled_ns"]
        accounted[release] = accounted.get(release, 0.0) + row["cpu_ns"]
    held: dict[tuple[str, str, str], float] = {}
    for row in memory:
        minutes = row["all_last_m"] - row["all_first_m"] + 1
        held[row["service"], row["version"], row["host"]] = max(row["byte_minutes"], 0.0) / minutes
    for service, version, host in {**cores, **held}:
        rates = hosts[host].rates
        whole = accounted.get((service, version), 0.0)
        bill = bill_of_use(
            context.prices,
            rates,
            cores=cores.get((service, version, host), 0.0),
            memory_bytes=held.get((service, version, host), 0.0),
            unsampled_share=min(unsampled.get((service, version), 0.0) / whole, 1.0) if whole > 0 else 0.0,
        )
        yield Cell(service=service, version=version, host=host, rates=rates, bill=bill)
