"""OTLP over HTTP against a real collector: what is refused and how, and what is stored."""

import gzip
import json
import os
import socket
import time
import zlib

import pytest
import zstandard
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from pyrometer.formats.otlp import profiles_to_otlp
from pyrometer.values import Frame, Profile, Sample
from tests.contract.collector_process import running_collector, select

PATHS = ("/v1/traces", "/v1/metrics", "/v1/logs", "/v1development/profiles")
JSON = "application/json"
REJECTED = "pyrometer_collector_rejected_total"


@pytest.fixture(scope="module")
def collector(tmp_path_factory):
    limits = {"PYROMETER_COLLECTOR_HTTP__BODY_BYTES_MAX": "300000", "PYROMETER_COLLECTOR_HTTP__BODY_TIMEOUT_S": "1"}
    with running_collector(tmp_path_factory.mktemp("collector"), **limits) as running:
        yield running


def trace_body(service="shop", name="op", count=1):
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    spans = resource.scope_spans.add().spans
    for _ in range(count):
        now_ns = time.time_ns()
        spans.add(
            trace_id=os.urandom(16),
            span_id=os.urandom(8),
            name=name,
            kind=2,
            start_time_unix_nano=now_ns,
            end_time_unix_nano=now_ns + 1000,
        )
    return request.SerializeToString()


def profile_body(service="shop", function="hot", value=5, start_ns=None):
    stack = (Frame("main", "app.py", 1), Frame(function, "app.py", 2))
    profile = Profile(
        samples=(Sample(stack=stack, count=1, value=value, thread_id=1),),
        start_unix_ns=time.time_ns() - 10**10 if start_ns is None else start_ns,
        duration_ns=10**10,
        period_ns=10**9 // 19,
        attributes={"service.name": service, "host.name": "h", "process.pid": 1},
    )
    return profiles_to_otlp([profile])


def assert_status(answer, status, content_type="application/x-protobuf"):
    """Every refusal has a google.rpc.Status in the request's encoding."""
    assert (answer.status, answer.headers["content-type"]) == (status, content_type)
    if content_type == JSON:
        body = json.loads(answer.data)
        assert set(body) == {"code", "message"}
        assert body["message"]
        return body["message"]
    assert answer.data[0] == 0x08
    assert answer.data[2] == 0x12
    return answer.data[3:].decode(errors="replace")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [b"\x00", b"\xff" * 50, b"\x0a\xff", b"hello", b"\x0a\x05abc"])
def test_malformed_protobuf_is_400(collector, path, body):
    """Bytes that are no OTLP request get a Status, are counted, and the next good request works."""
    before = collector.metric(REJECTED, reason="malformed")
    message = assert_status(collector.post(path, body), 400)
    assert message
    assert collector.metric(REJECTED, reason="malformed") == before + 1
    assert collector.post("/v1/traces", trace_body()).status == 200


@pytest.mark.parametrize("cut", [1, 2, 10, 30])
def test_a_truncated_request_is_400(collector, cut):
    """A request whose end is missing is refused whole."""
    assert_status(collector.post("/v1/traces", trace_body(service="truncated", count=20)[:-cut]), 400)
    assert_status(collector.post("/v1development/profiles", profile_body(service="truncated")[:-cut]), 400)


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"1", b'"x"', b'{"resourceSpans": 5}', b"\xff", b"[" * 100_000])
def test_malformed_json_is_400_in_json(collector, body):
    """The Status comes in JSON."""
    assert_status(collector.post("/v1/traces", body, JSON), 400, JSON)


