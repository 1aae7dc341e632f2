"""
What waits for the collector: the oldest batches on the disk, the newest in memory.

A batch that is sent at once never touches the disk. One that is still here after ``commit_s`` is written, with all
that came meanwhile, in one transaction; from then on a kill of the agent does not lose it. Where the disk cannot be
written, batches stay in memory, bounded, and the disk is tried again.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.batch import Batch
from agent.compression import Compression
from agent.destination import Signal
from agent.selfmetrics import SelfMetrics
from agent.settings import ExportSettings
from agent.spool_disk import SpoolDisk
from pyrometer import semconv

_LOG = logging.getLogger(__name__)
# How long the disk is left alone after it refused.
_DISK_RETRY_S: Final = 5.0


class Spool:
    """
    A bounded queue with one lane for each signal. Thread-safe; `offer` never waits for the disk, unless told to.

    The locks, where both are held, are taken in this order: ``_disk_lock`` for the file, ``_changed`` for the memory.
    """

    def __init__(
        self,
        settings: ExportSettings,
        directory: Path | None,
        metrics: SelfMetrics,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        Take up what an earlier run left, and begin.

        Args:
            settings: Limits and times.
            directory: Where the file lies; None for memory alone.
            metrics: Where it counts.
            now: The clock: Unix time, seconds.

        Raises:
            ConfigError: If another agent uses the directory.
        """
        self._settings = settings
        self._metrics = metrics
        self._now = now
        self._origin = uuid.uuid4()
        self._disk_lock = threading.RLock()
        self._disk = SpoolDisk(settings, directory, metrics)
        self._sequence = self._disk.sequence_max
        self._changed = threading.Condition()
        self._memory: dict[int, Batch] = {}
        self._memory_bytes = 0
        self._taken: set[int] = set()
        self._changes = 0
        self._closing = False
        self._show()
        self._committer = threading.Thread(target=self._run, name="spool", daemon=True)
        self._committer.start()

    @property
    def waiting(self) -> int:
        """Return how many batches wait."""
        with self._disk_lock, self._changed:
            return len(self._memory) + self._disk.waiting

    def apply(self, settings: ExportSettings) -> None:
        """Keep to other limits from now on; the directory stays."""
        with self._disk_lock, self._changed:
            self._settings = settings
            self._disk.apply(settings)

    def offer(self, signal: Signal, compression: Compression, body: bytes) -> bool:
        """Queue a batch; the oldest in memory is dropped to make room. False once the spool is closing."""
        with self._changed:
            if self._closing:
                self._count_drop(signal, "closing")
                return False
            self._sequence += 1
            self._memory[self._sequence] = Batch(
                origin=self._origin,
                sequence=self._sequence,
                signal=signal,
                compression=compression,
                created_s=self._now(),
                body=body,
            )
            self._memory_bytes += len(body)
            self._drop_from_memory()
            self._wake()
        if self._settings.spool.commit_s == 0:
            self._commit()
        self._show()
        return True

    def take(self, signal: Signal) -> Batch | None:
        """
        Wait for the oldest batch of a signal, which stays queued until it is `done` or `put_back`.

        Returns:
            None once the spool is closing and none of this signal is left.
        """
        while True:
            with self._changed:
                seen, closing = self._changes, self._closing
            batch = self._first(signal)
            if batch is not None or closing:
                return batch
            with self._changed:
                self._changed.wait_for(lambda seen=seen: self._changes != seen)  # type: ignore[misc]

    def done(self, batch: Batch) -> None:
        """Forget a batch that was taken: it is sent, or given up."""
        with self._disk_lock:
            with self._changed:
                self._taken.discard(batch.sequence)
                in_memory = self._forget(batch)
            if not in_memory:
                self._disk.mark_sent(batch)
        self._show()

    def put_back(self, batch: Batch) -> None:
        """Let a batch that was taken wait again."""
        with self._changed:
            self._taken.discard(batch.sequence)

    def begin_close(self) -> None:
        """Take nothing more, and write what is in memory; `take` goes on until nothing is left."""
        with self._changed:
            self._closing = True
            self._wake()
        self._committer.join()

    def close(self) -> None:
        """End; what is on the disk is for the next start, and what could not be written is dropped, and counted."""
        self.begin_close()
        with self._disk_lock:
            with self._changed:
                lost = list(self._memory.values())
                self._memory.clear()
                self._memory_bytes = 0
            for batch in lost:
                self._count_drop(batch.signal, "shutdown")
            if lost:
                _LOG.warning("%d batches were neither sent nor written to the disk before the end", len(lost))
            self._disk.close()

    def _run(self) -> None:
        """Write what is not sent in time; the thread sleeps as long as nothing waits in memory."""
        pause_s = self._settings.spool.commit_s
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._memory or self._closing)
                self._changed.wait_for(self._is_urgent, pause_s)
                closing = self._closing
            pause_s = self._settings.spool.commit_s if self._commit() else max(pause_s, _DISK_RETRY_S)
            if closing:
                return

    def _is_urgent(self) -> bool:
        filling = self._memory_bytes > self._settings.queue_bytes_max // 2
        return self._closing or (filling and self._disk.is_sound)

    def _commit(self) -> bool:
        """Move to the disk what is in memory; False where that failed."""
        with self._disk_lock:
            with self._changed:
                moving = list(self._memory.values())
                taken = set(self._taken)
            if not moving:
                return self._disk.is_open
            if not self._disk.append(moving):
                return False
            with self._changed:
                # Those dropped for room while they were written are counted as such, and must not be sent.
                gone = [batch for batch in moving if not self._forget(batch)]
            if not self._disk.trim(gone, keep=taken, now_s=self._now()):
                return False
        self._show()
        return True

    def _first(self, signal: Signal) -> Batch | None:
        with self._disk_lock:
            batch = self._disk.first(signal)
            with self._changed:
                if batch is None:
                    batch = next((waiting for waiting in self._memory.values() if waiting.signal is signal), None)
                if batch is not None:
                    self._taken.add(batch.sequence)
            return batch

    def _forget(self, batch: Batch) -> bool:
        """Take a batch out of memory; False if it is not there."""
        if self._memory.pop(batch.sequence, None) is None:
            return False
        self._memory_bytes -= len(batch.body)
        return True

    def _drop_from_memory(self) -> None:
        oldest_s = self._now() - self._settings.spool.age_max_s
        for batch in list(self._memory.values()):
            too_large = self._memory_bytes > self._settings.queue_bytes_max
            if not too_large and batch.created_s >= oldest_s:
                return
            if batch.sequence not in self._taken:
                self._forget(batch)
                self._count_drop(batch.signal, "memory" if too_large else "age")

    def _wake(self) -> None:
        self._changes += 1
        self._changed.notify_all()

    def _count_drop(self, signal: Signal, reason: str) -> None:
        self._metrics.add(semconv.AGENT_DROPPED, signal=signal, reason=reason)

    def _show(self) -> None:
        on_disk = self._disk.bytes
        self._metrics.set(semconv.AGENT_SPOOL_BYTES, on_disk)
        self._metrics.set(semconv.AGENT_QUEUE_BYTES, on_disk + self._memory_bytes)
