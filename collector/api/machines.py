"""Which machines hosts are, and what a core hour and a GiB hour of a service cost on them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from collector.api.context import Context
from collector.api.times import Span
from collector.cost.rates import HostFacts, Rates, blend, rates_of_host

# A list of services on many hosts has many more rows than it has services.
CELLS_PER_ROW: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine: how it is priced, and how large it is; 0 where its agent sent no metrics."""

    name: str
    rates: Rates
    cpus: float = 0.0
    memory_bytes: float = 0.0

    @property
    def is_known(self) -> bool:
        """Whether it told its size."""
        return self.cpus > 0 and self.memory_bytes > 0


def read_hosts(context: Context, span: Span, names: Iterable[str] = ()) -> dict[str, Host]:
    """Return the hosts that told of themselves, and those of *names* that did not, by name."""
    rows = context.rows("cost_hosts", **span.in_milliseconds(), rows_max=context.limits.rows_max * CELLS_PER_ROW)
    hosts = {
        row["host"]: Host(
            name=row["host"],
            rates=rates_of_host(
                context.prices,
                HostFacts(name=row["host"], type=row["type"], cloud=row["cloud"], region=row["region"]),
            ),
            cpus=max(float(row["cpus"]), 0.0),
            memory_bytes=max(float(row["memory_bytes"]), 0.0),
        )
        for row in rows
    }
    for name in names:
        if name not in hosts:
            hosts[name] = Host(name=name, rates=rates_of_host(context.prices, HostFacts(name=name)))
    return hosts


def read_cells(context: Context, span: Span, service: str | None) -> list[dict[str, Any]]:
    """Return the CPU of one service, or all, by service, release and host."""
    rows_max = context.limits.rows_max * CELLS_PER_ROW
    services = [] if service is None else [service]
    rows = context.rows("cost_cpu", services=services, **span.in_seconds(), rows_max=rows_max)
    if len(rows) == rows_max:
        context.hit("rows_max")
    return rows


class ServiceRates:
    """What a core hour and a GiB hour of a service cost: on its machines, each by the CPU that it used there."""

    def __init__(self, context: Context, span: Span, service: str | None = None) -> None:
        """Read the machines of one service, or of all; nothing is read where the price list has none."""
        self._prices = context.prices
        self._parts: dict[str, list[tuple[Rates, float]]] = {}
        if not context.prices.machines:
            return
        cells = read_cells(context, span, service)
        hosts = read_hosts(context, span, (row["host"] for row in cells))
        for row in cells:
            self._parts.setdefault(row["service"], []).append((hosts[row["host"]].rates, float(row["cpu_ns"])))

    def of(self, service: str) -> Rates:
        """Return the rates of a service; those of machines that are not listed where nothing is known of them."""
        return blend(self._prices, self._parts.get(service, []))