def test_an_odd_hex_id_is_400(collector):
    """An id that is not hex is refused, not stored as something else."""
    span = {"traceId": "xyz", "spanId": "00", "name": "n", "startTimeUnixNano": str(time.time_ns())}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    assert_status(collector.post("/v1/traces", body, JSON), 400, JSON)


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/traces/", "/v1development/", "/v1/profiles"])
def test_an_unknown_path_is_404(collector, path):
    """Paths beside those of the signals."""
    assert_status(collector.post(path, trace_body()), 404)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_is_405(collector, method):
    """The answer says which is allowed."""
    answer = collector.request(method, "/v1/traces")
    assert_status(answer, 405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_another_content_type_is_415(collector, content_type):
    """Only protobuf and JSON are read."""
    assert_status(collector.post("/v1/traces", trace_body(), content_type), 415)


def test_a_content_type_may_have_parameters(collector):
    """``application/json; charset=utf-8`` is JSON."""
    answer = collector.post("/v1/traces", b"{}", "Application/JSON; charset=utf-8")
    assert (answer.status, answer.data) == (200, b"{}")


def test_another_content_encoding_is_415(collector):
    """Brotli is not read."""
    assert_status(collector.post("/v1/traces", trace_body(), content_encoding="br"), 415)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b""),
        ("gzip", b"not gzip"),
        ("gzip", gzip.compress(b"x" * 1000, mtime=0)[:-10]),
        ("gzip", zlib.compress(b"x")),
        ("gzip", gzip.compress(trace_body(), mtime=0) + b"junk"),
        ("zstd", b"not zstd"),
        ("zstd", zstandard.compress(os.urandom(1000))[:-10]),
    ],
)
def test_a_damaged_compressed_body_is_400(collector, encoding, body):
    """Cut, empty, or of another format."""
    assert_status(collector.post("/v1/traces", body, content_encoding=encoding), 400)


def test_a_too_large_body_is_413(collector):
    """By its length, before it is read."""
    assert_status(collector.post("/v1/traces", b"x" * 300_001), 413)


def test_a_too_large_chunked_body_is_413(collector):
    """Without a length, as soon as it has been exceeded."""
    parts = (b"x" * 100_000 for _ in range(10))
    answer = collector.request("POST", "/v1/traces", parts, content_type="application/x-protobuf")
    assert_status(answer, 413)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_a_bomb_is_413(collector, encoding, compress):
    """A small body that would become a large one; also of many gzip members."""
    bomb = compress(b"\0" * 50_000_000)
    assert_status(collector.post("/v1/traces", bomb, content_encoding=encoding), 413)
    assert_status(collector.post("/v1/traces", compress(b"\0" * 100_000) * 4, content_encoding=encoding), 413)


def test_a_body_that_does_not_come_is_408(collector):
    """A sender that announces a body and sends half of it does not hold memory for ever."""
    host, port = collector.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Length: 1000\r\n\r\nabc"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")
    collector.wait_until(lambda: collector.metric("pyrometer_collector_in_flight_bytes") == 0, "releasing memory")


def test_a_sender_that_goes_away_is_counted(collector):
    """A connection that closes in the middle of a body stores nothing and leaves nothing behind."""
    before = collector.metric(REJECTED, reason="disconnected")
    host, port = collector.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Length: 1000\r\n\r\nabc"
        )
    collector.wait_until(lambda: collector.metric(REJECTED, reason="disconnected") == before + 1, "counting it")
    assert collector.metric("pyrometer_collector_in_flight_bytes") == 0


def test_profiles_of_the_older_layout_are_refused(collector):
    """Samples with the fields of proto v1.9 get an error that names the version, and are not stored empty."""
    request = ExportProfilesServiceRequest.FromString(profile_body())
    sample = request.resource_profiles[0].scope_profiles[0].profiles[0].samples[0]
    index = sample.stack_index
    sample.Clear()
    sample.MergeFromString(bytes([0x08, index, 0x12, 0x01, 0x05]))  # stack_index = 1, values = 2: v1.9
    assert "v1.9" in assert_status(collector.post("/v1development/profiles", request.SerializeToString()), 400)


@pytest.mark.parametrize("start_ns", [0, 2**62])
def test_profiles_of_another_time_are_refused(collector, start_ns):
    """A sender with a broken clock is told so."""
    message = assert_status(collector.post("/v1development/profiles", profile_body(start_ns=start_ns)), 400)
    assert "starts" in message


@pytest.mark.parametrize(("content_type", "name"), [(JSON, "rejectedSpans"), ("application/x-protobuf", "")])
def test_rows_out_of_time_are_a_partial_success(collector, content_type, name):
    """The answer says how many are not stored, and why; they are counted."""
    before = collector.metric("pyrometer_collector_rejected_rows_total", signal="traces")
    if name:
        spans = [{"name": "old", "startTimeUnixNano": "5"}, {"name": "new", "startTimeUnixNano": str(time.time_ns())}]
        answer = collector.post(
            "/v1/traces", json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode(), JSON
        )
        partial = json.loads(answer.data)["partialSuccess"]
        rejected, message = partial[name], partial["errorMessage"]
    else:
        request = ExportTraceServiceRequest.FromString(trace_body(count=2))
        request.resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano = 2**63
        answer = collector.post("/v1/traces", request.SerializeToString())
        partial = ExportTraceServiceResponse.FromString(answer.data).partial_success
        rejected, message = str(partial.rejected_spans), partial.error_message
    assert (answer.status, rejected) == (200, "1")
    assert "14 days" in message
    assert collector.metric("pyrometer_collector_rejected_rows_total", signal="traces") == before + 1


