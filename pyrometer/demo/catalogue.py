"""The goods of the shop: made up from a seed, the same in every process."""

import random
from dataclasses import dataclass
from typing import Final

PRODUCTS: Final = 8_000
_WORDS: Final = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "hazel", "indigo", "juniper")


@dataclass(frozen=True, slots=True)
class Product:
    """Something to buy; money in cents."""

    number: int
    name: str
    price_cents: int
    tax_percent: int


def make_catalogue(size: int = PRODUCTS) -> tuple[Product, ...]:
    """Return *size* products."""
    chance = random.Random(7)
    return tuple(
        Product(
            number=number,
            name=f"{chance.choice(_WORDS)} {chance.choice(_WORDS)} {number}",
            price_cents=chance.randrange(99, 25_000),
            tax_percent=chance.choice((7, 19)),
        )
        for number in range(size)
    )
