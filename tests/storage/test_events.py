"""Events on both engines: stored once however often they are sent, and new releases that tell of themselves."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.api.app import Api
from collector.api.limits import ApiLimits
from collector.cost import Prices
from pyrometer.api_events import EventsAnswer, EventStored
from pyrometer.units import format_time
from tests.contract.api_client import ask, send
from tests.contract.api_data import HOSTILE, NS_PER_S, a_profile, write_profiles

# Roll-ups are kept for 90 days, events for 400.
NOW_S = int(time.time()) // 10 * 10
DAY_S = 86_400
YESTERDAY = format_time((NOW_S - DAY_S) * NS_PER_S)
DEPLOY = {
    "kind": "deploy",
    "service": "shop",
    "version": HOSTILE,
    "time": YESTERDAY,
    "title": HOSTILE,
    "commits": ["Add a rule", HOSTILE],
    "functions": [{"function": "Cart.price", "file": "shop/cart.py", "first_line": 20, "last_line": 31}],
}


@pytest.fixture
def api(store):
    with ThreadPoolExecutor(2) as executor:
        yield Api(store, Prices(), ApiLimits(), executor, now_ns=lambda: NOW_S * NS_PER_S)


def events_of(api, **parameters):
    response = ask(api, "/api/v1/events", **parameters)
    assert response.status == 200, response.body
    return response.decode(EventsAnswer).events


def test_an_event_comes_back_as_it_was_sent_and_once(api):
    """Hostile text survives; the same event sent three times is one."""
    ids = {send(api, "/api/v1/events", DEPLOY).decode(EventStored).id for _ in range(3)}
    [event] = events_of(api)
    assert ids == {event.id}
    assert (event.title, event.version, event.time) == (HOSTILE, HOSTILE, YESTERDAY)
    assert event.commits == DEPLOY["commits"]
    [function] = event.functions
    assert (function.function, function.file, function.first_line, function.last_line) == (
        "Cart.price", "shop/cart.py", 20, 31,
    )  # fmt: skip


def test_an_id_sent_again_replaces_the_event(api):
    """What is known later wins."""
    for title in ("rolling out", "rolled out"):
        assert send(api, "/api/v1/events", {**DEPLOY, "id": "42", "title": title}).decode(EventStored).id == "42"
    assert [event.title for event in events_of(api)] == ["rolled out"]


def test_events_are_filtered_by_service_kind_and_range(api):
    """An event of all services comes along with those of one."""
    send(api, "/api/v1/events", DEPLOY)
    send(api, "/api/v1/events", {"kind": "incident", "title": "power cut", "time": "-1m"})
    send(api, "/api/v1/events", {"kind": "config", "service": "mailer", "time": "-2d"})
    assert [event.kind for event in events_of(api)] == ["incident", "deploy", "config"]
    assert [event.kind for event in events_of(api, service="shop")] == ["incident", "deploy"]
    assert [event.service for event in events_of(api, kind="config")] == ["mailer"]
    assert [event.kind for event in events_of(api, start="-1h")] == ["incident"]
    assert len(events_of(api, limit=1)) == 1


def test_a_release_first_seen_is_an_event(store, api):
    """The second release of a service tells of itself; the first, and one whose deploy was announced, do not."""
    for version, day in (("1.0", 5), ("", 4), ("1.1", 3), ("1.2", 2), ("1.1", 1)):
        at_s = NOW_S - day * DAY_S
        write_profiles(store, [a_profile(version, "alpha", at_s, render_ms=10, price_ms=0)])
    assert [(event.version, event.source) for event in events_of(api)] == [("1.2", "seen"), ("1.1", "seen")]
    at = events_of(api)[0].time
    send(api, "/api/v1/events", {"kind": "deploy", "service": "shop", "version": "1.2", "time": at, "source": "git"})
    assert [(event.version, event.source) for event in events_of(api)] == [("1.2", "git"), ("1.1", "seen")]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"kind": "party"}, "kind"),
        ({"service": ""}, "service"),
        ({"source": "seen"}, "source"),
        ({"time": "soon"}, "time"),
        ({"time": ""}, "time"),
        ({"time": "1999-01-01T00:00:00Z"}, "2000"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"colour": "red"}, "colour"),
        ({"functions": [{"file": "a.py"}]}, "function"),
        ({"version": "v" * 10_001}, "version"),
        ({"commits": ["x"] * 201}, "commits"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(api, change, word):
    """400 names the field; nothing is stored."""
    response = send(api, "/api/v1/events", {**DEPLOY, **change})
    assert response.status == 400
    assert word in response.json()["detail"]
    assert events_of(api) == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"null", b'{"kind": "deploy", "kind": 5}'])
def test_a_body_that_is_no_event_is_refused(api, body):
    """400 in the one error shape, whatever comes."""
    assert send(api, "/api/v1/events", body).status == 400


def test_a_body_too_large_or_of_another_kind_is_refused(api):
    """413 and 415 before anything is read into memory; a form of another site's page cannot write here."""
    assert send(api, "/api/v1/events", b" " * (4 * 1024**2 + 1)).status == 413
    assert send(api, "/api/v1/events", b"kind=deploy", headers={"content-type": "text/plain"}).status == 415
    assert send(api, "/api/v1/events", b"{}", headers={"content-encoding": "br"}).status == 415
