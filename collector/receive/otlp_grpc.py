"""
OTLP over gRPC: the same requests on the same path to the log as over HTTP.

Messages are taken as bytes, still compressed, and opened by our own guarded decompressor: the library would open them
before anybody may refuse them. Each method is served as a stream of one request, which is the same on the wire, because
only then is the caller looked at before its message is read.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc
import grpc.aio

from collector.auth.tls import TlsFiles
from collector.receive.answers import partial_success, status_with_retry
from collector.receive.intake import Body, Intake
from collector.receive.origin import read_origin
from collector.receive.payloads import SIGNALS, SignalFormat
from collector.receive.refusal import INVALID_ARGUMENT, PROTOBUF, UNAVAILABLE, RefusedError, come_again, too_large
from collector.segments import Encoding
from pyrometer.errors import ConfigError

_log = logging.getLogger("pyrometer.collector")

_GZIP_MAGIC: Final = b"\x1f\x8b"
# What is over a message's limit is refused by us, with a text; only what is far over it by the library.
_LIBRARY_LIMIT_FACTOR: Final = 2
# Source: grpc, include/grpc/impl/compression_types.h: none, and gzip.
_ALGORITHMS: Final = 1 << 0 | 1 << 2
_STREAMS_PER_CONNECTION_MAX: Final = 100
_IDLE_MS_MAX: Final = 300_000
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}

_Handler = Callable[[AsyncIterator[bytes], Any], Awaitable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcLimits:
    """What gRPC may take beside the limits of all receivers."""

    body_bytes_max: int = 8 * 1024**2
    requests_max: int = 32


class OtlpGrpcServer:
    """
    The gRPC listener.

    Args:
        intake: Where requests go.
        host: To listen on.
        port: To listen on.
        limits: Of this listener.
        tls: Files to encrypt with; None: in the clear.
    """

    def __init__(
        self, intake: Intake, host: str, port: int, *, limits: GrpcLimits | None = None, tls: TlsFiles | None = None
    ) -> None:
        self._intake = intake
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._limits = limits or GrpcLimits()
        self._credentials = _credentials(tls) if tls else None
        self._requests = 0
        self._server: grpc.aio.Server | None = None

    async def start(self) -> int:
        """
        Begin to serve on the running loop, and return the port.

        Raises:
            ConfigError: If the address is taken or is not ours.
        """
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self._limits.body_bytes_max * _LIBRARY_LIMIT_FACTOR),
                ("grpc.per_message_decompression", 0),
                ("grpc.compression_enabled_algorithms_bitset", _ALGORITHMS),
                ("grpc.max_concurrent_streams", _STREAMS_PER_CONNECTION_MAX),
                ("grpc.max_connection_idle_ms", _IDLE_MS_MAX),
                ("grpc.so_reuseport", 0),
            ]
        )
        server.add_generic_rpc_handlers(tuple(self._service(signal) for signal in SIGNALS.values()))
        try:
            if self._credentials is None:
                port: int = server.add_insecure_port(self._address)
            else:
                port = server.add_secure_port(self._address, self._credentials)
        except RuntimeError as error:
            raise ConfigError(
                f"gRPC cannot listen on {self._address}: it is taken by another program or is not ours; choose another "
                'with --grpc-address HOST:PORT, or none with --grpc-address ""'
            ) from error
        await server.start()
        self._server = server
        return port

    async def stop(self, grace_s: float) -> None:
        """Take nothing more, and let the requests that run end within a time."""
        if self._server is not None:
            await self._server.stop(grace_s)

    def _service(self, signal: SignalFormat) -> grpc.GenericRpcHandler:
        async def export(messages: AsyncIterator[bytes], context: Any) -> bytes:
            return await self._export(signal, messages, context)

        return grpc.method_handlers_generic_handler(
            signal.service, {"Export": grpc.stream_unary_rpc_method_handler(export)}
        )

    async def _export(self, signal: SignalFormat, messages: AsyncIterator[bytes], context: Any) -> bytes:
        try:
            if self._requests >= self._limits.requests_max:
                raise come_again("busy", f"more than {self._limits.requests_max} requests at once")
            self._requests += 1
            try:
                return await self._take(signal, messages, context)
            finally:
                self._requests -= 1
        except RefusedError as error:
            self._intake.metrics.rejected.labels(error.reason).inc()
            _log.info("refused gRPC %s: %s", signal.service, error)
            if error.retry_after_s is not None:
                details = status_with_retry(error.code, str(error), PROTOBUF, error.retry_after_s)
                context.set_trailing_metadata((("grpc-status-details-bin", details),))
            await context.abort(_CODES[error.code], str(error))
            raise  # not reached: abort raises

    async def _take(self, signal: SignalFormat, messages: AsyncIterator[bytes], context: Any) -> bytes:
        headers = {key.encode(): _as_bytes(value) for key, value in context.invocation_metadata()}
        principal, origin = self._intake.authorise(headers), read_origin(headers)
        payload = await self._receive(messages)
        encoding = Encoding.GZIP if payload.startswith(_GZIP_MAGIC) else Encoding.IDENTITY
        with self._intake.memory.claim(len(payload)) as claim:
            body = Body(payload=payload, encoding=encoding)
            taken = await self._intake.take(principal, signal, body, claim, transport="grpc", origin=origin)
        return partial_success(signal, taken, PROTOBUF)

    async def _receive(self, messages: AsyncIterator[bytes]) -> bytes:
        try:
            async with asyncio.timeout(self._intake.limits.body_timeout_s):
                async for payload in messages:
                    if len(payload) > self._limits.body_bytes_max:
                        raise too_large(self._limits.body_bytes_max)
                    return payload
        except TimeoutError:
            raise RefusedError(408, UNAVAILABLE, "slow_body", "the message did not arrive in time") from None
        raise RefusedError(400, INVALID_ARGUMENT, "malformed", "the call has no message")


def _as_bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "replace")


def _credentials(files: TlsFiles) -> grpc.ServerCredentials:
    client_ca = files.client_ca.read_bytes() if files.client_ca else None
    return grpc.ssl_server_credentials(
        [(files.key.read_bytes(), files.certificate.read_bytes())],
        root_certificates=client_ca,
        require_client_auth=client_ca is not None,
    )
