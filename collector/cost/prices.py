"""The price list, ``prices.yaml``: what a core and a GiB cost, by machine where that is known."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from pyrometer.config import load_settings, shipped_config
from pyrometer.units import HOURS_PER_MONTH

Price = Annotated[float, Meta(ge=0, le=1e9)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Name = Annotated[str, Meta(max_length=256)]
BYTES_PER_GIB: Final = 1024**3
_MONTHS_PER_YEAR: Final = 12


class Machine(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """
    One type of machine, rented by the hour or bought.

    Attributes:
        type: ``host.type`` of the hosts it stands for, or what ``hosts`` of the price list calls them.
        cloud: ``cloud.provider``; empty for any.
        region: ``cloud.region``; empty for any. The machine that says more about a host wins.
        vcpus: Logical CPUs.
        memory_gib: GiB.
        hour: List price of an hour, for a rented one.
        purchase: Price of a bought one, written off evenly over ``years``.
        years: How long a bought one is used.
        running_per_month: What a bought one costs beside: power, space, hands.
        discount: Commitment discount, as a fraction of the list price.
        memory_share: Of the price, what is its memory's; the rest is its CPUs'.
    """

    type: Annotated[str, Meta(min_length=1, max_length=256)]
    cloud: Name = ""
    region: Name = ""
    vcpus: Annotated[int, Meta(ge=1, le=100_000)]
    memory_gib: Annotated[float, Meta(gt=0, le=1e6)]
    hour: Price | None = None
    purchase: Price | None = None
    years: Annotated[float, Meta(gt=0, le=50)] = 4.0
    running_per_month: Price = 0.0
    discount: Share = 0.0
    memory_share: Share = 0.35

    def __post_init__(self) -> None:
        """Refuse a machine that is neither rented nor bought, or both."""
        if (self.hour is None) == (self.purchase is None):
            raise ValueError(f"machine {self.type!r} needs either hour (rented) or purchase (bought), and one of them")

    def per_hour(self) -> float:
        """Return what an hour of it costs, busy or not, after discount or write-off."""
        if self.hour is not None:
            return self.hour * (1 - self.discount)
        written_off = (self.purchase or 0.0) * (1 - self.discount) / (self.years * _MONTHS_PER_YEAR)
        return (written_off + self.running_per_month) / HOURS_PER_MONTH


class HostType(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Says which machine a host is, where its resource attributes do not; ``host`` may hold ``*`` and ``?``."""

    host: Annotated[str, Meta(min_length=1, max_length=256)]
    type: Annotated[str, Meta(min_length=1, max_length=256)]


class Budget(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What a service, or everything where none is named, may cost a month."""

    service: Name = ""
    per_month: Price


class Energy(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """
    How use becomes power and CO2e.

    Attributes:
        watts_per_core: More that one logical CPU draws when it is busy than when it idles.
        watts_per_core_idle: What it draws when it idles.
        watts_per_gib: Of memory, used or not.
        overhead: Power of the whole site over that of its machines (PUE).
        grams_co2e_per_kwh: Of the grid, where the region of a host is not listed.
        regions: The same by ``cloud.region``.
    """

    watts_per_core: Price = 2.8
    watts_per_core_idle: Price = 0.7
    watts_per_gib: Price = 0.4
    overhead: Annotated[float, Meta(ge=1, le=10)] = 1.2
    grams_co2e_per_kwh: Price = 480.0
    regions: dict[str, Price] = msgspec.field(default_factory=dict)


class Prices(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """
    A price list.

    Attributes:
        currency: What the prices are in; shown as it is.
        cpu_core_hour: One core busy for one hour, on a machine that is not listed.
        memory_gib_hour: One GiB of memory held for one hour, on a machine that is not listed.
        worker_memory_gib: Memory of the worker (thread or process slot) that one request holds while it is served.
        machines: Machines with prices of their own.
        hosts: Which machine a host is, first match first; asked before the host's own ``host.type``.
        budgets: Lines that the cost page draws.
        energy: How use becomes power and CO2e.
    """

    currency: Annotated[str, Meta(min_length=1, max_length=16)] = "USD"
    cpu_core_hour: Price = 0.034
    memory_gib_hour: Price = 0.0045
    worker_memory_gib: Price = 0.25
    machines: Annotated[tuple[Machine, ...], Meta(max_length=10_000)] = ()
    hosts: Annotated[tuple[HostType, ...], Meta(max_length=10_000)] = ()
    budgets: Annotated[tuple[Budget, ...], Meta(max_length=1_000)] = ()
    energy: Energy = Energy()


def load_prices(path: Path | None = None) -> Prices:
    """
    Read a price list, by default the one this installation was shipped with.

    Raises:
        ConfigError: If the file cannot be read or a price in it is not valid.
    """
    return load_settings(Prices, program="prices", path=path or shipped_config("prices.yaml"))
