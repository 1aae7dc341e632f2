"""What the shop computes, and that the releases differ where they should."""

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyrometer.demo.catalogue import make_catalogue
from pyrometer.demo.checkout import (
    CardDeclinedError,
    Checkout,
    apply_discounts,
    line_totals,
    make_rules,
    round_half_even,
    score_fraud_risk,
)
from pyrometer.demo.export import export_catalogue
from pyrometer.demo.orders import Ledger, list_orders
from pyrometer.demo.releases import BASELINE, CANDIDATE
from pyrometer.demo.search import SearchIndex, embed_text
from pyrometer.demo.stock import Warehouse

CATALOGUE = make_catalogue(300)


class CountingRules(tuple):
    """Rules that count how often one is taken, which is what costs the CPU."""

    __slots__ = ()
    taken = 0

    def __iter__(self):
        for rule in super().__iter__():
            type(self).taken += 1
            yield rule


def rules_tried(count: int) -> int:
    class Counting(CountingRules):
        pass

    cart = Checkout(CATALOGUE, BASELINE).load_cart(5, 10)
    apply_discounts(cart, line_totals(cart), Counting(make_rules(count)))
    return Counting.taken


def test_the_new_release_does_sixty_percent_more_in_one_function():
    """The planted regression in `apply_discounts` is a factor of 1.6 in the rules it tries."""
    assert Fraction(rules_tried(CANDIDATE.discount_rules), rules_tried(BASELINE.discount_rules)) == Fraction(8, 5)


def test_only_the_new_releases_ledger_stalls():
    """The planted tail: about 3% of answers come 250 ms later in 1.5.0, none in 1.4.0."""
    ledgers = {release.version: Ledger(release, seed=3) for release in (BASELINE, CANDIDATE)}
    slow = {version: sum(ledger.answer_time_s() > 0.2 for _ in range(10_000)) for version, ledger in ledgers.items()}

    assert slow["1.4.0"] == 0
    assert 250 <= slow["1.5.0"] <= 350


def test_a_cart_is_priced_from_its_lines():
    """The total is the lines less the discount plus the tax, and nothing is negative."""
    checkout = Checkout(CATALOGUE, BASELINE)

    answer = checkout.price_order(17, 40, "valid")

    cart = checkout.load_cart(17, 40)
    assert answer["total"] == sum(line_totals(cart)) - answer["discount"] + answer["tax"]
    assert answer["discount"] > 0
    assert answer["tax"] > 0
    assert answer["risk"] == score_fraud_risk(17, cart)


def test_an_expired_card_is_declined():
    """The few failed requests of the demo come from a real exception."""
    with pytest.raises(CardDeclinedError):
        Checkout(CATALOGUE, BASELINE).price_order(1, 1, "expired")


@given(numerator=st.integers(0, 10**9), denominator=st.integers(1, 1000))
@settings(max_examples=50)
def test_rounding_agrees_with_exact_fractions(numerator, denominator):
    """Halves go to the even neighbour, as Python's own rounding of fractions does it."""
    assert round_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


def test_a_product_is_found_by_its_own_name():
    """The nearest product to a product's name is that product, or one that is spelt alike."""
    index = SearchIndex(CATALOGUE)

    found = index.find(CATALOGUE[42].name, limit=5)

    assert len(found) == 5
    assert CATALOGUE[42].name in found


@pytest.mark.parametrize("text", ["", "a", "\x00", "ünï", "x" * 200])
def test_any_text_has_a_vector(text):
    """Short, empty and odd queries are vectors of the same shape."""
    vector = embed_text(text)

    assert vector.shape == (128,)
    assert vector.dtype == np.float32
    assert float(vector.sum()) == max(0, len(text.encode()) - 1) or len(text.encode()) == 1


def test_the_export_has_a_line_for_each_row_and_quotes_names():
    """The file is a header and as many rows as were asked for, or as there are."""
    lines = export_catalogue(CATALOGUE, 10).splitlines()

    assert lines[0] == "number,name,price"
    assert len(lines) == 11
    assert lines[1].startswith('0,"')
    assert len(export_catalogue(CATALOGUE, 10_000).splitlines()) == 301


def test_stock_goes_down_and_is_filled_up_again():
    """A reservation takes what it asks for; an empty shelf is restocked."""
    warehouse = Warehouse(CATALOGUE)

    assert warehouse.reserve(5, 400) == 600
    assert warehouse.reserve(5 + len(CATALOGUE), 600) == 1_000


def test_orders_come_over_the_socket():
    """The ledger answers on a real port, with the customer's orders."""
    ledger = Ledger(BASELINE, seed=1)
    ledger.start()

    orders = list_orders(ledger.address, 12)

    assert [order["number"] for order in orders] == [120, 121, 122, 123, 124]


def test_the_catalogue_is_the_same_in_every_process():
    """Two releases in two processes sell the same goods."""
    random.seed(99)

    assert make_catalogue(300) == CATALOGUE
