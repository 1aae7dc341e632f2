"""Regressions on both engines: recorded scans make one for each cause, and what people say of it stays."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.api.app import Api
from collector.api.limits import ApiLimits
from collector.cost import Prices
from pyrometer.api_detect import DetectAnswer
from pyrometer.api_regressions import RegressionsAnswer
from tests.contract.api_client import ask, send
from tests.contract.api_data import HOSTILE, NS_PER_S
from tests.contract.releases import BUCKETS, FUNCTIONS, ReleaseWriter

NOW_S = int(time.time()) // 10 * 10
SLOWER = {**FUNCTIONS, "step_5": FUNCTIONS["step_5"] * 1.5}


@pytest.fixture
def api(store):
    """Two services whose second release, beside the first, costs more in one function."""
    writer = ReleaseWriter(store, NOW_S - 2 * BUCKETS * 10)
    for service in ("shop", HOSTILE):
        writer.release(service, "1", cpu_ms=FUNCTIONS, spans=False)
        writer.release(service, "2", cpu_ms=SLOWER, spans=False)
    with ThreadPoolExecutor(4) as executor:
        yield Api(store, Prices(), ApiLimits(), executor, now_ns=lambda: NOW_S * NS_PER_S)


def record(api, service="shop", **parameters):
    response = send(api, "/api/v1/detect", b"", service=service, start="-1d", **parameters)
    assert response.status == 200, response.body
    return response.decode(DetectAnswer)


def regressions(api, **parameters):
    return ask(api, "/api/v1/regressions", **parameters).decode(RegressionsAnswer).regressions


def say(api, **fields):
    return send(api, "/api/v1/regressions", fields)


def test_a_recorded_scan_makes_one_regression_however_often_it_runs(api):
    """With release, price and history; a scan that is only asked for records nothing."""
    assert ask(api, "/api/v1/detect", service="shop", start="-1d").decode(DetectAnswer).findings
    assert regressions(api) == []
    answer = record(api)
    [found] = regressions(api)
    assert found.finding == answer.findings[0]
    assert (found.finding.name, found.release, found.open) == ("step_5", "2", True)
    assert found.finding.price_per_month > 0
    assert [step.by for step in found.history] == ["scan"]
    record(api)
    assert regressions(api) == [found]


def test_two_collectors_that_scan_at_once_come_to_the_same(api, store):
    """Each with its own clock and lock, on the same data."""
    with ThreadPoolExecutor(2) as executor, ThreadPoolExecutor(4) as callers:
        other = Api(store, Prices(), ApiLimits(), executor, now_ns=lambda: (NOW_S + 3) * NS_PER_S)
        list(callers.map(record, [api, other, api, other]))
        assert len(regressions(api)) == 1
        assert regressions(api) == regressions(other)


def test_what_people_say_stays_and_is_searched_by(api):
    """A state with who and why; the next scan does not undo it."""
    record(api)
    [found] = regressions(api)
    answer = say(api, id=found.id, state="resolved", by=HOSTILE, note=HOSTILE).decode(RegressionsAnswer)
    assert answer.regressions[0].state == "resolved"
    record(api)
    assert regressions(api) == []
    [resolved] = regressions(api, state="resolved")
    assert [(step.state, step.by, step.note) for step in resolved.history][1:] == [("resolved", HOSTILE, HOSTILE)]
    assert regressions(api, state="all") == [resolved]
    assert say(api, id=found.id, state="confirmed").status == 200
    assert [each.id for each in regressions(api)] == [found.id]


def test_regressions_are_told_apart_by_service(api):
    """Hostile names are names; each service has its own."""
    for service in ("shop", HOSTILE):
        record(api, service)
    assert sorted(each.finding.service for each in regressions(api)) == sorted(["shop", HOSTILE])
    assert [each.finding.service for each in regressions(api, service=HOSTILE)] == [HOSTILE]
    assert len(regressions(api, limit=1)) == 1


def test_a_planned_change_of_capacity_is_planned(api):
    """It was told of within an hour of the release."""
    event = {"kind": "capacity", "service": "shop", "time": f"-{BUCKETS * 20}s", "title": "twice the traffic"}
    assert send(api, "/api/v1/events", event).status == 200
    record(api)
    assert [each.state for each in regressions(api)] == ["planned"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"id": "nobody", "state": "resolved"}, 404),
        ({"id": "x", "state": "gone"}, 400),
        ({"id": "", "state": "resolved"}, 400),
        ({"state": "resolved"}, 400),
        ({"id": "x", "state": "resolved", "note": "n" * 10_001}, 400),
    ],
)
def test_what_breaks_a_rule_is_refused(api, body, status):
    """The scan's own states are not people's to give; an id must be there."""
    assert say(api, **body).status == status


def test_a_page_of_another_site_cannot_record(api):
    """Only JSON is taken, which a browser does not send elsewhere unasked."""
    plain = {"content-type": "text/plain"}
    assert send(api, "/api/v1/detect", b"", headers=plain, service="shop").status == 415
