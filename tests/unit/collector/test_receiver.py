"""The receiver as an ASGI application over a real log: whatever comes, it answers, and logs only what is valid."""

import asyncio
import contextlib
import errno
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bodies import decompress
from collector.metrics import CollectorMetrics
from collector.receive.http import OtlpReceiver
from collector.receive.intake import Intake, ReceiveLimits
from collector.wal import LogLimits, WriteAheadLog

PATHS = ["/v1/traces", "/v1/metrics", "/v1/logs", "/v1development/profiles"]
TYPES = ["application/x-protobuf", "application/json", "text/plain", ""]
ENCODINGS = ["", "identity", "gzip", "zstd", "br"]


class World:
    """A receiver, its logs and counters."""

    def __init__(self, folder, **limits):
        self.metrics = CollectorMetrics()
        self.logs = {
            name: WriteAheadLog(folder / name, LogLimits(segment_age_max_s=60))
            for name in ("traces", "metrics", "logs", "profiles")
        }
        self.executor = ThreadPoolExecutor(1)
        self.intake = Intake(
            {"default": self.logs}, metrics=self.metrics, executor=self.executor, limits=ReceiveLimits(**limits)
        )
        self.receiver = OtlpReceiver(self.intake)

    def close(self):
        self.executor.shutdown()
        for log in self.logs.values():
            log.close()

    def ask(self, path, body, content_type="application/x-protobuf", encoding="", method="POST", *, more=()):
        return asyncio.run(self.ask_async(path, [body], content_type, encoding, method, more=more))

    async def ask_async(self, path, parts, content_type, encoding, method, *, more=()):
        headers = [(b"content-type", content_type.encode()), (b"content-encoding", encoding.encode()), *more]
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        messages[-1]["more_body"] = False
        sent = []

        async def receive():
            return messages.pop(0)

        async def send(message):
            sent.append(message)

        await self.receiver({"method": method, "path": path, "headers": headers}, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    def logged(self, name):
        self.logs[name].close()
        bodies = []
        while (segment := self.logs[name].next_segment(0)) is not None:
            bodies += [decompress(r.payload, r.encoding, r.raw_length) for r in segment.records()]
            self.logs[name].remove(segment)
        return bodies


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(PATHS) | st.text(max_size=10),
    body=st.binary(max_size=100),
    content_type=st.sampled_from(TYPES),
    encoding=st.sampled_from(ENCODINGS),
    method=st.sampled_from(["POST", "GET"]),
)
def test_any_request_gets_an_answer(world, *, path, body, content_type, encoding, method):
    """Random bytes under every heading give 200 or an error of the client, and hold no memory afterwards."""
    status, headers, answer = world.ask(path, body, content_type, encoding, method)
    assert status in {200, 400, 404, 405, 413, 415}
    assert int(headers[b"content-length"]) == len(answer)
    assert world.metrics.registry.get_sample_value("pyrometer_collector_in_flight_bytes") == 0


# Wire types and lengths that fit together more often than random bytes do.
FIELDS = st.recursive(
    st.builds(lambda n, v: bytes([n << 3, v & 127]), st.integers(1, 15), st.integers(0, 127))
    | st.builds(lambda n: bytes([n << 3 | 1]) + bytes(8), st.integers(1, 15))
    | st.builds(lambda n: bytes([n << 3 | 3, n << 3 | 4]), st.integers(1, 15)),
    lambda inner: st.builds(
        lambda n, parts: bytes([n << 3 | 2, min(len(b"".join(parts)), 127)]) + b"".join(parts)[:127],
        st.integers(1, 15),
        st.lists(inner, max_size=4),
    ),
    max_leaves=20,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.lists(FIELDS, max_size=4))
@pytest.mark.parametrize(
    ("path", "message_type"), [("/v1/traces", ExportTraceServiceRequest), ("/v1/metrics", ExportMetricsServiceRequest)]
)
def test_only_plain_requests_reach_the_log(tmp_path_factory, path, message_type, fields):
    """What is logged is a request of its signal in its plain form: written again, it is the same bytes."""
    made = World(tmp_path_factory.mktemp("log"))
    with contextlib.closing(made):
        status, _, _ = made.ask(path, b"".join(fields))
        assert status in {200, 400}
        for body in made.logged(path.rpartition("/")[2]):
            request = message_type.FromString(body)
            request.DiscardUnknownFields()
            assert request.SerializeToString() == body


def a_request():
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name="op")
    return request.SerializeToString()


def test_a_compressed_request_is_logged_as_it_came(world):
    """It is not compressed anew."""
    import gzip  # noqa: PLC0415

    body = gzip.compress(a_request())
    assert world.ask("/v1/traces", body, encoding="gzip")[0] == 200
    world.logs["traces"].close()
    [record] = world.logs["traces"].next_segment(0).records()
    assert (record.payload, record.raw_length) == (body, len(a_request()))


def test_a_numbered_request_that_comes_again_is_stored_once(world):
    """It is acknowledged as before, counted apart, and another signal's numbers are its own."""
    more = [(b"pyrometer-spool-id", b"8f14e45f-ceea-467f-a0b1-2c3d4e5f6071"), (b"pyrometer-sequence", b"4")]
    metrics = ExportMetricsServiceRequest()
    metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="m").gauge.data_points.add(as_int=1)
    answers = [world.ask("/v1/traces", a_request(), more=more)[0] for _ in range(3)]
    answers.append(world.ask("/v1/metrics", metrics.SerializeToString(), more=more)[0])
    assert answers == [200] * 4
    assert world.logged("traces") == [a_request()]
    assert world.logged("metrics") == [metrics.SerializeToString()]
    counted = world.metrics.registry.get_sample_value
    assert counted("pyrometer_collector_repeated_total", {"signal": "traces"}) == 2
    assert counted("pyrometer_collector_received_total", {"signal": "traces", "transport": "http"}) == 1


def test_a_number_that_is_none_is_refused(world):
    """Half an origin is 400, and nothing is stored."""
    assert world.ask("/v1/traces", a_request(), more=[(b"pyrometer-sequence", b"4")])[0] == 400
    assert world.logged("traces") == []


def test_a_full_disk_is_503_and_passes(world, monkeypatch):
    """The sender is told to come again; when there is room again, it is taken."""
    with monkeypatch.context() as patch:

        def full(*arguments, **options):
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, "pwrite", full)
        status, headers, answer = world.ask("/v1/traces", a_request())
        assert (status, int(headers[b"retry-after"]) > 0) == (503, True)
        assert b"No space left" in answer
    assert world.ask("/v1/traces", a_request())[0] == 200
    assert world.logged("traces") == [a_request()]


def test_memory_of_all_requests_is_bounded(tmp_path):
    """While requests hold all that is allowed, a further one is told to come again; afterwards it is taken."""
    made = World(tmp_path, in_flight_bytes_max=1000)

    async def two_at_once():
        release = asyncio.Event()
        sent = []

        async def slow_receive():
            await release.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        headers = [(b"content-type", b"application/x-protobuf"), (b"content-length", b"900")]
        scope = {"method": "POST", "path": "/v1/traces", "headers": headers}
        slow = asyncio.create_task(made.receiver(scope, slow_receive, send))
        await asyncio.sleep(0)
        second = await made.ask_async("/v1/traces", [b"x" * 200], "application/x-protobuf", "", "POST")
        release.set()
        await slow
        return second, sent[0]["status"]

    with contextlib.closing(made):
        (status, headers, _), first = asyncio.run(two_at_once())
        assert (status, first) == (503, 200)
        assert b"retry-after" in headers
        assert made.ask("/v1/traces", a_request())[0] == 200
