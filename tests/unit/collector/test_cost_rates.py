"""What a core hour and a GiB hour cost on a machine, and what power they mean."""

import msgspec
import pytest

from collector.cost import Prices, load_prices
from collector.cost.energy import kg_co2e, kwh_per_month
from collector.cost.prices import Energy, HostType, Machine
from collector.cost.rates import HostFacts, blend, rates_of_host
from pyrometer.errors import ConfigError

RENTED = Machine(type="m.large", cloud="aws", vcpus=4, memory_gib=16, hour=0.2, discount=0.25, memory_share=0.4)
IN_REGION = Machine(type="m.large", cloud="aws", region="eu-1", vcpus=4, memory_gib=16, hour=0.4)
BOUGHT = Machine(type="rack", vcpus=10, memory_gib=100, purchase=8760, years=1, running_per_month=73, memory_share=0.5)
PRICES = Prices(machines=(RENTED, IN_REGION, BOUGHT), hosts=(HostType(host="db-*", type="rack"),))


def test_a_rented_machine_is_split_between_its_cpus_and_its_memory():
    """0.20 an hour less a quarter is 0.15: 60% of it by 4 CPUs, 40% by 16 GiB; together they are the machine again."""
    rates = rates_of_host(PRICES, HostFacts(name="web-1", type="m.large", cloud="aws"))
    assert (0.0225, 0.00375) == pytest.approx((rates.cpu_core_hour, rates.memory_gib_hour))
    assert rates.machine_per_month(cores=4, memory_bytes=16 * 2**30) == pytest.approx(0.15 * 730)
    assert rates.basis == "m.large (aws): 0.2 USD an hour less 25%, 40% of it its memory's"


def test_a_bought_machine_is_written_off():
    """8760 over a year and 73 a month are 803 a month, 1.10 an hour."""
    rates = rates_of_host(PRICES, HostFacts(name="db-7"))
    assert rates.machine_per_month(cores=10, memory_bytes=100 * 2**30) == pytest.approx(803)
    assert rates.basis == "rack: 8760 USD over 1 years and 73 a month, 50% of it its memory's"


def test_the_machine_that_says_more_about_a_host_wins():
    """The same type has a price of its own in one region."""
    rates = rates_of_host(PRICES, HostFacts(name="web-1", type="m.large", cloud="aws", region="eu-1"))
    assert rates.cpu_core_hour == pytest.approx(0.4 * 0.65 / 4)


def test_a_machine_that_is_not_listed_says_so():
    """Its rates are the list's general ones, and the basis names the type that is missing."""
    rates = rates_of_host(PRICES, HostFacts(name="web-1", type="m.large", cloud="gcp"))
    assert (rates.cpu_core_hour, rates.listed) == (PRICES.cpu_core_hour, False)
    assert "of type m.large that is not in the price list" in rates.basis


def test_a_service_on_two_kinds_of_machine_pays_by_the_cpu_used_on_each():
    """Three quarters of the CPU on a machine weigh three times as much as a quarter on another."""
    first = rates_of_host(PRICES, HostFacts(name="web-1", type="m.large", cloud="aws"))
    second = rates_of_host(PRICES, HostFacts(name="db-1"))
    both = blend(PRICES, [(first, 3.0), (second, 1.0)])
    assert both.cpu_core_hour == pytest.approx(0.75 * first.cpu_core_hour + 0.25 * second.cpu_core_hour)
    assert blend(PRICES, [(first, 3.0), (first, 1.0)]) == first
    assert blend(PRICES, []).cpu_core_hour == PRICES.cpu_core_hour


@pytest.mark.parametrize(
    ("machine", "rule"),
    [
        ("{type: a, vcpus: 1, memory_gib: 1}", "needs either hour"),
        ("{type: a, vcpus: 1, memory_gib: 1, hour: 1, purchase: 1}", "needs either hour"),
        ("{type: a, vcpus: 0, memory_gib: 1, hour: 1}", "vcpus"),
        ("{type: a, vcpus: 1, memory_gib: 1, hour: -0.1}", "hour"),
        ("{type: a, vcpus: 1, memory_gib: 1, hour: 1, discount: 1}", "discount"),
        ("{type: a, vcpus: 1, memory_gib: 1, hours: 1}", "hours"),
    ],
)
def test_a_machine_that_makes_no_sense_is_refused(tmp_path, machine, rule):
    """No price, two prices, no CPU, a negative price, nothing left to pay: the file and the rule are named."""
    path = tmp_path / "prices.yaml"
    path.write_text(f"machines: [{machine}]", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"prices\.yaml.*{rule}"):
        load_prices(path)


def test_power_is_use_times_watts_times_overhead():
    """Two busy cores of a machine of four with 8 GiB: 2 x 3 + 4 x 1 + 8 x 0.5 = 14 W, twice that with the site."""
    energy = Energy(watts_per_core=3, watts_per_core_idle=1, watts_per_gib=0.5, overhead=2, regions={"north": 10})
    kwh = kwh_per_month(energy, busy_cores=2, powered_cores=4, memory_bytes=8 * 2**30)
    assert kwh == pytest.approx(28 * 730 / 1000)
    assert kg_co2e(energy, kwh, "north") == pytest.approx(kwh / 100)
    assert kg_co2e(energy, kwh, "elsewhere") == pytest.approx(kwh * 0.48)
    assert msgspec.structs.replace(energy, overhead=1.0) != energy


def test_a_machine_that_is_not_listed_has_the_prices_of_none():
    """Two cores at 0.10 and 4 GiB at 0.01 an hour, for a month of 730 hours."""
    rates = rates_of_host(Prices(cpu_core_hour=0.10, memory_gib_hour=0.01), HostFacts(name="web-9"))
    assert rates.cpu_per_month(2) == pytest.approx(146.0)
    assert rates.machine_per_month(cores=2, memory_bytes=4 * 2**30) == pytest.approx(146.0 + 29.2)
