"""What use of a resource costs, by the price list of ``prices.yaml``."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from pyrometer.config import load_settings, shipped_config
from pyrometer.units import HOURS_PER_MONTH

Price = Annotated[float, Meta(ge=0, le=1e9)]
BYTES_PER_GIB = 1024**3


class Prices(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """
    A price list.

    Attributes:
        currency: What the prices are in; shown as it is.
        cpu_core_hour: One core busy for one hour.
        memory_gib_hour: One GiB of memory held for one hour.
        worker_memory_gib: Memory of the worker (thread or process slot) that one request holds while it is served.
    """

    currency: Annotated[str, Meta(min_length=1, max_length=16)] = "USD"
    cpu_core_hour: Price = 0.034
    memory_gib_hour: Price = 0.0045
    worker_memory_gib: Price = 0.25

    def cpu_per_month(self, cores: float) -> float:
        """Return the price of cores that are busy all month."""
        return cores * HOURS_PER_MONTH * self.cpu_core_hour

    def slots_per_month(self, slots: float) -> float:
        """Return the price of worker slots that are held all month. Slots held = requests per second x seconds each."""
        return slots * self.worker_memory_gib * HOURS_PER_MONTH * self.memory_gib_hour

    def machine_per_month(self, *, cores: float, memory_bytes: float) -> float:
        """Return the price of a whole machine, busy or not."""
        return self.cpu_per_month(cores) + memory_bytes / BYTES_PER_GIB * HOURS_PER_MONTH * self.memory_gib_hour


def load_prices(path: Path | None = None) -> Prices:
    """
    Read a price list, by default the one this installation was shipped with.

    Raises:
        ConfigError: If the file cannot be read or a price in it is not valid.
    """
    return load_settings(Prices, program="prices", path=path or shipped_config("prices.yaml"))
