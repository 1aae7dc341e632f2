"""OTLP over gRPC against a real collector: what is refused and how."""

import gzip
import threading
import time

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from collector.auth.tokens import Role, add_token, new_token
from pyrometer.formats.otlp import profiles_to_otlp
from pyrometer.values import Frame, Profile, Sample
from tests.contract.collector_process import free_port, running_collector

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
PROFILES = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
REJECTED = "pyrometer_collector_rejected_total"
TIMEOUT_S = 20


@pytest.fixture(scope="module")
def collector(tmp_path_factory):
    address = f"127.0.0.1:{free_port()}"
    limits = {
        "PYROMETER_COLLECTOR_GRPC__BODY_BYTES_MAX": "100000",
        "PYROMETER_COLLECTOR_GRPC__REQUESTS_MAX": "2",
        "PYROMETER_COLLECTOR_HTTP__BODY_BYTES_MAX": "300000",
        "PYROMETER_COLLECTOR_HTTP__BODY_TIMEOUT_S": "2",
    }
    with running_collector(tmp_path_factory.mktemp("collector"), "--grpc-address", address, **limits) as running:
        running.grpc_address = address
        yield running


@pytest.fixture
def channel(collector):
    with grpc.insecure_channel(collector.grpc_address) as opened:
        yield opened


def send(channel, method, body, **options):
    return channel.unary_unary(method)(body, timeout=TIMEOUT_S, **options)


def refusal(channel, method, body, **options):
    with pytest.raises(grpc.RpcError) as caught:
        send(channel, method, body, **options)
    return caught.value


def trace_body(start_ns=None, count=1):
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for _ in range(count):
        spans.add(name="op", start_time_unix_nano=time.time_ns() if start_ns is None else start_ns)
    return request.SerializeToString()


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_request_is_a_success(collector, channel, compression):
    """The answer is the signal's empty response, and the request is counted."""
    before = collector.metric("pyrometer_collector_received_rows_total", signal="traces")
    answer = send(channel, TRACES, trace_body(count=3), compression=compression)
    assert ExportTraceServiceResponse.FromString(answer) == ExportTraceServiceResponse()
    assert collector.metric("pyrometer_collector_received_rows_total", signal="traces") == before + 3


def test_profiles_are_taken(collector, channel):
    """The fourth signal too."""
    stack = (Frame("main", "app.py", 1),)
    profile = Profile(samples=(Sample(stack=stack, count=1, value=5),), start_unix_ns=time.time_ns(), duration_ns=10**9)
    assert send(channel, PROFILES, profiles_to_otlp([profile])) == b""


@pytest.mark.parametrize("body", [b"\x00", b"\xff" * 50, b"hello", b"\x0a\xff", b"\x1f\x8bnot gzip"])
def test_malformed_messages_are_invalid(collector, channel, body):
    """They are counted, and the next good one works on the same channel."""
    before = collector.metric(REJECTED, reason="malformed")
    assert refusal(channel, TRACES, body).code() is grpc.StatusCode.INVALID_ARGUMENT
    assert collector.metric(REJECTED, reason="malformed") == before + 1
    assert send(channel, TRACES, trace_body()) == b""


def test_a_large_message_is_refused(collector, channel):
    """A little over the limit by us, far over it by the library; neither says to come again."""
    for size in (100_001, 1_000_000):
        error = refusal(channel, TRACES, b"x" * size)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "grpc-status-details-bin" not in dict(error.trailing_metadata() or ())


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_bomb_is_refused(collector, channel, compression):
    """A small message that would become a large one; compressed by the library, or before it."""
    body = b"\0" * 50_000_000
    bomb = body if compression is grpc.Compression.Gzip else gzip.compress(body)
    error = refusal(channel, TRACES, bomb, compression=compression)
    assert (error.code(), "300000" in error.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)


@pytest.mark.parametrize("method", ["/opentelemetry.proto.collector.trace.v1.TraceService/Import", "/x/y"])
def test_another_method_is_unimplemented(collector, channel, method):
    """There is nothing beside the signals' Export."""
    assert refusal(channel, method, b"").code() is grpc.StatusCode.UNIMPLEMENTED


def test_deflate_is_unimplemented(collector, channel):
    """Only gzip is read, and the sender is told so."""
    error = refusal(channel, TRACES, trace_body(count=100), compression=grpc.Compression.Deflate)
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_rows_out_of_time_are_a_partial_success(collector, channel):
    """The answer says how many are not stored, and why."""
    answer = ExportTraceServiceResponse.FromString(send(channel, TRACES, trace_body(start_ns=5, count=2)))
    assert answer.partial_success.rejected_spans == 2
    assert "14 days" in answer.partial_success.error_message
    request = ExportMetricsServiceRequest()
    points = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m").sum.data_points
    for moment in (0, time.time_ns()):
        points.add(time_unix_nano=moment, as_int=1)
    answer = ExportMetricsServiceResponse.FromString(send(channel, METRICS, request.SerializeToString()))
    assert answer.partial_success.rejected_data_points == 1


def test_under_pressure_the_sender_is_told_when_to_come_again(collector, channel):
    """One call more than allowed: UNAVAILABLE with RetryInfo; those that send nothing end by themselves."""
    reasons = ("busy", "slow_body")
    before = [collector.metric(REJECTED, reason=reason) for reason in reasons]
    ended = threading.Event()

    def nothing():
        ended.wait(TIMEOUT_S)
        yield b""

    calls = [channel.stream_unary(TRACES).future(nothing(), timeout=TIMEOUT_S) for _ in range(3)]
    refusals = [call.exception() for call in calls]
    ended.set()
    told = [error for error in refusals if "at once" in error.details()]

    assert [error.code() for error in refusals] == [grpc.StatusCode.UNAVAILABLE] * 3
    assert len(told) == 1
    assert b"google.rpc.RetryInfo" in dict(told[0].trailing_metadata())["grpc-status-details-bin"]
    assert [collector.metric(REJECTED, reason=reason) for reason in reasons] == [before[0] + 1, before[1] + 2]
    assert send(channel, TRACES, trace_body()) == b""


def test_a_token_is_asked_for(tmp_path):
    """Without one, or with one for reading, a call ends before its message is read."""
    address, tokens = f"127.0.0.1:{free_port()}", tmp_path / "tokens.json"
    made = {}
    for role in (Role.INGEST, Role.READ):
        made[role], entry = new_token(role)
        add_token(tokens, entry)
    environment = {"PYROMETER_COLLECTOR_AUTH__TOKENS_FILE": str(tokens)}
    with (
        running_collector(tmp_path / "data", "--grpc-address", address, **environment),
        grpc.insecure_channel(address) as channel,
    ):
        assert refusal(channel, TRACES, trace_body()).code() is grpc.StatusCode.UNAUTHENTICATED
        read = (("authorization", f"Bearer {made[Role.READ]}"),)
        assert refusal(channel, TRACES, trace_body(), metadata=read).code() is grpc.StatusCode.PERMISSION_DENIED
        ingest = (("authorization", f"Bearer {made[Role.INGEST]}"),)
        assert send(channel, TRACES, trace_body(), metadata=ingest) == b""


def test_a_taken_address_is_a_clear_error(collector, tmp_path):
    """The collector does not start, and says which setting to change."""
    with (
        pytest.raises(AssertionError, match="--grpc-address"),
        running_collector(tmp_path, "--grpc-address", collector.grpc_address),
    ):
        pass
