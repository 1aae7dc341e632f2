"""Prices."""

import pytest

from collector.cost import load_prices
from pyrometer.errors import ConfigError


def test_the_shipped_prices_load():
    """The price list that comes with an installation is valid and is not free."""
    prices = load_prices()
    assert prices.currency == "USD"
    assert prices.cpu_core_hour > 0


@pytest.mark.parametrize("text", ["cpu_core_hour: -1", "currency: ''", "cpu_core_hours: 1", "cpu_core_hour: free"])
def test_a_wrong_price_list_is_refused(tmp_path, text):
    """A negative, missing, misspelt or unreadable price names the file."""
    path = tmp_path / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"prices\.yaml"):
        load_prices(path)
