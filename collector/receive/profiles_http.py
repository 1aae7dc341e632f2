"""Profiles over HTTP from others than agents: Pyroscope's clients, and files that somebody uploads."""

import functools
import json
import logging
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from collector.receive.http_request import (
    Receive,
    Scope,
    Send,
    answer,
    check_method,
    encoding_of,
    first_headers,
    media_type,
    read_body,
    unsupported,
)
from collector.receive.intake import Body, Intake
from collector.receive.origin import read_origin
from collector.receive.payloads import PROFILES
from collector.receive.refusal import INVALID_ARGUMENT, JSON, MESSAGE_LENGTH_MAX, RefusedError
from collector.receive.uploads import (
    RATE_HZ_DEFAULT,
    RATE_HZ_MAX,
    Upload,
    labels_to_attributes,
    push_to_otlp,
    upload_to_otlp,
)
from pyrometer.api import Problem
from pyrometer.errors import DecodeError
from pyrometer.units import NS_PER_S

_log = logging.getLogger("pyrometer.collector")

PUSH: Final = "/push.v1.PusherService/Push"
INGEST: Final = "/ingest"
UPLOAD: Final = "/api/v1/profiles"
PATHS: Final = frozenset({PUSH, INGEST, UPLOAD})

_CONNECT_PROTOBUF: Final = "application/proto"
_PROBLEM_TYPE: Final = "application/problem+json"
# As Pyroscope's clients and others call them.
_FORMATS: Final[Mapping[str, str]] = {
    "pprof": "pprof",
    "collapsed": "collapsed",
    "folded": "collapsed",
    "groups": "collapsed",
    "speedscope": "speedscope",
}
_UPLOAD_PARAMETERS: Final = ("service", "version", "host", "format", "start", "end", "rate")
_NAME: Final = re.compile(r"(?P<service>[^{}]+)(?:\{(?P<tags>[^{}]*)\})?")
_TYPE_SUFFIX: Final = re.compile(r"\.(?:cpu|wall|itimer)$")
# Source: connectrpc.com, "Protocol", error codes by status of HTTP.
_CONNECT_CODES: Final[Mapping[int, str]] = {
    400: "invalid_argument",
    401: "unauthenticated",
    403: "permission_denied",
    413: "resource_exhausted",
    415: "invalid_argument",
    429: "resource_exhausted",
    503: "unavailable",
}
# A number of seconds beyond this is one of milliseconds, and so on.
_SECONDS_MAX: Final = 10**11
_DIGITS_MAX: Final = 20

Convert = Callable[[bytes], bytes]


class ProfileReceiver:
    """Answers `PATHS`."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = first_headers(scope)
        try:
            await self._take(scope, headers, receive)
        except RefusedError as error:
            self._intake.metrics.rejected.labels(error.reason).inc()
            _log.info("refused %s %r: %s: %s", scope["method"], scope["path"][:200], error.status, error)
            body, content_type = _refusal(scope["path"], error)
            await answer(send, error.status, body, content_type, error.headers)
        except ConnectionError:
            self._intake.metrics.rejected.labels("disconnected").inc()
        else:
            await answer(send, 200, *((b"", _CONNECT_PROTOBUF) if scope["path"] == PUSH else (b"{}", JSON)))

    async def _take(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive) -> None:
        check_method(scope)
        principal = self._intake.authorise(headers)
        transport, convert = _conversion(scope, headers)
        encoding = encoding_of(headers)
        with self._intake.memory.claim() as claim:
            payload = await read_body(receive, headers, claim, self._intake.limits)
            body = Body(payload=payload, encoding=encoding, convert=convert)
            origin = read_origin(headers)
            await self._intake.take(principal, PROFILES, body, claim, transport=transport, origin=origin)


def _conversion(scope: Scope, headers: Mapping[bytes, bytes]) -> tuple[str, Convert]:
    """Return how the request came, for the counter, and what makes OTLP of its body."""
    if scope["path"] == PUSH:
        if media_type(headers) not in {_CONNECT_PROTOBUF, "application/x-protobuf"}:
            raise unsupported(f"content type {media_type(headers)!r} is not supported: send {_CONNECT_PROTOBUF}")
        return "pyroscope", push_to_otlp
    try:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=100))
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        if scope["path"] == INGEST:
            return "pyroscope", functools.partial(upload_to_otlp, _ingested(query, content_type))
        return "upload", functools.partial(upload_to_otlp, _uploaded(query, content_type))
    except (DecodeError, ValueError) as error:
        raise RefusedError(400, INVALID_ARGUMENT, "malformed", str(error)) from error


def _ingested(query: Mapping[str, str], content_type: str) -> Upload:
    """Read the parameters of Pyroscope's ``/ingest``: ``name=app{tag=value}``, ``from``, ``until``, ``sampleRate``."""
    match = _NAME.fullmatch(query.get("name", ""))
    if match is None:
        raise DecodeError("parameter name: must be the application's name, such as name=shop or name=shop{region=eu}")
    pairs = [tag.partition("=") for tag in (match["tags"] or "").split(",") if tag.strip()]
    labels = [(key.strip(), value.strip().strip('"')) for key, _, value in pairs]
    labels.append(("service_name", _TYPE_SUFFIX.sub("", match["service"].strip())))
    return Upload(
        format=_format(query.get("format") or "folded"),
        attributes=labels_to_attributes(labels),
        start_unix_ns=_unix_ns(query.get("from", ""), "from"),
        end_unix_ns=_unix_ns(query.get("until", ""), "until"),
        rate_hz=_rate(query.get("sampleRate", ""), "sampleRate"),
        content_type=content_type,
    )


