"""
The spool's file, and what is done when the disk refuses it: a fault is told once, counted, and waited out.

A file that cannot be read is put aside, and a new one begun; one that cannot be written is tried again.
"""

import errno
import logging
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from agent.batch import Batch
from agent.destination import Signal
from agent.selfmetrics import SelfMetrics
from agent.settings import ExportSettings
from agent.spool_file import SpoolFile
from agent.spool_place import SpoolLock
from pyrometer import semconv
from pyrometer.units import format_bytes

_LOG = logging.getLogger(__name__)
FILE_NAME: Final = "spool.sqlite3"
_ASIDE_SUFFIX: Final = ".broken"


class SpoolDisk:
    """The batches on the disk. Not thread-safe. Nothing but the start raises: what fails is left out, or False."""

    def __init__(self, settings: ExportSettings, directory: Path | None, metrics: SelfMetrics) -> None:
        """
        Open the file, or make it.

        Args:
            settings: Limits.
            directory: Where the file lies; None for none.
            metrics: Where faults and what they lose are counted.

        Raises:
            ConfigError: If another agent uses the directory.
        """
        self._settings = settings
        self._metrics = metrics
        self._path = directory / FILE_NAME if directory and settings.spool.bytes_max else None
        self._lock: SpoolLock | None = None
        self._file: SpoolFile | None = None
        self._trouble = ""
        self._open()

    @property
    def is_open(self) -> bool:
        """Whether there is a file."""
        return self._file is not None

    @property
    def is_sound(self) -> bool:
        """Whether there is a file, and it could be written the last time."""
        return self._file is not None and not self._trouble

    @property
    def bytes(self) -> int:
        """Of all bodies on the disk."""
        return self._file.bytes if self._file else 0

    @property
    def waiting(self) -> int:
        """How many batches are on the disk."""
        return self._file.counts.total() if self._file else 0

    @property
    def sequence_max(self) -> int:
        """The highest that the file had when it was opened; 0 for none."""
        return self._file.sequence_max if self._file else 0

    def apply(self, settings: ExportSettings) -> None:
        """Keep to other limits from now on; the directory stays."""
        self._settings = settings

    def first(self, signal: Signal) -> Batch | None:
        """Return the oldest batch of a signal that was not sent yet."""
        try:
            return self._file.first(signal) if self._file else None
        except sqlite3.Error as error:
            # Later ones must not overtake it: the collector would take it for one that it has.
            self._put_aside(error)
            return None

    def mark_sent(self, batch: Batch) -> None:
        """Forget a signal's batches up to this one."""
        try:
            if self._file:
                self._file.mark_sent(batch.signal, batch.sequence)
        except sqlite3.Error as error:
            self._fail(error)

    def append(self, batches: Sequence[Batch]) -> bool:
        """Write batches, whose sequences are above all those in the file; False where that failed."""
        if self._file is None:
            return False
        try:
            self._file.append(batches)
        except sqlite3.Error as error:
            self._fail(error)
            return False
        return True

    def trim(self, unwanted: Iterable[Batch], *, keep: Iterable[int], now_s: float) -> bool:
        """
        Delete what must not be sent, and the oldest beyond the limits, which are counted.

        Args:
            unwanted: Batches to delete, whatever the limits.
            keep: Sequences that stay: they are being sent.
            now_s: Unix time.

        Returns:
            False where that failed.
        """
        if self._file is None:
            return False
        limits = self._settings.spool
        try:
            self._file.delete(unwanted)
            dropped = self._file.drop_oldest(
                bytes_max=limits.bytes_max, created_s_min=now_s - limits.age_max_s, keep=keep
            )
        except sqlite3.Error as error:
            self._fail(error)
            return False
        for signal, reason in dropped:
            self._metrics.add(semconv.AGENT_DROPPED, signal=signal, reason=reason)
        self._recover()
        return True

    def close(self) -> None:
        """Close the file; what is in it is for the next start."""
        if self._file:
            if kept := self.waiting:
                _LOG.info("%d batches wait on the disk for the next start", kept)
            self._file.close()
            self._file = None
        if self._lock:
            self._lock.release()
            self._lock = None

    def _open(self) -> None:
        if self._path is None:
            return
        try:
            self._lock = self._lock or SpoolLock(self._path.parent)
            self._file = SpoolFile(self._path)
        except OSError as error:
            self._report(_reason_of_os(error), str(error))
        except sqlite3.Error as error:
            if _is_corrupt(error):
                self._put_aside(error)
            else:
                self._report(_reason_of(error), str(error))

    def _fail(self, error: sqlite3.Error) -> None:
        if _is_corrupt(error):
            self._put_aside(error)
        else:
            self._report(_reason_of(error), str(error))

    def _put_aside(self, error: sqlite3.Error) -> None:
        """Give a file that cannot be read another name, in place of an earlier one, and begin a new one."""
        path, file = self._path, self._file
        if path is None:
            return
        self._file = None
        for signal, count in file.counts.items() if file else ():
            if count:
                self._metrics.add(semconv.AGENT_DROPPED, count, signal=signal, reason="corrupt")
        if file:
            file.close()
        aside = path.with_name(path.name + _ASIDE_SUFFIX)
        self._report("corrupt", f"{error}; it is kept as {aside.name}, and a new one begun")
        try:
            path.replace(aside)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._file = SpoolFile(path)
        except (OSError, sqlite3.Error) as second:
            self._report("corrupt", str(second))

    def _report(self, reason: str, text: str) -> None:
        self._metrics.add(semconv.AGENT_SPOOL_ERRORS, reason=reason)
        if self._trouble != reason:
            limit = format_bytes(self._settings.queue_bytes_max)
            _LOG.warning("the spool %s: %s; what waits is kept in memory, up to %s", self._path, text, limit)
        self._trouble = reason

    def _recover(self) -> None:
        if self._trouble:
            _LOG.info("the spool %s can be written again", self._path)
        self._trouble = ""


def _is_corrupt(error: sqlite3.Error) -> bool:
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "malformed" in str(error)


def _reason_of(error: sqlite3.Error) -> str:
    reasons = {
        sqlite3.SQLITE_FULL: "disk_full",
        sqlite3.SQLITE_READONLY: "read_only",
        sqlite3.SQLITE_PERM: "permission",
        sqlite3.SQLITE_CANTOPEN: "permission",
    }
    return reasons.get(_code(error), "io")


def _reason_of_os(error: OSError) -> str:
    reasons = {errno.ENOSPC: "disk_full", errno.EROFS: "read_only", errno.EACCES: "permission"}
    return reasons.get(error.errno or 0, "io")


def _code(error: sqlite3.Error) -> int:
    """Return the primary result code: the low byte of the extended one."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
