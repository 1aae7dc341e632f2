"""What a core hour and a GiB hour cost on one machine, and on the machines that a service used."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from collector.cost.prices import BYTES_PER_GIB, Machine, Prices
from pyrometer.units import HOURS_PER_MONTH


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What is known of a host: resource attributes as its agent sent them, empty where it did not."""

    name: str
    type: str = ""
    cloud: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """
    The two prices, what they rest on, and the region whose grid feeds the machine.

    Attributes:
        basis: One sentence for a reader.
        listed: Whether a machine of the price list stands behind them.
    """

    cpu_core_hour: float
    memory_gib_hour: float
    basis: str
    listed: bool = False
    region: str = ""

    def cpu_per_month(self, cores: float) -> float:
        """Return the price of cores that are busy all month."""
        return cores * HOURS_PER_MONTH * self.cpu_core_hour

    def memory_per_month(self, memory_bytes: float) -> float:
        """Return the price of memory that is held all month."""
        return memory_bytes / BYTES_PER_GIB * HOURS_PER_MONTH * self.memory_gib_hour

    def machine_per_month(self, *, cores: float, memory_bytes: float) -> float:
        """Return the price of a whole machine, busy or not."""
        return self.cpu_per_month(cores) + self.memory_per_month(memory_bytes)


def rates_of_host(prices: Prices, host: HostFacts) -> Rates:
    """Return the rates of the machine that a host is, or those of a machine that is not listed."""
    machine = find_machine(prices, host)
    if machine is None:
        of_type = f" of type {host.type}" if host.type else ""
        return _unlisted(prices, f"a machine{of_type} that is not in the price list", host.region)
    return machine_rates(machine, prices.currency, region=host.region)


def find_machine(prices: Prices, host: HostFacts) -> Machine | None:
    """Return the listed machine that says most about a host: cloud and region, one of them, or its type alone."""
    wanted = next((row.type for row in prices.hosts if fnmatchcase(host.name, row.host)), host.type)
    fitting = [
        machine
        for machine in prices.machines
        if machine.type == wanted and machine.cloud in ("", host.cloud) and machine.region in ("", host.region)
    ]
    return max(fitting, key=lambda machine: (machine.region != "", machine.cloud != ""), default=None)


def machine_rates(machine: Machine, currency: str, *, region: str = "") -> Rates:
    """Return what a core hour and a GiB hour of a machine cost: its price divided by its CPUs and by its memory."""
    per_hour = machine.per_hour()
    where = " ".join(part for part in (machine.cloud, machine.region) if part)
    if machine.hour is not None:
        price = f"{machine.hour:g} {currency} an hour"
    else:
        price = f"{machine.purchase:g} {currency} over {machine.years:g} years"
        price += f" and {machine.running_per_month:g} a month" if machine.running_per_month else ""
    price += f" less {machine.discount:.0%}" if machine.discount else ""
    return Rates(
        cpu_core_hour=per_hour * (1 - machine.memory_share) / machine.vcpus,
        memory_gib_hour=per_hour * machine.memory_share / machine.memory_gib,
        basis=f"{machine.type}{f' ({where})' if where else ''}: {price}, {machine.memory_share:.0%} of it its memory's",
        listed=True,
        region=region,
    )


def blend(prices: Prices, parts: Iterable[tuple[Rates, float]]) -> Rates:
    """
    Return the rates of a service that ran on many machines: each weighs as much as the CPU used on it.

    Args:
        prices: For what no machine is known of.
        parts: Rates of a machine, and the CPU used there in any one unit.
    """
    known = [(rates, cpu) for rates, cpu in parts if cpu > 0]
    total = sum(cpu for _, cpu in known)
    if not total:
        return _unlisted(prices, "machines that are not known", "")
    first = known[0][0]
    if all(rates == first for rates, _ in known):
        return first
    kinds = len({rates.basis for rates, _ in known})
    return Rates(
        cpu_core_hour=sum(rates.cpu_core_hour * cpu for rates, cpu in known) / total,
        memory_gib_hour=sum(rates.memory_gib_hour * cpu for rates, cpu in known) / total,
        basis=f"the mean of {kinds} kinds of machine, each by the CPU used on it",
        listed=all(rates.listed for rates, _ in known),
        region=first.region if all(rates.region == first.region for rates, _ in known) else "",
    )


def _unlisted(prices: Prices, what: str, region: str) -> Rates:
    return Rates(
        cpu_core_hour=prices.cpu_core_hour,
        memory_gib_hour=prices.memory_gib_hour,
        basis=f"{what}: {prices.cpu_core_hour:g} {prices.currency} a core hour, {prices.memory_gib_hour:g} a GiB hour",
        region=region,
    )
