"""What each signal's request must be: parsed once by the C parser, so that nothing malformed reaches the log."""

import binascii
import json
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pyrometer.errors import DecodeError
from pyrometer.formats.otlp import otlp_to_profiles
from pyrometer.units import NS_PER_S

# Windows outside of this are of a broken clock, or older than what the tables keep.
_AGE_MAX_S: Final = 14 * 86_400
_AHEAD_MAX_S: Final = 86_400
_WINDOW_MAX_S: Final = 86_400
# OTLP's JSON writes these bytes fields as hex; protobuf's own JSON reads base64.
_HEX_FIELDS: Final = frozenset(
    f"{start}{end}"
    for start in ("trace", "span", "parentSpan", "profile", "trace_", "span_", "parent_span_", "profile_")
    for end in (("id",) if start.endswith("_") else ("Id",))
)
_JSON_DEPTH_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class SignalFormat:
    """
    One signal.

    Attributes:
        name: Of the signal.
        path: Where its requests are sent.
        message_type: Its request message.
        check: Returns the body in its plain form and how many rows it will become, about; raises DecodeError.
    """

    name: str
    path: str
    message_type: type[Message]
    check: Callable[[bytes], tuple[bytes, int]]


def _check_traces(body: bytes) -> tuple[bytes, int]:
    request = _parse(ExportTraceServiceRequest, body)
    rows = sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
    return _plain_form(request), rows


def _check_metrics(body: bytes) -> tuple[bytes, int]:
    request = _parse(ExportMetricsServiceRequest, body)
    rows = sum(len(scope.metrics) for resource in request.resource_metrics for scope in resource.scope_metrics)
    return _plain_form(request), rows


def _check_profiles(body: bytes) -> tuple[bytes, int]:
    profiles = otlp_to_profiles(body)
    now_s = time.time()
    for profile in profiles:
        start_s = profile.start_unix_ns / NS_PER_S
        if not now_s - _AGE_MAX_S <= start_s <= now_s + _AHEAD_MAX_S:
            raise DecodeError(f"a profile starts at Unix time {start_s:.0f} s, more than 14 days ago or 1 day ahead")
        if profile.duration_ns > _WINDOW_MAX_S * NS_PER_S:
            raise DecodeError(f"a profile lasts {profile.duration_ns} ns, longer than one day")
    # A window without samples counts too: the process was watched and did nothing.
    return body, sum(1 + len(profile.samples) for profile in profiles)


SIGNALS: Final[Mapping[str, SignalFormat]] = {
    signal.path: signal
    for signal in (
        SignalFormat("traces", "/v1/traces", ExportTraceServiceRequest, _check_traces),
        SignalFormat("metrics", "/v1/metrics", ExportMetricsServiceRequest, _check_metrics),
        SignalFormat("profiles", "/v1development/profiles", ExportProfilesServiceRequest, _check_profiles),
    )
}


def json_to_protobuf(signal: SignalFormat, body: bytes) -> bytes:
    """
    Return the protobuf of a request in OTLP's JSON.

    Raises:
        DecodeError: If it is not such a request.

    Source: OTLP specification, "JSON Protobuf Encoding": ids are hex, unknown fields are ignored.
    """
    try:
        tree = _hex_to_base64(json.loads(body), depth=0)
        if not isinstance(tree, dict):
            raise ValueError("it must be an object")  # noqa: TRY004, TRY301 - one kind of error leaves this function
        message = json_format.ParseDict(
            tree, signal.message_type(), ignore_unknown_fields=True, max_recursion_depth=_JSON_DEPTH_MAX
        )
    except (json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DecodeError(f"not an OTLP {signal.name} request in JSON: {error}") from error
    return message.SerializeToString()


def _parse(message_type: type[Any], body: bytes) -> Any:
    try:
        return message_type.FromString(body)
    except ProtobufDecodeError:
        raise DecodeError(f"not a valid {message_type.__name__}: the protobuf cannot be parsed") from None


def _plain_form(request: Message) -> bytes:
    """
    Return the request as every parser reads it alike.

    The wire format allows what ClickHouse's parser refuses or reads otherwise: groups, unknown fields in the place of
    known ones, a field given twice, numbers wider than their type. Written anew, none of that is left.
    """
    request.DiscardUnknownFields()
    return request.SerializeToString()


def _hex_to_base64(node: Any, depth: int) -> Any:
    if depth > _JSON_DEPTH_MAX:
        raise ValueError(f"it is nested deeper than {_JSON_DEPTH_MAX} levels")
    if isinstance(node, list):
        return [_hex_to_base64(item, depth + 1) for item in node]
    if isinstance(node, dict):
        return {
            key: b64encode(binascii.unhexlify(value)).decode()
            if key in _HEX_FIELDS and isinstance(value, str)
            else _hex_to_base64(value, depth + 1)
            for key, value in node.items()
        }
    return node
