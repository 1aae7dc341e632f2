"""
The write-ahead log: what is acknowledged is on the disk first.

Requests that come at the same time share one fsync (group commit): while a thread writes and syncs a batch, the next
batch gathers. A segment is sealed by size, rows or age and then handed to the flusher, which deletes it once inserted.
"""

import contextlib
import logging
import os
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from collector.segments import Origin, Record, Segment, new_segment_path, recover, seal, sync_folder
from collector.senders import Senders, write_senders
from pyrometer.errors import PyrometerError

_log = logging.getLogger("pyrometer.collector")

# How long a sender should wait before it tries a log again that is full or cannot be written.
RETRY_AFTER_S: Final = 5


class LogUnavailableError(PyrometerError):
    """The log takes nothing now: it is full, its disk is full, or it is closing. The sender should come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLimits:
    """When a segment is sealed, and how much may wait."""

    bytes_max: int = 1024**3
    segment_bytes_max: int = 16 * 1024**2
    segment_rows_max: int = 50_000
    segment_age_max_s: float = 5.0
    senders_max: int = 100_000


@dataclass(slots=True)
class _Pending:
    record: Record
    rows: int
    done: "Future[bool]"


class WriteAheadLog:
    """
    The log of one signal, in one folder.

    Attributes:
        recovered: Segments that an earlier run left.
        cut_bytes: Bytes of torn ends that were cut from them; they were never acknowledged.
        damaged_bytes: Bytes of them that the disk damaged; they were acknowledged.
    """

    def __init__(self, folder: Path, limits: LogLimits) -> None:
        self._folder = folder
        self._limits = limits
        folder.mkdir(parents=True, exist_ok=True)
        recovered = recover(folder)
        self.cut_bytes, self.damaged_bytes = recovered.cut_bytes, recovered.damaged_bytes
        self.recovered = len(recovered.segments)
        self._sealed = deque(recovered.segments)
        self._bytes = sum(segment.length for segment in recovered.segments)  # sealed, open and pending
        self._senders_path = folder / "senders"
        self._senders = Senders(self._senders_path, limits.senders_max)
        for origin in recovered.origins:
            self._senders.note(origin)
        # Sender -> its request that is being written; there is one at most, and a repetition of it.
        self._writing: dict[bytes, _Pending] = {}
        self._pending: list[_Pending] = []
        self._changed = threading.Condition()
        self._closing = False
        self._ended = False
        self._open = _OpenSegment(folder)
        self._committer = threading.Thread(target=self._run, name=f"log-{folder.name}", daemon=True)
        self._committer.start()

    def append(self, record: Record, rows: int) -> "Future[bool]":
        """
        Return a future that is done when the record is on the disk: true, or false where it was there before.

        Args:
            record: Must not be empty.
            rows: How many rows it will become, about.

        Raises:
            LogUnavailableError: If the log is full or closing; the future has it too, where writing fails.
        """
        if not record.payload:
            raise ValueError("an empty record cannot be logged")
        pending = _Pending(record, rows, _new_future())
        with self._changed:
            if record.origin and (known := self._repeated(record.origin)) is not None:
                return known
            if self._closing:
                raise LogUnavailableError("the collector is stopping")
            if self._bytes + record.stored_length > self._limits.bytes_max:
                raise LogUnavailableError(
                    f"the write-ahead log {self._folder} is full ({self._limits.bytes_max} bytes wait for the database)"
                )
            self._bytes += record.stored_length
            self._pending.append(pending)
            if record.origin:
                self._writing[record.origin.sender] = pending
            self._changed.notify_all()
        return pending.done

    def next_segment(self, timeout_s: float) -> Segment | None:
        """Return the oldest sealed segment, or None where none comes in time; it stays until ``remove``."""
        with self._changed:
            self._changed.wait_for(lambda: self._sealed or self._ended, timeout_s)
            return self._sealed[0] if self._sealed else None

    def remove(self, segment: Segment) -> None:
        """Delete a segment that is stored, once what it says about senders is kept elsewhere."""
        saved = self._save_senders()
        segment.delete()
        if not saved:
            # A full disk gets room only from segments deleted. A kill between the two could store a request twice.
            self._save_senders()
        with self._changed:
            self._sealed.remove(segment)
            self._bytes -= segment.length

    def known_senders(self) -> int:
        """Return of how many senders it is known what they have had stored."""
        with self._changed:
            return len(self._senders)

    def waiting_bytes(self) -> int:
        """Return how many bytes are not yet in the database."""
        with self._changed:
            return self._bytes

    def waiting_segments(self) -> int:
        """Return how many sealed segments are not yet in the database."""
        with self._changed:
            return len(self._sealed)

    def is_closed(self) -> bool:
        """Tell whether no further segment will come."""
        return self._ended

    def is_full(self) -> bool:
        """Tell whether it takes nothing more."""
        return self.waiting_bytes() >= self._limits.bytes_max

    def close(self) -> None:
        """Write what is pending, seal the open segment, and take nothing more."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._committer.join()

    def _repeated(self, origin: Origin) -> "Future[bool] | None":
        """Return the answer to a request that is stored or being written; None for a new one."""
        answer = _new_future()
        if self._senders.has(origin):
            answer.set_result(False)
            return answer
        writing = self._writing.get(origin.sender)
        if writing is None or writing.record.origin is None or origin.sequence > writing.record.origin.sequence:
            return None
        writing.done.add_done_callback(lambda done: _repeat(done, answer))
        return answer

    def _save_senders(self) -> bool:
        """Keep what is known of senders in their file; false where the disk refuses."""
        with self._changed:
            content = self._senders.take_changes()
        if content is None:
            return True
        try:
            write_senders(self._senders_path, content)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._senders_path, error.strerror)
            with self._changed:
                self._senders.give_back_changes()
            return False
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closing, self._open.remaining_s(self._limits))
                batch, self._pending = self._pending, []
                closing = self._closing
            if batch:
                self._commit(batch)
            if self._open.is_due(self._limits) or (closing and not batch):
                self._seal_open()
            if closing and not batch:
                break
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _commit(self, batch: list[_Pending]) -> None:
        try:
            self._open.write([pending.record.to_bytes() for pending in batch], sum(p.rows for p in batch))
        except OSError as error:
            # What was written of the batch is cut off or never read: the segment ends at its committed length.
            with self._changed:
                self._bytes -= sum(pending.record.stored_length for pending in batch)
                self._end_writing(batch)
            self._seal_open()
            reason = LogUnavailableError(f"cannot write the log {self._folder}: {error.strerror}")
            for pending in batch:
                pending.done.set_exception(reason)
            return
        with self._changed:
            for pending in batch:
                if pending.record.origin:
                    self._senders.note(pending.record.origin)
            self._end_writing(batch)
        for pending in batch:
            pending.done.set_result(True)

    def _end_writing(self, batch: list[_Pending]) -> None:
        for pending in batch:
            origin = pending.record.origin
            if origin and self._writing.get(origin.sender) is pending:
                del self._writing[origin.sender]

    def _seal_open(self) -> None:
        segment = self._open.seal()
        if segment is not None:
            with self._changed:
                self._sealed.append(segment)
                self._changed.notify_all()


