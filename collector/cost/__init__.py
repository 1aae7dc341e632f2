"""
What use of a resource costs.

    prices      the price list, ``prices.yaml``
    rates       what a core hour and a GiB hour cost on a machine, and on many
    bill        use as money and energy: parts that add up
    change      what a change along a series costs a month
    energy      watts and CO2e, by the same road as money
"""

from collector.cost.prices import Prices, load_prices

__all__ = ["Prices", "load_prices"]
