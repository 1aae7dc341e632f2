"""Use of machines as money and energy: parts that add up, whatever they are grouped by."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from collector.cost.energy import kg_co2e, kwh_per_month
from collector.cost.prices import Prices
from collector.cost.rates import Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """
    What something uses and costs in a month of 730 hours, in the currency of the price list.

    Attributes:
        cores: CPU seconds per second.
        memory_bytes: Held on average.
        cpu: Price of the cores.
        memory: Price of the memory.
        unsampled: Of *cpu*, what no stack stands for.
        kwh: Energy, the site's overhead included.
        kg_co2e: What the grid gives off for it.
    """

    cores: float = 0.0
    memory_bytes: float = 0.0
    cpu: float = 0.0
    memory: float = 0.0
    unsampled: float = 0.0
    kwh: float = 0.0
    kg_co2e: float = 0.0

    @property
    def cost(self) -> float:
        """CPU and memory."""
        return self.cpu + self.memory

    def scaled(self, cpu: float, memory: float) -> "Bill":
        """Return the part that uses such fractions of the CPU and of the memory; energy goes with the CPU's."""
        return Bill(
            cores=self.cores * cpu,
            memory_bytes=self.memory_bytes * memory,
            cpu=self.cpu * cpu,
            memory=self.memory * memory,
            kwh=self.kwh * cpu,
            kg_co2e=self.kg_co2e * cpu,
        )


def bill_of_use(
    prices: Prices, rates: Rates, *, cores: float, memory_bytes: float, unsampled_share: float = 0.0
) -> Bill:
    """Return the bill of what a program used of one machine."""
    cpu = rates.cpu_per_month(cores)
    kwh = kwh_per_month(prices.energy, busy_cores=cores, memory_bytes=memory_bytes)
    return Bill(
        cores=cores,
        memory_bytes=memory_bytes,
        cpu=cpu,
        memory=rates.memory_per_month(memory_bytes),
        unsampled=cpu * unsampled_share,
        kwh=kwh,
        kg_co2e=kg_co2e(prices.energy, kwh, rates.region),
    )


def bill_of_idle(prices: Prices, rates: Rates, *, cpus: float, memory_bytes: float, used: Bill) -> Bill:
    """Return what a machine costs beyond what was used of it; never less than nothing."""
    cores = max(cpus - used.cores, 0.0)
    memory = max(memory_bytes - used.memory_bytes, 0.0)
    kwh = kwh_per_month(prices.energy, busy_cores=0.0, powered_cores=cpus, memory_bytes=memory)
    return Bill(
        cores=cores,
        memory_bytes=memory,
        cpu=rates.cpu_per_month(cores),
        memory=rates.memory_per_month(memory),
        kwh=kwh,
        kg_co2e=kg_co2e(prices.energy, kwh, rates.region),
    )


def add_bills(bills: Iterable[Bill]) -> Bill:
    """Return the sum."""
    sums = {field.name: 0.0 for field in fields(Bill)}
    for bill in bills:
        for name in sums:
            sums[name] += getattr(bill, name)
    return Bill(**sums)