def _uploaded(query: Mapping[str, str], content_type: str) -> Upload:
    """Read the parameters of an upload, of which ``service`` must be there."""
    if not query.get("service"):
        raise DecodeError("parameter service: must be the name of the service that the profile is of")
    if unknown := query.keys() - set(_UPLOAD_PARAMETERS):
        known = ", ".join(_UPLOAD_PARAMETERS)
        raise DecodeError(f"parameter {min(unknown)[:50]!r}: is not known; there are {known}")
    labels = [
        ("service_name", query["service"]),
        ("version", query.get("version", "")),
        ("host", query.get("host", "")),
    ]
    return Upload(
        format=_format(query.get("format") or "pprof"),
        attributes=labels_to_attributes([(name, value) for name, value in labels if value]),
        start_unix_ns=_rfc3339_ns(query.get("start", ""), "start"),
        end_unix_ns=_rfc3339_ns(query.get("end", ""), "end"),
        rate_hz=_rate(query.get("rate", ""), "rate"),
        content_type=content_type,
    )


def _format(name: str) -> str:
    if name not in _FORMATS:
        raise DecodeError(f"parameter format: {name[:50]!r} is not read; send {', '.join(_FORMATS)}")
    return _FORMATS[name]


def _rate(text: str, name: str) -> float:
    if not text:
        return RATE_HZ_DEFAULT
    try:
        rate_hz = float(text)
    except ValueError:
        rate_hz = 0.0
    if not 0 < rate_hz <= RATE_HZ_MAX:
        raise DecodeError(f"parameter {name}: must be samples a second, above 0 and at most {RATE_HZ_MAX:.0f}")
    return rate_hz


def _unix_ns(text: str, name: str) -> int:
    if not text:
        return 0
    if not text.isdecimal() or len(text) > _DIGITS_MAX:
        raise DecodeError(f"parameter {name}: must be Unix seconds, milliseconds or nanoseconds")
    number, factor = int(text), NS_PER_S
    while number >= _SECONDS_MAX * (NS_PER_S // factor) and factor > 1:
        factor //= 1000
    return number * factor


def _rfc3339_ns(text: str, name: str) -> int:
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise DecodeError(f"parameter {name}: must be RFC 3339 with an offset, such as 2026-01-31T12:00:00Z")
    return round(moment.timestamp() * NS_PER_S)


def _refusal(path: str, error: RefusedError) -> tuple[bytes, str]:
    """Return the body of a refusal: Connect's error for its clients, a problem for all others."""
    text = str(error)[:MESSAGE_LENGTH_MAX]
    if path == PUSH:
        return json.dumps({"code": _CONNECT_CODES.get(error.status, "unknown"), "message": text}).encode(), JSON
    problem = Problem(title=HTTPStatus(error.status).phrase, status=error.status, detail=text)
    return msgspec.json.encode(problem), _PROBLEM_TYPE
