"""OTLP over HTTP as a raw ASGI application: bound, decompress, validate, log, acknowledge."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Final

from collector.auth.guard import DeniedError, Guard, Principal
from collector.auth.tokens import DEFAULT_TENANT, Role
from collector.bodies import TooLargeError, decompress
from collector.metrics import CollectorMetrics
from collector.receive.origin import read_origin
from collector.receive.payloads import SIGNALS, SignalFormat, json_to_protobuf
from collector.receive.refusal import (
    INVALID_ARGUMENT,
    JSON,
    NOT_FOUND,
    PERMISSION_DENIED,
    PROTOBUF,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    RefusedError,
    status_body,
)
from collector.segments import Encoding, Record
from collector.wal import RETRY_AFTER_S, LogUnavailableError, WriteAheadLog
from pyrometer.errors import DecodeError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_log = logging.getLogger("pyrometer.collector")

_ENCODINGS: Final = {
    b"": Encoding.IDENTITY,
    b"identity": Encoding.IDENTITY,
    b"gzip": Encoding.GZIP,
    b"zstd": Encoding.ZSTD,
}
# Below this, checking a body takes less time than handing it to another thread and back.
_INLINE_BYTES_MAX: Final = 16 * 1024

_LENGTH_DIGITS_MAX: Final = 18
# Source: OTLP/HTTP and google/rpc/code.proto.
_DENIED_CODES: Final = {401: UNAUTHENTICATED, 403: PERMISSION_DENIED, 429: RESOURCE_EXHAUSTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveLimits:
    """What one request, and all of them together, may take."""

    body_bytes_max: int = 64 * 1024**2
    in_flight_bytes_max: int = 256 * 1024**2
    body_timeout_s: float = 30.0


class OtlpReceiver:
    """
    Answers the OTLP paths; ``handles`` says which they are.

    Args:
        logs: Of the default tenant, by signal.
        metrics: What is counted.
        executor: Threads for checking bodies.
        limits: What requests may take.
        guard: Who may send.
        tenant_logs: Of the other tenants, by name and signal.
    """

    def __init__(
        self,
        logs: Mapping[str, WriteAheadLog],
        *,
        metrics: CollectorMetrics,
        executor: Executor,
        limits: ReceiveLimits | None = None,
        guard: Guard | None = None,
        tenant_logs: Mapping[str, Mapping[str, WriteAheadLog]] | None = None,
    ) -> None:
        self._logs = {**(tenant_logs or {}), DEFAULT_TENANT: logs}
        self._guard = guard or Guard()
        self._metrics = metrics
        self._executor = executor
        self._limits = limits or ReceiveLimits()
        self._in_flight_bytes = 0
        metrics.watch_in_flight(lambda: self._in_flight_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = _first_headers(scope)
        content_type = headers.get(b"content-type", b"").split(b";")[0].strip().lower().decode("latin-1")
        answer_type = JSON if content_type == JSON else PROTOBUF
        try:
            signal = _signal(scope)
            principal = self._authorise(headers)
            if content_type not in {PROTOBUF, JSON}:
                raise _unsupported(f"content type {content_type!r} is not supported: send {PROTOBUF} or {JSON}")
            encoding = _ENCODINGS.get(headers.get(b"content-encoding", b"").strip().lower())
            if encoding is None:
                raise _unsupported("this content encoding is not supported: send gzip, zstd or identity")
            await self._take(principal, signal, content_type, encoding, headers, receive)
        except RefusedError as error:
            self._metrics.rejected.labels(error.reason).inc()
            _log.info("refused %s %r: %s: %s", scope["method"], scope["path"][:200], error.status, error)
            body = status_body(error.code, str(error), answer_type)
            await _answer(send, error.status, body, answer_type, error.headers)
        except ConnectionError:
            self._metrics.rejected.labels("disconnected").inc()
        else:
            await _answer(send, 200, b"{}" if answer_type == JSON else b"", answer_type)

    def _authorise(self, headers: Mapping[bytes, bytes]) -> Principal:
        try:
            return self._guard.authorise(headers, Role.INGEST)
        except DeniedError as error:
            more = tuple((name.encode(), value.encode()) for name, value in error.headers().items())
            code = _DENIED_CODES[error.status]
            raise RefusedError(error.status, code, error.reason, str(error), more) from error

    async def _take(  # noqa: PLR0917
        self,
        principal: Principal,
        signal: SignalFormat,
        content_type: str,
        encoding: Encoding,
        headers: Mapping[bytes, bytes],
        receive: Receive,
    ) -> None:
        origin = read_origin(headers)
        claim = _Claim(self, _content_length(headers, self._limits.body_bytes_max))
        try:
            try:
                async with asyncio.timeout(self._limits.body_timeout_s):
                    body = await self._read(receive, claim)
            except TimeoutError:
                raise RefusedError(408, UNAVAILABLE, "slow_body", "the body did not arrive in time") from None
            record, rows = await self._check(signal, content_type, encoding, body, claim)
            log = self._logs[principal.tenant][signal.name]
            if record.payload and rows and not await _append(log, replace(record, origin=origin), rows):
                self._metrics.repeated.labels(signal.name).inc()
                return
            self._metrics.received.labels(signal.name, "http").inc()
            self._metrics.received_rows.labels(signal.name).inc(rows)
            self._metrics.received_bytes.labels(signal.name).inc(len(body))
        finally:
            claim.release()

    async def _read(self, receive: Receive, claim: "_Claim") -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            part = message.get("body", b"")
            size += len(part)
            if size > self._limits.body_bytes_max:
                raise _too_large(self._limits.body_bytes_max)
            claim.grow_to(size)
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)

    async def _check(
        self, signal: SignalFormat, content_type: str, encoding: Encoding, body: bytes, claim: "_Claim"
    ) -> tuple[Record, int]:
        try:
            if encoding is Encoding.IDENTITY and len(body) <= _INLINE_BYTES_MAX and signal.name != "profiles":
                return self._decode(signal, content_type, encoding, body)
            loop = asyncio.get_running_loop()
            record, rows = await loop.run_in_executor(
                self._executor, self._decode, signal, content_type, encoding, body
            )
        except TooLargeError as error:
            raise RefusedError(413, RESOURCE_EXHAUSTED, "too_large", str(error)) from error
        except DecodeError as error:
            raise RefusedError(400, INVALID_ARGUMENT, "malformed", str(error)) from error
        claim.grow_to(len(body) + record.raw_length)
        return record, rows

    def _decode(self, signal: SignalFormat, content_type: str, encoding: Encoding, body: bytes) -> tuple[Record, int]:
        raw = decompress(body, encoding, self._limits.body_bytes_max)
        if content_type == JSON:
            raw = json_to_protobuf(signal, raw)
        plain, rows = signal.check(raw)
        if plain == raw and content_type != JSON:
            return Record(body, len(raw), encoding), rows
        return Record(plain, len(plain)), rows

    def claim_bytes(self, count: int) -> None:
        """Count bytes as held in memory, or refuse the request that needs them."""
        if count > 0 and self._in_flight_bytes + count > self._limits.in_flight_bytes_max:
            raise _come_again("busy", f"more than {self._limits.in_flight_bytes_max} bytes of requests are in memory")
        self._in_flight_bytes += count


async def _append(log: WriteAheadLog, record: Record, rows: int) -> bool:
    """Return whether it is stored now; False where it was before."""
    try:
        return await asyncio.wrap_future(log.append(record, rows))
    except LogUnavailableError as error:
        raise _come_again("log_unavailable", str(error)) from error


class _Claim:
    """The bytes of memory that one request holds."""

    def __init__(self, receiver: OtlpReceiver, count: int) -> None:
        self._receiver = receiver
        self._count = 0
        self.grow_to(count)

    def grow_to(self, count: int) -> None:
        if count > self._count:
            self._receiver.claim_bytes(count - self._count)
            self._count = count

    def release(self) -> None:
        self._receiver.claim_bytes(-self._count)
        self._count = 0


def handles(path: str) -> bool:
    """Tell whether a path belongs to OTLP, served or not."""
    return path.startswith(("/v1/", "/v1development/"))


def _signal(scope: Scope) -> SignalFormat:
    signal = SIGNALS.get(scope["path"])
    if signal is None:
        known = ", ".join(SIGNALS)
        raise RefusedError(404, NOT_FOUND, "unknown_path", f"there is nothing at this path; OTLP is taken at {known}")
    if scope["method"] != "POST":
        raise RefusedError(405, UNIMPLEMENTED, "method", "only POST is taken here", ((b"allow", b"POST"),))
    return signal


def _first_headers(scope: Scope) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name, value)
    return headers


def _content_length(headers: Mapping[bytes, bytes], size_max: int) -> int:
    text = headers.get(b"content-length", b"")
    length = int(text[:_LENGTH_DIGITS_MAX]) if text.isdigit() else 0
    if length > size_max:
        raise _too_large(size_max)
    return length


def _unsupported(message: str) -> RefusedError:
    return RefusedError(415, INVALID_ARGUMENT, "unsupported", message)


def _too_large(size_max: int) -> RefusedError:
    return RefusedError(413, RESOURCE_EXHAUSTED, "too_large", f"the body has more than {size_max} bytes")


def _come_again(reason: str, message: str) -> RefusedError:
    return RefusedError(503, UNAVAILABLE, reason, message, ((b"retry-after", str(RETRY_AFTER_S).encode()),))


async def _answer(
    send: Send, status: int, body: bytes, content_type: str, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    fixed = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})
