"""The collector's own metrics, in its own registry, and its answer to ``/metrics``."""

import platform
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest

from pyrometer import __version__

_SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class CollectorMetrics:
    """Everything the collector counts. Labels come from closed sets, never from senders."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._watched: dict[tuple[str, str], list[Callable[[], float]]] = {}
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.received = self._counter("received", "Requests stored in the log.", "signal", "transport")
        self.received_rows = self._counter("received_rows", "Spans, metrics and profiles in them.", "signal")
        self.received_bytes = self._counter("received_bytes", "Bytes of them, as received.", "signal")
        self.repeated = self._counter("repeated", "Requests acknowledged again that were stored before.", "signal")
        self.rejected = self._counter("rejected", "Requests that were refused.", "reason")
        self.rejected_rows = self._counter(
            "rejected_rows", "Spans, points and log records that are too old or ahead of now to be stored.", "signal"
        )
        self.denied = self._counter("denied", "Requests without the right token, or too many of one token.", "reason")
        self.insert_rows = self._counter("insert_rows", "Rows inserted by the collector itself.", "table")
        self.insert_requests = self._counter("insert_requests", "Requests that are in the database.", "signal")
        self.insert_failures = self._counter("insert_failures", "Inserts that failed and are tried again.", "signal")
        self.quarantined = self._counter(
            "quarantined", "Acknowledged requests that the database refuses; kept in rejected/.", "signal"
        )
        self.damaged_bytes = self._counter(
            "wal_damaged_bytes", "Acknowledged bytes of the log that the disk gives back damaged, or not.", "signal"
        )
        self.insert_seconds = Histogram(
            "pyrometer_collector_insert_seconds",
            "Time to insert one segment.",
            ["signal"],
            registry=self.registry,
            buckets=_SECONDS_BUCKETS,
        )
        self.scans = self._counter("scans", "Services that were scanned without being asked to.", "result")
        self.scan_seconds = Histogram(
            "pyrometer_collector_scan_seconds",
            "Time to scan one service.",
            registry=self.registry,
            buckets=_SECONDS_BUCKETS,
        )
        self._wal_bytes = self._gauge("wal_bytes", "Bytes in the log that are not yet in the database.", "signal")
        self._queue_length = self._gauge("queue_length", "Sealed segments that wait for the database.", "signal")
        self._senders = self._gauge("senders", "Senders of which it is known what they have had stored.", "signal")
        self._gauge("build_info", "Which build this is; always 1.", "version", "python").labels(
            __version__, platform.python_version()
        ).set(1)

    def watch_log(self, signal: str, waiting_bytes: Callable[[], float], waiting_segments: Callable[[], float]) -> None:
        """Publish how much of a signal's log waits for the database; of several logs, those of all tenants, the sum."""
        self._add("wal_bytes", signal, self._wal_bytes, waiting_bytes)
        self._add("queue_length", signal, self._queue_length, waiting_segments)

    def watch_senders(self, signal: str, known: Callable[[], float]) -> None:
        """Publish of how many senders a signal's log knows what they have had stored."""
        self._add("senders", signal, self._senders, known)

    def watch_in_flight(self, in_flight_bytes: Callable[[], float]) -> None:
        """Publish how many bytes of requests are held in memory."""
        self._gauge("in_flight_bytes", "Bytes of requests in memory.").set_function(in_flight_bytes)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus text form."""
        return generate_latest(self.registry)

    def _add(self, name: str, signal: str, gauge: Gauge, value: Callable[[], float]) -> None:
        values = self._watched.setdefault((name, signal), [])
        values.append(value)
        gauge.labels(signal).set_function(lambda: sum(read() for read in values))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"pyrometer_collector_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"pyrometer_collector_{name}", text, labels, registry=self.registry)