def test_a_body_of_empty_messages_is_400(collector):
    """Two bytes each become a hundred in memory."""
    inner = b"\x12\x00" * 50_000
    for field in (b"\x12", b"\x0a"):
        inner = field + bytes([len(inner) & 127 | 128, len(inner) >> 7 & 127 | 128, len(inner) >> 14]) + inner
    assert "empty messages" in assert_status(collector.post("/v1/traces", inner), 400)


def test_an_empty_request_is_a_success(collector):
    """Without rows there is nothing to store; the answer is an empty response of the signal."""
    answer = collector.post("/v1/traces", b"")
    assert answer.status == 200
    assert ExportTraceServiceResponse.FromString(answer.data) == ExportTraceServiceResponse()


def test_health_paths(collector):
    """Alive, ready with each check, version, and metrics with help texts."""
    assert json.loads(collector.request("GET", "/healthz").data) == {"alive": True}
    ready = json.loads(collector.request("GET", "/readyz").data)
    assert ready["ready"]
    assert set(ready["checks"]) == {"database", "migrations", "log"}
    assert "version" in json.loads(collector.request("GET", "/version").data)
    assert b"# HELP pyrometer_collector_received_total" in collector.request("GET", "/metrics").data
    assert collector.request("POST", "/healthz").status == 405


def test_what_is_acknowledged_is_stored(tmp_path):
    """
    Traces and profiles, JSON, compression, hostile names.

    Each is stored exactly once, and nothing of what was refused.
    """
    hostile = "'; DROP TABLE spans; --<script>\0\x01\\" + "é" * 5000
    with running_collector(tmp_path) as collector:
        assert collector.post("/v1/traces", gzip.compress(trace_body("gz")), content_encoding="gzip").status == 200
        body = trace_body("gz")
        members = gzip.compress(body[:10]) + gzip.compress(body[10:])
        assert collector.post("/v1/traces", members, content_encoding="gzip").status == 200
        assert collector.post("/v1/traces", zstandard.compress(trace_body("zs")), content_encoding="zstd").status == 200
        assert collector.post("/v1/traces", trace_body(hostile, hostile)).status == 200
        assert collector.post("/v1development/profiles", profile_body(hostile, hostile)).status == 200
        assert collector.post("/v1/traces", trace_body("refused")[:-1]).status == 400
        span = {
            "traceId": "0AF7651916CD43DD8448EB211C80319C",
            "spanId": "b7ad6b7169203331",
            "name": "json",
            "kind": 2,
            "startTimeUnixNano": str(time.time_ns()),
            "endTimeUnixNano": str(time.time_ns()),
            "unknownField": [1],
            "attributes": [{"key": "traceId", "value": {"stringValue": "not hex"}}],
        }
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
        answer = collector.post("/v1/traces", json.dumps(body).encode(), JSON)
        assert (answer.status, answer.data) == (200, b"{}")
        collector.wait_until_stored()
        assert collector.stop() == 0
    spans, profiles, as_json = select(
        tmp_path,
        "SELECT service, count() AS n FROM spans WHERE operation != 'json' GROUP BY service ORDER BY service",
        "SELECT service, function, self_ns, total_ns FROM function_cost ORDER BY function",
        "SELECT trace_id, span_id, attributes FROM span_details WHERE trace_id = '0af7651916cd43dd8448eb211c80319c'",
    )
    counts = {row["service"]: row["n"] for row in spans}
    assert counts == {hostile: 1, "gz": 2, "zs": 1}
    assert profiles == sorted(
        [
            {"service": hostile, "function": hostile, "self_ns": 5, "total_ns": 5},
            {"service": hostile, "function": "main", "self_ns": 0, "total_ns": 5},
        ],
        key=lambda row: row["function"],
    )
    assert as_json == [
        {
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "span_id": "b7ad6b7169203331",
            "attributes": {"traceId": "not hex"},
        }
    ]
