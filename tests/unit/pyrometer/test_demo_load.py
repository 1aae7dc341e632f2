"""The load generator's decisions."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrometer.demo.load import RATE_MIN, adjusted_rate, draw_paths, draw_request


def test_within_the_budget_the_rate_is_the_wanted_one():
    """A shop that uses less than its budget gets the nominal rate and not more."""
    assert adjusted_rate(40.0, 0.3, budget_cores=0.6, nominal=40.0) == 40.0


def test_above_the_budget_the_rate_falls_in_proportion():
    """A fifth too much CPU takes a sixth off the rate."""
    assert adjusted_rate(36.0, 0.72, budget_cores=0.6, nominal=40.0) == pytest.approx(30.0)


def test_one_bad_interval_at_most_halves_the_rate():
    """A single sample is not trusted with more than a factor of two."""
    assert adjusted_rate(40.0, 60.0, budget_cores=0.6, nominal=40.0) == 20.0


def test_the_rate_comes_back_step_by_step():
    """After a slow time the rate rises by a tenth per interval."""
    assert adjusted_rate(10.0, 0.1, budget_cores=0.6, nominal=40.0) == pytest.approx(11.0)


@given(rate=st.floats(RATE_MIN, 1000), used=st.floats(0, 100), nominal=st.floats(RATE_MIN, 1000))
def test_the_rate_stays_within_its_bounds(rate, used, nominal):
    """Whatever is measured, the rate lies between the minimum and what was asked for."""
    assert RATE_MIN <= adjusted_rate(rate, used, budget_cores=0.6, nominal=nominal) <= nominal


def test_the_budget_is_kept_on_a_slow_machine():
    """Where each request costs five times the usual CPU, the rate settles where the budget is met."""
    rate, cores_per_request = 40.0, 0.05
    for _ in range(20):
        rate = adjusted_rate(rate, rate * cores_per_request, budget_cores=0.6, nominal=40.0)

    assert rate * cores_per_request == pytest.approx(0.6, rel=0.01)


def test_every_endpoint_gets_requests():
    """All five endpoints are in the mix, and stock reservations come in bursts."""
    chance = random.Random(1)
    arrivals = [draw_paths(chance) for _ in range(2_000)]

    seen = Counter(paths[0] for paths in arrivals)

    assert set(seen) == {"/checkout", "/search", "/orders", "/stock", "/export"}
    assert min(seen.values()) > 50
    assert {len(paths) for paths in arrivals if paths[0] == "/stock"} == {5}


def test_a_few_checkouts_fail():
    """About one buyer in a hundred has an expired card."""
    chance = random.Random(1)

    expired = sum("card=expired" in draw_request("/checkout", chance) for _ in range(5_000))

    assert 25 <= expired <= 80
