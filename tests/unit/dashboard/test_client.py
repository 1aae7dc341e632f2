"""The client of the query API: typed answers, and errors that say what to do."""

import socket
from collections.abc import Iterator

import msgspec
import pytest
from dashboard_answers import a_flamegraph, a_service, all_replies, answering, services_answer

from pyrometer.api import Problem
from pyrometer.client import ApiError, CollectorClient
from pyrometer.errors import PyrometerError, UnreachableError


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nothing listens on: bound, so that no one else can take it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def a_client(url: str, **fields) -> CollectorClient:
    return CollectorClient(url, 2.0, **fields)


def test_answers_are_decoded_into_their_types(collector):
    """Each method asks its route and returns that route's type."""
    client = a_client(collector.url)
    assert services_answer(*all_replies()["/services"].services) == client.services("-1h")
    assert a_flamegraph() == client.flamegraph("checkout", None, "-1h", nodes_max=100)
    assert "work" == client.functions("checkout", "2.0.0", "-1h", limit=5).functions[0].function
    assert 60 == len(client.latency("checkout", "-1h").series)
    assert 2 == len(client.hosts("-1h").hosts)
    assert "1.9.0" == client.compare("checkout", "1.9.0", "2.0.0", "-1h", limit=5).baseline


def test_parameters_are_percent_encoded_and_absent_ones_left_out(collector):
    """Whatever a name holds, the collector receives exactly that name; None is not sent."""
    a_client(collector.url).flamegraph("a&b=c/ü\x00 %", None, "-1h", nodes_max=7)
    assert ("/flamegraph", {"service": "a&b=c/ü\x00 %", "start": "-1h", "max_nodes": "7"}) == collector.asked[-1]


def test_empty_version_is_sent(collector):
    """The release without a name is a release, not the absence of a choice."""
    a_client(collector.url).functions("checkout", "", "-1h", limit=5)
    assert "" == collector.asked[-1][1]["version"]


def test_unknown_fields_are_ignored():
    """A newer collector serves an older dashboard."""
    tree = msgspec.to_builtins(services_answer(a_service())) | {"added_later": 1}
    with answering({"/services": (200, msgspec.json.encode(tree))}) as server:
        assert "checkout" == a_client(server.url).services("-1h").services[0].service


def test_absent_collector_is_unreachable(closed_port):
    """Nothing listening is an UnreachableError that names the address and the reason."""
    with pytest.raises(UnreachableError, match=rf"127\.0\.0\.1:{closed_port} does not answer: connection refused"):
        a_client(f"http://127.0.0.1:{closed_port}").services("-1h")


def test_silent_collector_is_unreachable():
    """A collector that accepts and says nothing is given up after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = CollectorClient(f"http://127.0.0.1:{silent.getsockname()[1]}", 0.2)
        with pytest.raises(UnreachableError, match="no answer in time"):
            client.services("-1h")


def test_problem_is_an_api_error_with_its_parts(collector):
    """An error document becomes an ApiError that keeps title, status and detail."""
    collector.replies["/services"] = Problem(title="Bad Request", status=400, detail="start: not a time")
    with pytest.raises(ApiError) as caught:
        a_client(collector.url).services("-1h")
    assert ("Bad Request", 400, "start: not a time") == (
        caught.value.problem.title, caught.value.problem.status, caught.value.problem.detail,
    )  # fmt: skip


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff\xfe", b'{"range": 1}', b""])
def test_answer_of_another_program_is_explained(collector, body):
    """A body that is not the answer's type names the address and what to check."""
    collector.replies["/services"] = (200, body)
    with pytest.raises(PyrometerError, match="does not answer like a collector"):
        a_client(collector.url).services("-1h")


def test_error_of_another_program_keeps_its_status_and_a_little_of_its_text(collector):
    """A status without a problem document is reported with at most an excerpt."""
    collector.replies["/services"] = (502, b"<h1>Bad gateway</h1>" + b"x" * 5000)
    with pytest.raises(PyrometerError, match="status 502") as caught:
        a_client(collector.url).services("-1h")
    assert "Bad gateway" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_answer_over_the_limit_is_refused(collector):
    """An endless answer is not read into memory; the message names the setting."""
    collector.replies["/services"] = (200, b" " * 5000)
    with pytest.raises(PyrometerError, match="answer_bytes_max = 4096"):
        a_client(collector.url, answer_bytes_max=4096).services("-1h")


def test_client_works_again_after_the_collector_returns(collector):
    """A failure leaves nothing behind: the next request stands for itself."""
    client = a_client(collector.url)
    collector.replies["/services"] = (200, b" " * 5000)
    with pytest.raises(PyrometerError):
        client.services("-1h")
    collector.replies["/services"] = services_answer(a_service())
    assert 1 == len(client.services("-1h").services)
