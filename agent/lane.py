"""One signal on its way: a thread that sends its batches, one after the other, in order, until each is dealt with."""

import dataclasses
import logging
import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from agent.batch import Batch
from agent.compression import Compression, compress, decompress
from agent.destination import Destination, Signal
from agent.selfmetrics import SelfMetrics
from agent.settings import ExportSettings
from agent.spool import Spool
from agent.transport import Failure, Transport
from pyrometer import semconv

_LOG = logging.getLogger("agent.export")
RETRY_AFTER_MAX_S: Final = 300.0


class Sight:
    """Whether each host that batches go to can be reached; a change is told once, however many signals go there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Host -> signals that cannot be sent; a host that was never tried is not in it.
        self._lost: dict[str, set[Signal]] = {}

    def lose(self, signal: Signal, url: str, why: str) -> None:
        """A signal could not be sent."""
        with self._lock:
            lost = self._lost.setdefault(urlsplit(url).netloc, set())
            if not lost:
                _LOG.warning("cannot send to the collector: %s; keeping what waits and trying again", why)
            lost.add(signal)

    def regain(self, signal: Signal, url: str) -> None:
        """A signal was answered."""
        host = urlsplit(url).netloc
        with self._lock:
            lost = self._lost.get(host)
            if lost is None or lost == {signal}:
                _LOG.info("sending to the collector at %s", url)
            self._lost[host] = (lost or set()) - {signal}


class Lane:
    """Sends one signal. `start` it, `apply` other settings at any time, `end` it once."""

    def __init__(
        self,
        signal: Signal,
        spool: Spool,
        settings: ExportSettings,
        destination: Destination,
        *,
        metrics: SelfMetrics,
        sight: Sight,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """
        Prepare; nothing is sent before `start`.

        Args:
            signal: Which.
            spool: Where its batches come from.
            settings: Times.
            destination: Where to.
            metrics: Where it counts.
            sight: Shared by all lanes.
            jitter: Gives a fraction in [0, 1) that spreads retries, so that a fleet does not return at once.
        """
        self._signal = signal
        self._spool = spool
        self._settings = settings
        self._metrics = metrics
        self._sight = sight
        self._jitter = jitter
        self._transport = Transport(destination, signal)
        self._next: deque[tuple[ExportSettings, Transport]] = deque(maxlen=1)
        self._refused: set[str] = set()
        self._needs_gzip = False
        self._stirred = threading.Event()
        self._deadline = math.inf
        self._thread = threading.Thread(target=self._run, name=f"send-{signal}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether its thread lives."""
        return self._thread.is_alive()

    def apply(self, settings: ExportSettings, destination: Destination) -> None:
        """Send under other settings from the next attempt on, which comes at once."""
        self._next.append((settings, Transport(destination, self._signal)))
        self._stirred.set()

    def end(self, deadline: float) -> None:
        """Try once more at once what waits for a retry, and stop at this monotonic time, or when nothing is left."""
        self._deadline = deadline
        self._stirred.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the end."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._transport.close()

    def _run(self) -> None:
        attempt, started = 0, -math.inf
        while time.monotonic() < self._deadline and (batch := self._spool.take(self._signal)) is not None:
            self._take_over()
            self._pace(started)
            started = time.monotonic()
            if started >= self._deadline:
                self._spool.put_back(batch)
                return
            failure = self._attempt(batch)
            if failure is None or not failure.retry:
                attempt = 0
                self._spool.done(batch)
                self._report(batch, failure)
                continue
            self._spool.put_back(batch)
            self._sight.lose(self._signal, self._transport.route.url, failure.text)
            self._pause(self._backoff_s(attempt, failure))
            attempt += 1

    def _pace(self, started: float) -> None:
        """Send what piled up no faster than allowed: neither this host nor the collector is to feel the return."""
        if self._deadline == math.inf:
            self._pause(started + 1 / self._settings.batches_per_s_max - time.monotonic())

    def _take_over(self) -> None:
        """Use the settings that came meanwhile."""
        while self._next:
            self._transport.close()
            self._settings, self._transport = self._next.pop()
            self._refused.clear()
            self._needs_gzip = False

    def _attempt(self, batch: Batch) -> Failure | None:
        if self._needs_gzip:
            batch = _in_gzip(batch)
        failure = self._send(batch)
        if failure is not None and failure.try_gzip:
            self._needs_gzip = True
            failure = self._send(_in_gzip(batch))
        return failure

    def _send(self, batch: Batch) -> Failure | None:
        started = time.monotonic()
        failure = self._transport.send(batch, min(self._transport.route.timeout_s, self._deadline - started))
        self._metrics.add(semconv.AGENT_EXPORT_TIME, time.monotonic() - started, signal=self._signal)
        if failure is not None:
            self._metrics.add(semconv.AGENT_EXPORT_FAILURES, signal=self._signal, reason=failure.reason)
        return failure

    def _backoff_s(self, attempt: int, failure: Failure) -> float:
        if failure.retry_after_s is not None:
            return min(failure.retry_after_s, RETRY_AFTER_MAX_S) + self._jitter() * self._settings.retry_s
        ceiling = min(self._settings.retry_max_s, self._settings.retry_s * 2.0 ** min(attempt, 16))
        return ceiling * (0.5 + 0.5 * self._jitter())

    def _pause(self, seconds: float) -> None:
        """Wait, less when `apply` or `end` calls meanwhile, and never beyond the deadline."""
        if self._stirred.wait(max(0.0, min(seconds, self._deadline - time.monotonic()))):
            self._stirred.clear()

    def _report(self, batch: Batch, failure: Failure | None) -> None:
        self._sight.regain(self._signal, self._transport.route.url)
        if failure is None:
            self._metrics.add(semconv.AGENT_EXPORTED, len(batch.body), signal=self._signal)
            return
        self._metrics.add(semconv.AGENT_DROPPED, signal=self._signal, reason=failure.reason)
        if failure.reason not in self._refused:
            self._refused.add(failure.reason)
            _LOG.error("the collector refuses %s: %s; such batches are dropped", self._signal, failure.text)


def _in_gzip(batch: Batch) -> Batch:
    if batch.compression is not Compression.ZSTD:
        return batch
    body = compress(decompress(batch.body, batch.compression), Compression.GZIP)
    return dataclasses.replace(batch, body=body, compression=Compression.GZIP)