class _OpenSegment:
    """The segment that is being written; used by the committer's thread alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._descriptor = -1
        self._length = 0
        self._rows = 0
        self._opened_s = 0.0

    def write(self, records: list[bytes], rows: int) -> None:
        """Append records and sync them; on OSError none of them counts."""
        if self._path is None:
            path = new_segment_path(self._folder)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._path, self._length, self._rows, self._opened_s = path, 0, 0, time.monotonic()
            sync_folder(self._folder)
        data = b"".join(records)
        position = 0
        while position < len(data):
            position += os.pwrite(self._descriptor, memoryview(data)[position:], self._length + position)
        os.fdatasync(self._descriptor)
        self._length += len(data)
        self._rows += rows

    def remaining_s(self, limits: LogLimits) -> float | None:
        """Return the time until it is sealed by age; None where there is no segment."""
        if self._path is None:
            return None
        return max(0.0, self._opened_s + limits.segment_age_max_s - time.monotonic())

    def is_due(self, limits: LogLimits) -> bool:
        """Tell whether a limit is reached."""
        if self._path is None:
            return False
        return (
            self._length >= limits.segment_bytes_max
            or self._rows >= limits.segment_rows_max
            or self.remaining_s(limits) == 0.0
        )

    def seal(self) -> Segment | None:
        """End the segment at its committed length; None where nothing was committed."""
        path, self._path = self._path, None
        if path is None:
            return None
        with contextlib.suppress(OSError):  # a longer file does no harm: it is read to its committed length
            os.ftruncate(self._descriptor, self._length)
        os.close(self._descriptor)
        if self._length == 0:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        return seal(path, self._length)


def _new_future() -> "Future[bool]":
    """Return a future that cannot be cancelled: a request that is being written will be, whoever still waits for it."""
    future: Future[bool] = Future()
    future.set_running_or_notify_cancel()
    return future


def _repeat(done: "Future[bool]", answer: "Future[bool]") -> None:
    """Give the outcome of a request to its repetition."""
    error = done.exception()
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(False)
