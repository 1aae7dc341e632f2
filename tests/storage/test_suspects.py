"""Suspects on both engines: stacks of two releases, and what was told of them."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.api.app import Api
from collector.api.limits import ApiLimits
from collector.cost import Prices
from pyrometer.api_suspects import SuspectsAnswer
from tests.contract.api_client import ask, send
from tests.contract.api_data import NS_PER_S, a_profile, write_profiles

# Stacks are kept for 14 days.
NOW_S = int(time.time()) // 10 * 10
ASKED = {"service": "shop", "baseline": "1", "candidate": "2", "start": "-1d"}


@pytest.fixture
def api(store):
    """Two releases side by side for an hour; of the second, Cart.price uses three times as much, below render."""
    profiles = []
    for at_s in range(NOW_S - 3600, NOW_S, 600):
        for version, price_ms in (("1", 100), ("2", 300)):
            profiles.append(a_profile(version, "alpha", at_s, render_ms=500, price_ms=price_ms))
    write_profiles(store, profiles)
    with ThreadPoolExecutor(2) as executor:
        yield Api(store, Prices(), ApiLimits(stacks_max=50), executor, now_ns=lambda: NOW_S * NS_PER_S)


def tell(api, **fields):
    assert send(api, "/api/v1/events", {"service": "shop", "time": "-2h", **fields}).status == 200


def suspects(api, **parameters):
    response = ask(api, "/api/v1/suspects", **ASKED, **parameters)
    assert response.status == 200, response.body
    return response.decode(SuspectsAnswer)


def touched(function, file):
    return {"function": function, "file": file}


def test_the_deploy_that_touched_the_function_is_named(api):
    """Before the deploys of other releases, incidents that both felt, and releases that were only seen."""
    tell(api, kind="deploy", version="1", functions=[touched("Cart.price", "cart.py")])
    tell(api, kind="incident", title="rain")
    assert suspects(api, function="Cart.price").suspects == []
    tell(api, kind="deploy", version="2", id="the one", functions=[touched("Cart.price", "src/app/cart.py")])
    answer = suspects(api, function="Cart.price", file="/app/cart.py")
    [found] = answer.suspects
    assert found.event.id == "the one"
    assert found.event.functions == []
    assert [row.function for row in found.touched] == ["Cart.price"]
    assert found.confidence > 0.9
    assert found.explained == pytest.approx(1.0)
    assert (answer.events, answer.notes) == (2, [])


def test_what_the_increase_runs_through_is_weighed(api):
    """A function that everything runs through says nothing; one that is called, and grew, some."""
    tell(api, kind="deploy", version="2", id="all", functions=[touched("main", "main.py")])
    assert suspects(api, function="Cart.price").suspects == []
    tell(api, kind="deploy", version="2", id="through", functions=[touched("Cart.price", "app/cart.py")])
    [found] = suspects(api, function="render").suspects
    assert found.event.id == "through"
    assert 0.25 < found.confidence < 0.9


def test_a_deploy_that_names_nothing_is_named_with_less(api):
    """A function that was never seen, and an operation: the deploy stays, and its words count."""
    tell(api, kind="deploy", version="2", title="Faster payments")
    assert suspects(api, function="nobody").suspects[0].confidence == pytest.approx(0.3)
    assert suspects(api, operation="POST /payment").suspects[0].confidence > 0.5
    assert "has words in common: payment" in suspects(api, operation="POST /payment").suspects[0].evidence


def test_stacks_that_are_not_there_are_told_of(api):
    """Other releases: no stacks, no increase, and the deploy is still known."""
    tell(api, kind="deploy", version="4", functions=[touched("Cart.price", "cart.py")])
    answer = ask(api, "/api/v1/suspects", service="shop", baseline="3", candidate="4", function="Cart.price").decode(
        SuspectsAnswer
    )
    assert [found.explained for found in answer.suspects] == [None]
    assert "has no stacks in this range" in answer.notes[0]


def test_a_release_is_not_compared_with_itself(api):
    """400, as in /compare."""
    assert ask(api, "/api/v1/suspects", service="shop", baseline="2", candidate="2").status == 400
