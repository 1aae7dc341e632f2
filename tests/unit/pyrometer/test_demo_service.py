"""The shop as it runs: a real process, and the spans that it exports to a real receiver."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from pyrometer.up.ports import free_ports

DEADLINE_S = 20.0


class Receiver:
    """Takes OTLP over HTTP and keeps the spans, each with its resource's attributes."""

    def __init__(self) -> None:
        self.spans: list[tuple[dict, Span]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.keep(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def keep(self, request: ExportTraceServiceRequest) -> None:
        for resource_spans in request.resource_spans:
            resource = attributes_of(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                self.spans.extend((resource, span) for span in scope_spans.spans)

    def wait_for(self, *names: str) -> dict[str, tuple[dict, Span]]:
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            seen = {span.name: (resource, span) for resource, span in self.spans}
            if set(names) <= set(seen):
                return seen
            time.sleep(0.05)
        pytest.fail(f"no spans {names} in {DEADLINE_S} s; there are {[span.name for _, span in self.spans]}")


def attributes_of(pairs) -> dict:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


@contextmanager
def a_shop(endpoint: str, release: str = "1.4.0", port: int | None = None) -> Iterator[tuple[str, subprocess.Popen]]:
    port = port or free_ports(1)
    process = subprocess.Popen(
        (sys.executable, "-m", "pyrometer", "demo", "service", "--release", release, "--port", str(port)),
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint},
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process)
        yield url, process
    finally:
        process.kill()
        process.communicate()


def wait_until_ready(url: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if urllib3.request("GET", f"{url}/healthz", retries=False).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
    pytest.fail("the shop is not ready")


def get(url: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", url, retries=False, timeout=5.0)


def test_requests_become_spans_with_route_thread_and_identity(receiver):
    """A server span names its route and the worker thread; inner spans belong to it; the resource is the release."""
    with a_shop(receiver.url, "1.5.0") as (url, process):
        assert get(f"{url}/checkout?cart=3&lines=5&card=valid").status == 200
        assert get(f"{url}/healthz").json() == {"release": "1.5.0", "pid": process.pid}

        spans = receiver.wait_for("GET /checkout", "price cart", "check fraud")
        thread_ids = {int(name) for name in os.listdir(f"/proc/{process.pid}/task")}  # noqa: PTH208

    resource, server = spans["GET /checkout"]
    attributes = attributes_of(server.attributes)
    assert resource["service.name"] == "shop"
    assert resource["service.version"] == "1.5.0"
    assert resource["process.pid"] == process.pid
    assert server.kind == Span.SPAN_KIND_SERVER
    assert attributes["http.route"] == "/checkout"
    assert attributes["http.request.method"] == "GET"
    assert attributes["http.response.status_code"] == 200
    # The handler's thread, which is one of the pool and not the event loop's.
    assert attributes["thread.id"] in thread_ids - {process.pid}
    inner = spans["price cart"][1]
    assert inner.parent_span_id == server.span_id
    assert attributes_of(inner.attributes)["thread.id"] == attributes["thread.id"]
    assert "GET /healthz" not in spans


def test_a_declined_card_is_an_error_span(receiver):
    """A failed request answers 500, and its span carries the status and the exception."""
    with a_shop(receiver.url) as (url, _):
        assert get(f"{url}/checkout?cart=3&lines=5&card=expired").status == 500
        _, span = receiver.wait_for("GET /checkout")["GET /checkout"]

    assert span.status.code == Status.STATUS_CODE_ERROR
    assert attributes_of(span.attributes)["http.response.status_code"] == 500
    assert [event.name for event in span.events] == ["exception"]


def test_bad_requests_are_refused_and_name_no_span(receiver):
    """A bad parameter is a 400; an unknown path is a 404 whose path does not become a span name."""
    with a_shop(receiver.url) as (url, _):
        assert get(f"{url}/export?rows=99999999").status == 400
        assert get(f"{url}/export?rows=-1").status == 400
        assert get(f"{url}/orders?customer=%C2%B2").status == 400
        assert get(f"{url}/no/such").status == 404
        spans = receiver.wait_for("GET /export", "GET")

    assert not any("such" in name for name in spans)


def test_every_endpoint_answers(receiver):
    """All the endpoints of the load's mix work."""
    with a_shop(receiver.url) as (url, _):
        answers = {
            path: get(url + path).status
            for path in ("/search?q=amber", "/search", "/orders?customer=1", "/stock?product=7", "/export?rows=20")
        }

    assert set(answers.values()) == {200}


def test_sigterm_ends_the_shop_with_success_though_no_collector_answers():
    """Spans that cannot be sent do not hold up the exit."""
    with a_shop(f"http://127.0.0.1:{free_ports(1)}") as (url, process):
        get(f"{url}/search?q=amber")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)

        assert process.wait(DEADLINE_S) == 0
        assert time.monotonic() - began < 3.0


def test_a_taken_port_is_one_clear_line(receiver):
    """The message names the port; the exit code is that of a configuration error."""
    port = receiver.server.server_port

    result = subprocess.run(
        (sys.executable, "-m", "pyrometer", "demo", "service", "--release", "1.4.0", "--port", str(port)),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )

    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert f"127.0.0.1:{port}" in result.stderr
