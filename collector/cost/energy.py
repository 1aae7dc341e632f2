"""Watts and CO2e, by the same road as money: measured use times a table."""

from collector.cost.prices import BYTES_PER_GIB, Energy
from pyrometer.units import HOURS_PER_MONTH

_PER_THOUSAND = 1000.0


def kwh_per_month(energy: Energy, *, busy_cores: float, powered_cores: float = 0.0, memory_bytes: float = 0.0) -> float:
    """
    Return the energy of a month of 730 hours, the site's overhead included.

    Args:
        energy: The table.
        busy_cores: Cores that are busy all month.
        powered_cores: Cores whose idle draw counts too: those of a whole machine, 0 for a part of one.
        memory_bytes: Powered all month.
    """
    watts = (
        busy_cores * energy.watts_per_core
        + powered_cores * energy.watts_per_core_idle
        + memory_bytes / BYTES_PER_GIB * energy.watts_per_gib
    )
    return watts * energy.overhead * HOURS_PER_MONTH / _PER_THOUSAND


def kg_co2e(energy: Energy, kwh: float, region: str) -> float:
    """Return what the grid of a region gives off for it; without what making the machines gave off."""
    return kwh * energy.regions.get(region, energy.grams_co2e_per_kwh) / _PER_THOUSAND
