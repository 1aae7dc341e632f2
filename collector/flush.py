"""
Moves sealed segments of the log into the database, each exactly once, oldest first.

A segment is inserted with its id as the deduplication token until the database confirms it, and deleted only then: a
repeated insert, also after a crash, stores nothing twice. While the database is away, segments wait. A segment that
the database refuses for its content is split in halves (each with its own token, the same on every try) down to the
request at fault, which is put aside in ``rejected/``, so that one bad request never blocks the others.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from collector.bodies import decompress
from collector.metrics import CollectorMetrics
from collector.profile_rows import KnownContent, profiles_to_rows
from collector.segments import Record, Segment
from collector.store.protocol import Signal, Store, StoreError, UnreachableStoreError
from collector.wal import WriteAheadLog
from pyrometer.errors import DecodeError
from pyrometer.formats.otlp import otlp_to_profiles

_log = logging.getLogger("pyrometer.collector")

_BACKOFF_S_MIN: Final = 0.2
_BACKOFF_S_MAX: Final = 10.0
_WAIT_S: Final = 3600.0
_OPENED_POLL_S: Final = 0.2


class SegmentWriter(Protocol):
    """Writes requests of one signal into the database."""

    def write(self, records: Sequence[Record], *, token: str) -> None:
        """
        Insert all rows of the requests; the same token again must come with the same requests.

        Raises:
            UnreachableStoreError: If the database cannot take them now.
            StoreError, DecodeError: If it refuses them.
        """


class OtlpWriter:
    """Hands the joined bytes of requests to the database, which parses them."""

    def __init__(self, store: Store, signal: Signal) -> None:
        self._store = store
        self._signal: Signal = signal

    def write(self, records: Sequence[Record], *, token: str) -> None:
        """Insert them; see SegmentWriter. Protobuf messages joined are one message."""
        body = b"".join(decompress(record.payload, record.encoding, record.raw_length) for record in records)
        self._store.insert_otlp(self._signal, body, token=token)


class ProfilesWriter:
    """Decodes profiles and inserts their rows, table by table."""

    def __init__(self, store: Store, metrics: CollectorMetrics, known: KnownContent | None = None) -> None:
        self._store = store
        self._metrics = metrics
        self._known = known or KnownContent()

    def write(self, records: Sequence[Record], *, token: str) -> None:
        """Insert them; see SegmentWriter. Each table has its own token."""
        bodies = (decompress(record.payload, record.encoding, record.raw_length) for record in records)
        profiles = [profile for body in bodies for profile in otlp_to_profiles(body)]
        rows = profiles_to_rows(profiles, self._known)
        for table, columns in rows.tables.items():
            count = self._store.insert(table, columns, token=f"{token}:{table}")
            self._metrics.insert_rows.labels(table).inc(count)
        self._known.add(rows.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushLimits:
    """How often a segment is tried whole, and how many refused requests are kept."""

    attempts_max: int = 3
    rejected_files_max: int = 100


class Flusher:
    """One thread that empties one signal's log."""

    def __init__(
        self,
        log: WriteAheadLog,
        writer: SegmentWriter,
        *,
        signal: str,
        rejected_dir: Path,
        metrics: CollectorMetrics,
        limits: FlushLimits | None = None,
        opened: threading.Event | None = None,
    ) -> None:
        """
        Do nothing until ``start``.

        Args:
            log: To be emptied.
            writer: Where it goes.
            signal: Of the log.
            rejected_dir: Takes requests that the database refuses.
            metrics: What is counted.
            limits: Of tries and of what is put aside.
            opened: Set once the database has its tables; nothing is written before.
        """
        self._opened = opened
        self._wal = log
        self._writer = writer
        self.signal = signal
        self._rejected_dir = rejected_dir
        self._metrics = metrics
        self._limits = limits or FlushLimits()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"flush-{signal}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether it still works."""
        return self._thread.is_alive()

    def close(self, timeout_s: float) -> bool:
        """Empty the log, which must be closed before, for at most a time; tell whether it is empty."""
        self._thread.join(timeout_s)
        self._stopping.set()
        self._thread.join(_BACKOFF_S_MIN)
        return not self._thread.is_alive() and self._wal.waiting_segments() == 0

    def _run(self) -> None:
        while self._opened and not self._opened.wait(_OPENED_POLL_S):
            if self._stopping.is_set() or self._wal.is_closed():
                return
        while not self._stopping.is_set():
            segment = self._wal.next_segment(_WAIT_S)
            if segment is not None:
                self._flush_if_readable(segment)
            elif self._wal.is_closed():
                return

    def _flush_if_readable(self, segment: Segment) -> None:
        try:
            records = segment.records()
        except OSError as error:
            _log.warning("segment %s cannot be read: %s", segment.path, error.strerror)
            self._stopping.wait(_BACKOFF_S_MAX)
            return
        if damaged := segment.length - sum(record.stored_length for record in records):
            self._metrics.damaged_bytes.labels(self.signal).inc(damaged)
            _log.error(
                "segment %s is damaged: its last %d bytes, which were acknowledged, are lost; check the disk",
                *(segment.path, damaged),
            )
        if records:
            self._flush(segment, records)
        else:
            self._wal.remove(segment)

    def _flush(self, segment: Segment, records: list[Record]) -> None:
        started = time.monotonic()
        if not self._insert_whole(segment, records) and not self._insert_halves(segment, records, 0):
            return  # stopping; the segment stays for the next start
        self._metrics.insert_seconds.labels(self.signal).observe(time.monotonic() - started)
        self._wal.remove(segment)

    def _insert_whole(self, segment: Segment, records: Sequence[Record]) -> bool:
        for attempt in range(1, self._limits.attempts_max + 1):
            error = self._insert(records, segment.segment_id)
            if error is None:
                return True
            if self._stopping.is_set():
                return False
            _log.warning("segment %s was refused (try %d): %s", segment.segment_id, attempt, error)
            self._stopping.wait(_BACKOFF_S_MIN * 2**attempt)
        return False

    def _insert_halves(self, segment: Segment, records: Sequence[Record], first: int) -> bool:
        """Insert what can be inserted of a refused part, put the rest aside; False if stopped before the end."""
        if self._stopping.is_set():
            return False
        if len(records) == 1:
            return self._put_aside(segment, records[0], first)
        middle = len(records) // 2
        for start, half in ((first, records[:middle]), (first + middle, records[middle:])):
            error = self._insert(half, f"{segment.segment_id}/{start}-{start + len(half)}")
            if error is not None and not self._insert_halves(segment, half, start):
                return False
        return True

    def _insert(self, records: Sequence[Record], token: str) -> Exception | None:
        """Insert with one token, waiting as long as the database is away; return why it was refused, if it was."""
        backoff_s = _BACKOFF_S_MIN
        while True:
            try:
                self._writer.write(records, token=token)
            except (UnreachableStoreError, MemoryError) as error:
                self._metrics.insert_failures.labels(self.signal).inc()
                if self._stopping.is_set():
                    return error
                _log.warning("%s wait in the log: %s; next try in %.1f s", self.signal, error, backoff_s)
                self._stopping.wait(backoff_s)
                backoff_s = min(backoff_s * 2, _BACKOFF_S_MAX)
            except Exception as error:  # noqa: BLE001 (see below)
                # A defect of ours that one request brings to light must not stop the others: it is refused like those
                # the database refuses, and kept.
                self._metrics.insert_failures.labels(self.signal).inc()
                if not isinstance(error, (StoreError, DecodeError)):
                    _log.warning("a segment of %s cannot be written", self.signal, exc_info=error)
                return error
            else:
                self._metrics.insert_requests.labels(self.signal).inc(len(records))
                return None

    def _put_aside(self, segment: Segment, record: Record, index: int) -> bool:
        error = self._insert([record], f"{segment.segment_id}/{index}-{index + 1}")
        if error is None:
            return True
        if self._stopping.is_set():
            return False
        self._metrics.quarantined.labels(self.signal).inc()
        path = self._rejected_dir / f"{segment.segment_id}-{index}.{self.signal}"
        kept = self._keep(path, record)
        _log.error("a request that was acknowledged is refused by the database and %s: %s", kept, error)
        return True

    def _keep(self, path: Path, record: Record) -> str:
        try:
            self._rejected_dir.mkdir(parents=True, exist_ok=True)
            if len(list(self._rejected_dir.iterdir())) >= self._limits.rejected_files_max:
                return f"dropped ({self._rejected_dir} holds {self._limits.rejected_files_max} files)"
            path.write_bytes(decompress(record.payload, record.encoding, record.raw_length))
        except (OSError, DecodeError) as error:
            return f"dropped ({error})"
        return f"kept as {path}"
