"""Sends batches to the collector: a spool in between, and a lane for each signal, so that none waits for another."""

import time
from collections.abc import Callable
from random import random
from typing import Final, Protocol

from agent.compression import compress
from agent.destination import Destination, Signal
from agent.lane import Lane, Sight
from agent.selfmetrics import SelfMetrics
from agent.settings import ExportSettings
from agent.spool import Spool
from pyrometer import semconv

_JOIN_S: Final = 0.5


class Exporter(Protocol):
    """Where finished batches are handed over."""

    def offer(self, signal: Signal, body: bytes) -> bool:
        """Take an encoded OTLP request and return at once; False where it was refused, and counted."""


class Sender:
    """The exporter that talks to a collector. `start` it, `offer` to it from any thread, `close` it once."""

    def __init__(
        self,
        settings: ExportSettings,
        destination: Destination,
        spool: Spool,
        metrics: SelfMetrics,
        *,
        jitter: Callable[[], float] = random,
    ) -> None:
        """
        Prepare; nothing is sent before `start`.

        Args:
            settings: Limits and times.
            destination: Where to.
            spool: What keeps batches until they are sent; closed with the sender.
            metrics: Where it counts.
            jitter: Gives a fraction in [0, 1) that spreads retries, so that a fleet does not return at once.
        """
        self._settings = settings
        self._destination = destination
        self._spool = spool
        self._metrics = metrics
        sight = Sight()
        self._lanes = [
            Lane(signal, spool, settings, destination, metrics=metrics, sight=sight, jitter=jitter) for signal in Signal
        ]

    def start(self) -> None:
        """Begin to send."""
        for lane in self._lanes:
            lane.start()

    @property
    def destination(self) -> Destination:
        """Where batches go."""
        return self._destination

    @property
    def is_running(self) -> bool:
        """Whether all lanes live."""
        return all(lane.is_running for lane in self._lanes)

    def apply(self, settings: ExportSettings, destination: Destination) -> None:
        """Send under other settings from the next attempt on; what is queued stays."""
        self._settings, self._destination = settings, destination
        self._spool.apply(settings)
        for lane in self._lanes:
            lane.apply(settings, destination)

    def offer(self, signal: Signal, body: bytes) -> bool:
        """Queue a request; one larger than a request may be is refused."""
        payload = compress(body, self._destination.routes[signal].compression)
        if len(body) > self._settings.batch_bytes_max or len(payload) > self._settings.queue_bytes_max:
            self._metrics.add(semconv.AGENT_DROPPED, signal=signal, reason="too_large")
            return False
        return self._spool.offer(signal, self._destination.routes[signal].compression, payload)

    def close(self, timeout_s: float) -> None:
        """Send what is queued for at most this long; the rest stays on the disk for the next start."""
        deadline = time.monotonic() + timeout_s
        self._spool.begin_close()
        for lane in self._lanes:
            lane.end(deadline)
        for lane in self._lanes:
            lane.join(max(0.0, deadline - time.monotonic()) + _JOIN_S)
        self._spool.close()
