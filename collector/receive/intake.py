"""What all receivers share: who may send, memory, the check of a body, the write-ahead log, and what is counted."""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from collector.auth.guard import DeniedError, Guard, Principal
from collector.auth.tokens import Role
from collector.bodies import TooLargeError, decompress
from collector.metrics import CollectorMetrics
from collector.receive.memory import Claim, Memory
from collector.receive.payloads import SignalFormat
from collector.receive.refusal import (
    INVALID_ARGUMENT,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    RefusedError,
    come_again,
)
from collector.segments import Encoding, Origin, Record
from collector.wal import LogUnavailableError, WriteAheadLog
from pyrometer.errors import DecodeError

# Below this, as sent and once decompressed, checking a body takes less time than handing it to another thread and back.
_INLINE_BYTES_MAX: Final = 16 * 1024
_INLINE_RAW_BYTES_MAX: Final = 128 * 1024
# What a body takes in memory while it is read, times its size: as messages, and as objects of Python before that.
_PARSED_FACTOR: Final = 8
_CONVERTED_FACTOR: Final = 32
# Source: OTLP/HTTP and google/rpc/code.proto.
_DENIED_CODES: Final = {401: UNAUTHENTICATED, 403: PERMISSION_DENIED, 429: RESOURCE_EXHAUSTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveLimits:
    """What one request, and all of them together, may take."""

    body_bytes_max: int = 20 * 1024**2
    in_flight_bytes_max: int = 256 * 1024**2
    body_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """
    A request's body as it came.

    Attributes:
        payload: Its bytes.
        encoding: How they are compressed.
        convert: Makes the signal's protobuf of them; None where they are that. Raises DecodeError.
    """

    payload: bytes
    encoding: Encoding = Encoding.IDENTITY
    convert: Callable[[bytes], bytes] | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request: how many of its rows will not be stored, and why."""

    rejected: int = 0
    message: str = ""


class Intake:
    """
    Takes requests of every protocol; what it acknowledges is on the disk.

    Args:
        logs: By tenant and signal.
        metrics: What is counted.
        executor: Threads for checking bodies.
        limits: What requests may take.
        guard: Who may send.
    """

    def __init__(
        self,
        logs: Mapping[str, Mapping[str, WriteAheadLog]],
        *,
        metrics: CollectorMetrics,
        executor: Executor,
        limits: ReceiveLimits | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.limits = limits or ReceiveLimits()
        self.metrics = metrics
        self.memory = Memory(self.limits.in_flight_bytes_max)
        self._logs = logs
        self._executor = executor
        self._guard = guard or Guard()
        metrics.watch_in_flight(self.memory.held)

    def authorise(self, headers: Mapping[bytes, bytes]) -> Principal:
        """
        Return who sends, before anything of the body is read.

        Args:
            headers: By lower-case name; of gRPC the metadata.

        Raises:
            RefusedError: If it may not, or not now.
        """
        try:
            return self._guard.authorise(headers, Role.INGEST)
        except DeniedError as error:
            more = tuple((name.encode(), value.encode()) for name, value in error.headers().items())
            raise RefusedError(error.status, _DENIED_CODES[error.status], error.reason, str(error), more) from error

    async def take(
        self,
        principal: Principal,
        signal: SignalFormat,
        body: Body,
        claim: Claim,
        *,
        transport: str,
        origin: Origin | None = None,
    ) -> Taken:
        """
        Check a request and log it; return once it is on the disk.

        Args:
            principal: Who sends.
            signal: What.
            body: As it came.
            claim: Holds the memory of the body, and then of what is made of it.
            transport: For the counter.
            origin: Which request of which sender it is, if it says so.

        Raises:
            RefusedError: If nothing of it is stored.
        """
        record, rows, taken = await self._check(signal, body, claim, origin)
        if record.payload and rows and not await _append(self._logs[principal.tenant][signal.name], record, rows):
            self.metrics.repeated.labels(signal.name).inc()
            return taken
        self.metrics.received.labels(signal.name, transport).inc()
        self.metrics.received_rows.labels(signal.name).inc(rows)
        self.metrics.received_bytes.labels(signal.name).inc(len(body.payload))
        if taken.rejected:
            self.metrics.rejected_rows.labels(signal.name).inc(taken.rejected)
        return taken

    async def _check(
        self, signal: SignalFormat, body: Body, claim: Claim, origin: Origin | None
    ) -> tuple[Record, int, Taken]:
        size_max = self.limits.body_bytes_max
        if body.convert:
            size_max = min(size_max, self.limits.in_flight_bytes_max // _CONVERTED_FACTOR)
        try:
            if len(body.payload) <= _INLINE_BYTES_MAX and signal.name != "profiles":
                inline_max = min(size_max, _INLINE_BYTES_MAX if body.convert else _INLINE_RAW_BYTES_MAX)
                with contextlib.suppress(TooLargeError):
                    return self._read(signal, body, claim, origin, size_max=inline_max)
            loop = asyncio.get_running_loop()
            read = functools.partial(self._read, signal, body, claim, origin, size_max=size_max)
            return await loop.run_in_executor(self._executor, read)
        except TooLargeError as error:
            raise RefusedError(413, RESOURCE_EXHAUSTED, "too_large", str(error)) from error
        except DecodeError as error:
            raise RefusedError(400, INVALID_ARGUMENT, "malformed", str(error)) from error

    def _read(
        self, signal: SignalFormat, body: Body, claim: Claim, origin: Origin | None, *, size_max: int
    ) -> tuple[Record, int, Taken]:
        raw = decompress(body.payload, body.encoding, size_max)
        claim.resize(len(body.payload) + len(raw) * (_CONVERTED_FACTOR if body.convert else _PARSED_FACTOR))
        if body.convert:
            raw = body.convert(raw)
        checked = signal.check(raw)
        if checked.plain == raw and not body.convert:
            record = Record(body.payload, len(raw), body.encoding, origin)
        else:
            record = Record(checked.plain, len(checked.plain), origin=origin)
        claim.resize(len(record.payload))
        return record, checked.rows, Taken(checked.rejected, checked.message)


async def _append(log: WriteAheadLog, record: Record, rows: int) -> bool:
    """Return whether it is stored now; False where it was before."""
    try:
        return await asyncio.wrap_future(log.append(record, rows))
    except LogUnavailableError as error:
        raise come_again("log_unavailable", str(error)) from error
