"""
Sends batches to the collector: one worker thread, one bounded queue, counted drops.

OTLP/HTTP asks for a retry on 429, 502, 503 and 504, with ``Retry-After`` respected, and forbids it on the others.
Source: OpenTelemetry protocol specification, "OTLP/HTTP Response".
"""

import gzip
import logging
import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

import urllib3
from urllib3.exceptions import HTTPError

from agent.destination import Destination, Signal, open_pool
from agent.selfmetrics import SelfMetrics
from agent.settings import ExportSettings
from pyrometer import semconv
from pyrometer.text import printable
from pyrometer.units import format_bytes

_LOG = logging.getLogger(__name__)
_RETRYABLE = frozenset({429, 502, 503, 504})
RETRY_AFTER_MAX_S = 300.0
_ANSWER_BYTES_MAX = 65_536
_GZIP_LEVEL = 5


class Exporter(Protocol):
    """Where finished batches are handed over."""

    def offer(self, signal: Signal, body: bytes) -> bool:
        """Take an encoded OTLP request and return at once; False where it was refused, and counted."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """One request as it will be sent."""

    signal: Signal
    body: bytes


@dataclass(frozen=True, slots=True)
class _Failure:
    """
    Why an attempt failed.

    Attributes:
        reason: A short name for the metrics, from a bounded set.
        text: For people.
        retry: Whether to try again.
        retry_after_s: As the collector asked; None where it did not.
    """

    reason: str
    text: str
    retry: bool
    retry_after_s: float | None = None


class Sender:
    """The exporter that talks to a collector. `start` it, `offer` to it from any thread, `close` it once."""

    def __init__(
        self,
        settings: ExportSettings,
        destination: Destination,
        metrics: SelfMetrics,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """
        Prepare; nothing is sent before `start`.

        Args:
            settings: Limits and times.
            destination: Where to.
            metrics: Where it counts.
            jitter: Gives a fraction in [0, 1) that spreads retries, so that a fleet does not return at once.
        """
        self._settings = settings
        self._destination = destination
        self._metrics = metrics
        self._jitter = jitter
        self._queue: deque[_Batch] = deque()
        self._queued_bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._deadline = math.inf
        self._reachable: bool | None = None
        self._refusals: set[tuple[Signal, str]] = set()
        self._pool = open_pool(destination)
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    @property
    def destination(self) -> Destination:
        """Where batches go."""
        return self._destination

    def apply(self, settings: ExportSettings, destination: Destination) -> None:
        """Send under other settings from the next attempt on; what is queued stays."""
        with self._changed:
            self._settings, self._destination = settings, destination
            self._pool = open_pool(destination)
            self._reachable = None
            self._refusals.clear()
            self._changed.notify()

    @property
    def is_running(self) -> bool:
        """Whether the worker lives."""
        return self._thread.is_alive()

    def offer(self, signal: Signal, body: bytes) -> bool:
        """Queue a request; the oldest are dropped to make room, and one larger than the whole queue is refused."""
        payload = gzip.compress(body, _GZIP_LEVEL, mtime=0) if self._destination.compress else body
        if len(body) > self._settings.batch_bytes_max or len(payload) > self._settings.queue_bytes_max:
            self._count_drop(signal, "too_large")
            return False
        with self._changed:
            if self._closing:
                self._count_drop(signal, "closing")
                return False
            while self._queue and self._queued_bytes + len(payload) > self._settings.queue_bytes_max:
                self._count_drop(self._take().signal, "queue_full")
            self._queue.append(_Batch(signal, payload))
            self._queued_bytes += len(payload)
            self._metrics.set(semconv.AGENT_QUEUE_BYTES, self._queued_bytes)
            self._changed.notify()
        return True

    def close(self, timeout_s: float) -> None:
        """Send what is queued for at most this long; what is left is dropped, and counted."""
        with self._changed:
            self._closing = True
            self._deadline = time.monotonic() + timeout_s
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s + 0.5)
        with self._changed:
            left = [self._take() for _ in range(len(self._queue))]
        for batch in left:
            self._count_drop(batch.signal, "shutdown")
        if left:
            _LOG.warning("%d batches were not sent before the end", len(left))
        self._pool.clear()

    def _run(self) -> None:
        attempt = 0
        while (batch := self._next()) is not None:
            failure = self._attempt(batch)
            if failure is None or not failure.retry:
                attempt = 0
                self._remove(batch)
                self._report(batch, failure)
                continue
            self._lose_sight(failure)
            if not self._pause(self._backoff_s(attempt, failure)):
                return
            attempt += 1

    def _next(self) -> _Batch | None:
        """Wait for the oldest batch, which stays queued until it is dealt with; None at the end."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            out_of_time = time.monotonic() >= self._deadline
            return self._queue[0] if self._queue and not out_of_time else None

    def _remove(self, batch: _Batch) -> None:
        with self._changed:
            if self._queue and self._queue[0] is batch:  # it may have been dropped for room meanwhile
                self._take()

    def _take(self) -> _Batch:
        batch = self._queue.popleft()
        self._queued_bytes -= len(batch.body)
        self._metrics.set(semconv.AGENT_QUEUE_BYTES, self._queued_bytes)
        return batch

    def _attempt(self, batch: _Batch) -> _Failure | None:
        started = time.monotonic()
        timeout_s = max(0.1, min(self._settings.timeout_s, self._deadline - started))
        headers = {**self._destination.headers[batch.signal], "content-type": "application/x-protobuf"}
        if self._destination.compress:
            headers["content-encoding"] = "gzip"
        failure: _Failure | None
        try:
            with self._pool.request(
                "POST",
                self._destination.urls[batch.signal],
                body=batch.body,
                headers=headers,
                timeout=urllib3.Timeout(total=timeout_s),
                redirect=False,
                preload_content=False,
            ) as response:
                answer = response.read(_ANSWER_BYTES_MAX)
                failure = _judge(response.status, response.headers.get("retry-after"), answer)
        except (HTTPError, OSError) as error:
            failure = _Failure("connection", printable(str(error))[:300], retry=True)
        self._metrics.add(semconv.AGENT_EXPORT_TIME, time.monotonic() - started, signal=batch.signal)
        if failure:
            self._metrics.add(semconv.AGENT_EXPORT_FAILURES, signal=batch.signal, reason=failure.reason)
        return failure

    def _backoff_s(self, attempt: int, failure: _Failure) -> float:
        if failure.retry_after_s is not None:
            return min(failure.retry_after_s, RETRY_AFTER_MAX_S) + self._jitter() * self._settings.retry_s
        ceiling = min(self._settings.retry_max_s, self._settings.retry_s * 2.0 ** min(attempt, 16))
        return ceiling * (0.5 + 0.5 * self._jitter())

    def _pause(self, seconds: float) -> bool:
        """Wait before a retry, less when `close` calls meanwhile. False when the time to close is over."""
        until = time.monotonic() + seconds
        with self._changed:
            was_closing = self._closing
            while self._closing == was_closing and (left := min(until, self._deadline) - time.monotonic()) > 0:
                self._changed.wait(left)
            return time.monotonic() < self._deadline

    def _report(self, batch: _Batch, failure: _Failure | None) -> None:
        self._regain_sight()
        if failure is None:
            self._metrics.add(semconv.AGENT_EXPORTED, len(batch.body), signal=batch.signal)
            return
        self._count_drop(batch.signal, failure.reason)
        if (batch.signal, failure.reason) not in self._refusals:
            self._refusals.add((batch.signal, failure.reason))
            _LOG.error("the collector refuses %s: %s; such batches are dropped", batch.signal, failure.text)

    def _lose_sight(self, failure: _Failure) -> None:
        if self._reachable is not False:
            limit = format_bytes(self._settings.queue_bytes_max)
            _LOG.warning("cannot send to the collector: %s; keeping up to %s and trying again", failure.text, limit)
        self._reachable = False

    def _regain_sight(self) -> None:
        if self._reachable is not True:
            _LOG.info("sending to the collector at %s", self._destination.urls[Signal.PROFILES])
        self._reachable = True

    def _count_drop(self, signal: Signal, reason: str) -> None:
        self._metrics.add(semconv.AGENT_DROPPED, signal=signal, reason=reason)


def _judge(status: int, retry_after: str | None, answer: bytes) -> _Failure | None:
    if 200 <= status < 300:  # noqa: PLR2004
        return None
    said = printable(answer.decode("utf-8", "replace"))[:200].strip()
    text = f"it answers {status}" + (f" ({said})" if said else "")
    return _Failure(f"status_{status}", text, status in _RETRYABLE, parse_retry_after(retry_after))


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
