"""What /checkout computes: pure Python, bound by the CPU."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from pyrometer.demo.catalogue import Product
from pyrometer.demo.releases import Release
from pyrometer.demo.tracing import inner_span

_FRAUD_ROUNDS = 5


class CardDeclinedError(Exception):
    """The buyer's card cannot be charged."""


@dataclass(frozen=True, slots=True)
class CartLine:
    """A product and how many of it."""

    product: Product
    quantity: int


@dataclass(frozen=True, slots=True)
class DiscountRule:
    """Takes *percent* off a line that is worth at least *threshold_cents* and whose product number fits."""

    divisor: int
    remainder: int
    threshold_cents: int
    percent: int


def make_rules(count: int) -> tuple[DiscountRule, ...]:
    """Return *count* discount rules, the same for the same count."""
    chance = random.Random(11)
    rules = []
    for _ in range(count):
        divisor = chance.randrange(11, 97)
        rules.append(
            DiscountRule(divisor, chance.randrange(divisor), chance.randrange(500, 90_000), chance.randrange(1, 9))
        )
    return tuple(rules)


class Checkout:
    """Prices carts as one release does."""

    def __init__(self, catalogue: Sequence[Product], release: Release) -> None:
        self._catalogue = catalogue
        self._rules = make_rules(release.discount_rules)

    def price_order(self, cart_number: int, lines: int, card: str) -> dict[str, int]:
        """
        Return what a cart costs, in cents.

        Raises:
            CardDeclinedError: If *card* is ``expired``.
        """
        cart = self.load_cart(cart_number, lines)
        with inner_span("price cart"):
            subtotals = line_totals(cart)
            discount = apply_discounts(cart, subtotals, self._rules)
            tax = compute_tax(cart, subtotals)
        with inner_span("check fraud"):
            risk = score_fraud_risk(cart_number, cart)
        charge_card(card)
        return {"total": sum(subtotals) - discount + tax, "discount": discount, "tax": tax, "risk": risk}

    def load_cart(self, cart_number: int, lines: int) -> list[CartLine]:
        """Return the lines of a cart: made from its number."""
        chance = random.Random(cart_number)
        return [CartLine(chance.choice(self._catalogue), chance.randrange(1, 5)) for _ in range(lines)]


def line_totals(cart: Sequence[CartLine]) -> list[int]:
    """Return the price of each line."""
    return [line.product.price_cents * line.quantity for line in cart]


def apply_discounts(cart: Sequence[CartLine], subtotals: Sequence[int], rules: Sequence[DiscountRule]) -> int:
    """Return what the rules take off: every rule is tried on every line."""
    total = 0
    for line, subtotal in zip(cart, subtotals, strict=True):
        number = line.product.number
        for rule in rules:
            if number % rule.divisor == rule.remainder and subtotal >= rule.threshold_cents:
                total += subtotal * rule.percent // 100
    return total


def compute_tax(cart: Sequence[CartLine], subtotals: Sequence[int]) -> int:
    """Return the tax, rounded line by line as the law wants it."""
    tax = 0
    for line, subtotal in zip(cart, subtotals, strict=True):
        tax += round_half_even(subtotal * line.product.tax_percent, 100)
    return tax


def round_half_even(numerator: int, denominator: int) -> int:
    """Return the quotient rounded to the nearest whole, halves to even."""
    quotient, remainder = divmod(numerator, denominator)
    if 2 * remainder > denominator or (2 * remainder == denominator and quotient % 2):
        return quotient + 1
    return quotient


def score_fraud_risk(cart_number: int, cart: Sequence[CartLine]) -> int:
    """Return a score from 0 to 99, by a hash over the cart."""
    state = cart_number & 0xFFFFFFFF
    for _ in range(_FRAUD_ROUNDS):
        for line in cart:
            for byte in line.product.name.encode():
                state = mix(state, byte)
    return state % 100


def mix(state: int, byte: int) -> int:
    """Return the next state of the hash. Source: Fowler, Noll and Vo, FNV-1a with 32 bits."""
    return ((state ^ byte) * 16_777_619) & 0xFFFFFFFF


def charge_card(card: str) -> None:
    """Charge the card, or raise CardDeclinedError."""
    if card == "expired":
        raise CardDeclinedError("the card has expired")
