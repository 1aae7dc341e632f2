"""OTLP over HTTP as a raw ASGI application: bound, decompress, validate, log, acknowledge."""

import functools
import logging
from collections.abc import Mapping

from collector.receive.answers import partial_success
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
from collector.receive.intake import Body, Intake, Taken
from collector.receive.origin import read_origin
from collector.receive.otlp_json import json_to_protobuf
from collector.receive.payloads import SIGNALS, SignalFormat
from collector.receive.refusal import JSON, NOT_FOUND, PROTOBUF, RefusedError, status_body

_log = logging.getLogger("pyrometer.collector")


class OtlpReceiver:
    """Answers the OTLP paths; ``handles`` says which they are."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = first_headers(scope)
        content_type = media_type(headers)
        answer_type = JSON if content_type == JSON else PROTOBUF
        try:
            signal = _signal(scope)
            taken = await self._take(signal, content_type, headers, receive)
        except RefusedError as error:
            self._intake.metrics.rejected.labels(error.reason).inc()
            _log.info("refused %s %r: %s: %s", scope["method"], scope["path"][:200], error.status, error)
            body = status_body(error.code, str(error), answer_type)
            await answer(send, error.status, body, answer_type, error.headers)
        except ConnectionError:
            self._intake.metrics.rejected.labels("disconnected").inc()
        else:
            await answer(send, 200, partial_success(signal, taken, answer_type), answer_type)

    async def _take(
        self, signal: SignalFormat, content_type: str, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Taken:
        principal = self._intake.authorise(headers)
        if content_type not in {PROTOBUF, JSON}:
            raise unsupported(f"content type {content_type!r} is not supported: send {PROTOBUF} or {JSON}")
        encoding, origin = encoding_of(headers), read_origin(headers)
        convert = functools.partial(json_to_protobuf, signal.message_type) if content_type == JSON else None
        with self._intake.memory.claim() as claim:
            payload = await read_body(receive, headers, claim, self._intake.limits)
            body = Body(payload=payload, encoding=encoding, convert=convert)
            return await self._intake.take(principal, signal, body, claim, transport="http", origin=origin)


def handles(path: str) -> bool:
    """Tell whether a path belongs to OTLP, served or not."""
    return path.startswith(("/v1/", "/v1development/"))


def _signal(scope: Scope) -> SignalFormat:
    signal = SIGNALS.get(scope["path"])
    if signal is None:
        known = ", ".join(SIGNALS)
        raise RefusedError(404, NOT_FOUND, "unknown_path", f"there is nothing at this path; OTLP is taken at {known}")
    check_method(scope)
    return signal
