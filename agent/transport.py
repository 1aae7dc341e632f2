"""
One attempt to send one batch, and what its outcome means.

OTLP/HTTP asks for a retry on 429, 502, 503 and 504, with ``Retry-After`` respected, and forbids it on the others.
Source: OpenTelemetry protocol specification, "OTLP/HTTP Response".
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

from agent.batch import Batch
from agent.compression import Compression
from agent.destination import Destination, Signal, open_pool
from pyrometer.text import printable

# Who sends a batch, and which of its batches it is: a collector that has it already says so and stores nothing.
ORIGIN_HEADER: Final = "pyrometer-spool-id"
SEQUENCE_HEADER: Final = "pyrometer-sequence"
_RETRYABLE: Final = frozenset({429, 502, 503, 504})
_UNAUTHORIZED: Final = frozenset({401, 403})
_UNSUPPORTED: Final = 415
_ANSWER_BYTES_MAX: Final = 65_536
_TIMEOUT_S_MIN: Final = 0.1


@dataclass(frozen=True, slots=True)
class Failure:
    """
    Why an attempt failed.

    Attributes:
        reason: A short name for the metrics, from a bounded set.
        text: For people.
        retry: Whether to try again.
        retry_after_s: As the collector asked; None where it did not.
        try_gzip: Whether the receiver may take the batch once it is compressed with gzip.
    """

    reason: str
    text: str
    retry: bool
    retry_after_s: float | None = None
    try_gzip: bool = False


class Transport:
    """The connection of one signal to its destination; used by one thread."""

    def __init__(self, destination: Destination, signal: Signal) -> None:
        self.route = destination.routes[signal]
        self._token = destination.token
        self._pool = open_pool(self.route)

    def send(self, batch: Batch, timeout_s: float) -> Failure | None:
        """Send a batch once, in at most this time; return why that failed, None where it did not."""
        headers = {
            **self.route.headers,
            "content-type": "application/x-protobuf",
            ORIGIN_HEADER: str(batch.origin),
            SEQUENCE_HEADER: str(batch.sequence),
        }
        if batch.compression:
            headers["content-encoding"] = batch.compression.value
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token.value()}"
        try:
            with self._pool.request(
                "POST",
                self.route.url,
                body=batch.body,
                headers=headers,
                timeout=urllib3.Timeout(total=max(_TIMEOUT_S_MIN, timeout_s)),
                redirect=False,
                preload_content=False,
            ) as response:
                answer = response.read(_ANSWER_BYTES_MAX)
                return self._judge(batch, response.status, response.headers.get("retry-after"), answer)
        except (HTTPError, OSError) as error:
            return Failure("connection", printable(str(error))[:300], retry=True)

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()

    def _judge(self, batch: Batch, status: int, retry_after: str | None, answer: bytes) -> Failure | None:
        if 200 <= status < 300:  # noqa: PLR2004
            return None
        said = printable(answer.decode("utf-8", "replace"))[:200].strip()
        return Failure(
            f"status_{status}",
            f"it answers {status}" + (f" ({said})" if said else ""),
            # A token in a file may be another at the next attempt, which is another request then.
            retry=status in _RETRYABLE
            or (status in _UNAUTHORIZED and self._token is not None and self._token.can_change),
            retry_after_s=parse_retry_after(retry_after),
            try_gzip=status == _UNSUPPORTED and batch.compression is Compression.ZSTD,
        )


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, as a number or a date; None where it says nothing."""
    if value is None:
        return None
    text = value.strip()
    if text.isdecimal():
        return float(text[:12])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
