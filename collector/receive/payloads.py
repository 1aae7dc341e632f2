"""What each signal's request must be: parsed once by the C parser, so that nothing malformed reaches the log."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pyrometer.errors import DecodeError
from pyrometer.formats.otlp import otlp_to_profiles
from pyrometer.units import NS_PER_S

# What is outside of this comes from a broken clock, or is older than what the tables keep.
_AGE_MAX_S: Final = 14 * 86_400
_AHEAD_MAX_S: Final = 86_400
_WINDOW_MAX_S: Final = 86_400
# Two bytes of an empty message become a hundred in memory. No sender has reason to send many.
_EMPTY_MESSAGES: Final = (b"\x0a\x00", b"\x12\x00")
_BYTES_PER_EMPTY_MESSAGE_MIN: Final = 16
_EMPTY_MESSAGES_FREE: Final = 1000

_START: Final = attrgetter("start_time_unix_nano")
_TIME: Final = attrgetter("time_unix_nano")


@dataclass(frozen=True, slots=True)
class Checked:
    """
    A request that may be stored.

    Attributes:
        plain: The body in its plain form.
        rows: How many rows it will become, about.
        rejected: How many of them are outside the time that the tables keep: the database will count, not store them.
    """

    plain: bytes
    rows: int
    rejected: int = 0

    @property
    def message(self) -> str:
        """Say why some are rejected; empty where none is."""
        if not self.rejected:
            return ""
        return f"{self.rejected} of {self.rows} are more than 14 days old or 1 day ahead of now, and are not stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFormat:
    """
    One signal.

    Attributes:
        name: Of the signal.
        path: Where its requests are sent over HTTP.
        service: Its gRPC service.
        message_type: Its request message.
        rejected_name: What its answer calls the number of rejected rows, in JSON.
        check: Reads a body; raises DecodeError.
    """

    name: str
    path: str
    service: str
    message_type: type[Message]
    rejected_name: str
    check: Callable[[bytes], Checked]


def _check_traces(body: bytes) -> Checked:
    request = _parse(ExportTraceServiceRequest, body)
    lists = (map(_START, scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
    return _checked(request, lists)


def _check_metrics(body: bytes) -> Checked:
    request = _parse(ExportMetricsServiceRequest, body)
    return _checked(request, (map(_TIME, points) for points in _points(request)))


def _check_logs(body: bytes) -> Checked:
    request = _parse(ExportLogsServiceRequest, body)
    lists = (
        [record.time_unix_nano or record.observed_time_unix_nano for record in scope.log_records]
        for resource in request.resource_logs
        for scope in resource.scope_logs
    )
    return _checked(request, lists)


def _check_profiles(body: bytes) -> Checked:
    _refuse_empty_messages(body)
    profiles = otlp_to_profiles(body)
    now_s = time.time()
    for profile in profiles:
        start_s = profile.start_unix_ns / NS_PER_S
        if not now_s - _AGE_MAX_S <= start_s <= now_s + _AHEAD_MAX_S:
            raise DecodeError(f"a profile starts at Unix time {start_s:.0f} s, more than 14 days ago or 1 day ahead")
        if profile.duration_ns > _WINDOW_MAX_S * NS_PER_S:
            raise DecodeError(f"a profile lasts {profile.duration_ns} ns, longer than one day")
    # A window without samples counts too: the process was watched and did nothing.
    return Checked(body, sum(1 + len(profile.samples) for profile in profiles))


SIGNALS: Final[Mapping[str, SignalFormat]] = {
    signal.path: signal
    for signal in (
        SignalFormat(
            name="traces",
            path="/v1/traces",
            service="opentelemetry.proto.collector.trace.v1.TraceService",
            message_type=ExportTraceServiceRequest,
            rejected_name="rejectedSpans",
            check=_check_traces,
        ),
        SignalFormat(
            name="metrics",
            path="/v1/metrics",
            service="opentelemetry.proto.collector.metrics.v1.MetricsService",
            message_type=ExportMetricsServiceRequest,
            rejected_name="rejectedDataPoints",
            check=_check_metrics,
        ),
        SignalFormat(
            name="logs",
            path="/v1/logs",
            service="opentelemetry.proto.collector.logs.v1.LogsService",
            message_type=ExportLogsServiceRequest,
            rejected_name="rejectedLogRecords",
            check=_check_logs,
        ),
        SignalFormat(
            name="profiles",
            path="/v1development/profiles",
            service="opentelemetry.proto.collector.profiles.v1development.ProfilesService",
            message_type=ExportProfilesServiceRequest,
            rejected_name="rejectedProfiles",
            check=_check_profiles,
        ),
    )
}
PROFILES: Final = SIGNALS["/v1development/profiles"]


def _points(request: Any) -> Iterator[Any]:
    """Yield the data points of each metric."""
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                if kind is not None:
                    yield getattr(metric, kind).data_points


def _checked(request: Message, times: Iterable[Iterable[int]]) -> Checked:
    """Return a request in its plain form, its rows counted by their times (Unix ns), which come in lists."""
    now_s = time.time()
    earliest, latest = int((now_s - _AGE_MAX_S) * NS_PER_S), int((now_s + _AHEAD_MAX_S) * NS_PER_S)
    rows = rejected = 0
    for some in map(list, times):
        rows += len(some)
        if some and not earliest <= min(some) <= max(some) <= latest:
            rejected += sum(not earliest <= moment <= latest for moment in some)
    return Checked(_plain_form(request), rows, rejected)


def _parse(message_type: type[Any], body: bytes) -> Any:
    _refuse_empty_messages(body)
    try:
        return message_type.FromString(body)
    except ProtobufDecodeError:
        raise DecodeError(f"not a valid {message_type.__name__}: the protobuf cannot be parsed") from None


def _refuse_empty_messages(body: bytes) -> None:
    count_max = _EMPTY_MESSAGES_FREE + len(body) // _BYTES_PER_EMPTY_MESSAGE_MIN
    # Each has a zero byte; real requests have so few of those that the slower search is spared.
    if len(body) - np.count_nonzero(np.frombuffer(body, np.uint8)) <= count_max:
        return
    count = sum(map(body.count, _EMPTY_MESSAGES))
    if count > count_max:
        raise DecodeError(f"{count} empty messages in {len(body)} bytes are more than a request may hold")


def _plain_form(request: Message) -> bytes:
    """
    Return the request as every parser reads it alike.

    The wire format allows what ClickHouse's parser refuses or reads otherwise: groups, unknown fields in the place of
    known ones, a field given twice, numbers wider than their type. Written anew, none of that is left.
    """
    request.DiscardUnknownFields()
    return request.SerializeToString()
