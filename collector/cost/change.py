"""What a change along a series costs a month."""

from dataclasses import dataclass
from typing import Final

from collector.cost.prices import Prices
from collector.cost.rates import Rates
from collector.detect.finding import Finding, Kind
from pyrometer.units import HOURS_PER_MONTH

_MS_PER_S: Final = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """
    What a change is multiplied with.

    Attributes:
        requests_per_second: Of the service; of the operation where the series is an operation's.
        service_cores: CPU seconds per second of the whole service.
    """

    requests_per_second: float = 0.0
    service_cores: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePrice:
    """The price of a month of a change and the ends of its interval; negative where it saves."""

    middle: float
    low: float
    high: float
    currency: str
    assumptions: tuple[str, ...]


def price_change(
    prices: Prices, finding: Finding, traffic: Traffic, *, rates: Rates | None = None
) -> ChangePrice | None:
    """
    Return what a finding costs a month of 730 hours, None where its series has no price (errors, throughput).

    Args:
        prices: The price list.
        finding: Its effect and interval are priced.
        traffic: Taken to stay as it is all month.
        rates: Those of the machines of the service; the price list's for unlisted machines when absent.
    """
    cpu_hour = prices.cpu_core_hour if rates is None else rates.cpu_core_hour
    memory_hour = prices.memory_gib_hour if rates is None else rates.memory_gib_hour
    core = HOURS_PER_MONTH * cpu_hour
    slot = HOURS_PER_MONTH * memory_hour * prices.worker_memory_gib
    per_second = traffic.requests_per_second
    a_core = f"a core hour costs {cpu_hour:g} {prices.currency}"
    assumed: tuple[str, ...]
    match finding.key.kind:
        case Kind.FUNCTION_SHARE:
            factor = traffic.service_cores * core
            assumed = (f"the service goes on using {traffic.service_cores:.3g} cores", a_core)
        case Kind.FUNCTION_CPU | Kind.SERVICE_CPU | Kind.HOST_CPU:
            factor, assumed = core, (a_core,)
        case Kind.FUNCTION_PER_REQUEST | Kind.SERVICE_CPU_PER_REQUEST:
            factor = per_second / _MS_PER_S * core
            assumed = (f"traffic stays at {per_second:.3g} requests per second", a_core)
        case Kind.OPERATION_LATENCY_MEAN:
            # Little's law: requests per second x seconds longer = worker slots more that are held at any moment.
            factor = per_second / _MS_PER_S * slot
            assumed = (
                f"traffic stays at {per_second:.3g} requests per second",
                f"a request holds {prices.worker_memory_gib:g} GiB while it is served",
                f"a GiB hour costs {memory_hour:g} {prices.currency}",
            )
        case _:
            return None
    return ChangePrice(
        middle=finding.effect * factor,
        low=finding.low * factor,
        high=finding.high * factor,
        currency=prices.currency,
        assumptions=assumed,
    )
