"""Prices."""

import pytest

from collector.cost import Prices, load_prices
from pyrometer.errors import ConfigError


def test_the_shipped_prices_load():
    """The price list that comes with an installation is valid and is not free."""
    prices = load_prices()
    assert prices.currency == "USD"
    assert prices.cpu_core_hour > 0


def test_prices_are_per_month_of_730_hours():
    """Two cores at 0.10 an hour, and 40 worker slots of half a GiB at 0.01 an hour."""
    prices = Prices(cpu_core_hour=0.10, memory_gib_hour=0.01, worker_memory_gib=0.5)
    assert prices.cpu_per_month(2) == pytest.approx(146.0)
    assert prices.slots_per_month(40) == pytest.approx(146.0)
    assert prices.machine_per_month(cores=2, memory_bytes=4 * 1024**3) == pytest.approx(146.0 + 29.2)


@pytest.mark.parametrize("text", ["cpu_core_hour: -1", "currency: ''", "cpu_core_hours: 1", "cpu_core_hour: free"])
def test_a_wrong_price_list_is_refused(tmp_path, text):
    """A negative, missing, misspelt or unreadable price names the file."""
    path = tmp_path / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"prices\.yaml"):
        load_prices(path)
