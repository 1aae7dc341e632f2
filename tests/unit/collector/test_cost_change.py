"""What a change along a series costs a month."""

import pytest

from collector.cost import Prices
from collector.cost.change import Traffic, price_change
from collector.cost.rates import Rates
from collector.detect.finding import Finding, FindingState, Kind, SeriesKey

# A core and a GiB cost 1 a month.
PRICES = Prices(cpu_core_hour=1 / 730, memory_gib_hour=1 / 730, worker_memory_gib=0.5)
TRAFFIC = Traffic(requests_per_second=200.0, service_cores=40.0)


def a_finding(kind: Kind, *, before=10.0, after=15.0, low=4.0, high=6.0) -> Finding:
    return Finding(
        key=SeriesKey(service="shop", kind=kind, name="work"),
        index=5, time_s=0, step_s=600, before=before, after=after, low=low, high=high, p_value=1e-6, mde=1.0,
        samples=1000, direction="up", state=FindingState.CONFIRMED,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # 5 ms more for each of 200 requests a second is one core.
        (Kind.FUNCTION_PER_REQUEST, 1.0),
        (Kind.SERVICE_CPU_PER_REQUEST, 1.0),
        (Kind.FUNCTION_CPU, 5.0),
        # Little's law: one worker slot of half a GiB more.
        (Kind.OPERATION_LATENCY_MEAN, 0.5),
    ],
)
def test_a_change_is_priced_by_what_it_uses_more(kind, expected):
    """The effect times the traffic times the price of a core or of a worker's memory, and so the interval's ends."""
    price = price_change(PRICES, a_finding(kind), TRAFFIC)
    assert price is not None
    assert (expected, 0.8 * expected, 1.2 * expected) == pytest.approx((price.middle, price.low, price.high))
    assert price.assumptions


def test_a_share_is_priced_by_the_cores_of_its_service():
    """Two points of 40 cores are 0.8 cores; less is a saving."""
    finding = a_finding(Kind.FUNCTION_SHARE, before=0.05, after=0.03, low=-0.03, high=-0.01)
    price = price_change(PRICES, finding, TRAFFIC)
    assert price is not None
    assert (-0.8, -1.2, -0.4) == pytest.approx((price.middle, price.low, price.high))
    assert "the service goes on using 40 cores" in price.assumptions


def test_the_rates_of_the_machines_go_before_those_of_the_list():
    """A core that costs three times as much makes the change cost three times as much."""
    rates = Rates(cpu_core_hour=3 / 730, memory_gib_hour=0.0, basis="")
    price = price_change(PRICES, a_finding(Kind.SERVICE_CPU), TRAFFIC, rates=rates)
    assert price is not None
    assert price.middle == pytest.approx(15.0)


@pytest.mark.parametrize("kind", [Kind.OPERATION_ERRORS, Kind.SERVICE_THROUGHPUT, Kind.OPERATION_LATENCY_P99])
def test_what_has_no_price_has_none(kind):
    """Errors, throughput and a quantile are not money; nothing is made up."""
    assert price_change(PRICES, a_finding(kind), TRAFFIC) is None
