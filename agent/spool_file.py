"""
The part of the spool that is on the disk: batches in a SQLite file, in the order they are sent.

A transaction that was committed survives a kill at any moment. After a power cut the file is sound, but what was
written in the last moments may be missing, or may be there again after it was sent: the collector knows such a batch.
Source: SQLite, "Write-Ahead Logging" and "PRAGMA synchronous".
"""

import contextlib
import sqlite3
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from agent.batch import Batch
from agent.compression import Compression
from agent.destination import Signal

VERSION: Final = 1
# Free pages beyond this many are given back to the file system once everything is sent.
_FREE_PAGES_MAX: Final = 256
_SCHEMA: Final = f"""
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA wal_autocheckpoint = 256;
PRAGMA journal_size_limit = 1048576;
PRAGMA cache_size = -256;
CREATE TABLE IF NOT EXISTS batches (
    sequence INTEGER PRIMARY KEY,
    origin BLOB NOT NULL,
    signal TEXT NOT NULL,
    compression TEXT NOT NULL,
    created_s REAL NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_signal ON batches (signal, sequence);
PRAGMA user_version = {VERSION};
"""


class SpoolFile:
    """
    The batches on the disk. Not thread-safe. Every method may raise `sqlite3.Error`, and changes nothing then.

    Attributes:
        bytes: Of all bodies.
        counts: Batches of each signal.
        sequence_max: The highest in the file when it was opened; 0 for none.
    """

    def __init__(self, path: Path) -> None:
        """
        Open the file, or make it.

        Raises:
            sqlite3.Error: If that cannot be, or it is no file of ours.
        """
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            rows = self._read_summary()
        except BaseException:
            self._connection.close()
            raise
        self.bytes: int = sum(size for _, _, size, _ in rows)
        self.counts: Counter[str] = Counter({signal: count for signal, count, _, _ in rows})
        self.sequence_max: int = max((highest for _, _, _, highest in rows), default=0)
        # Sent, though perhaps still in the file: a full disk refuses a deletion too.
        self._sent: dict[str, int] = {}

    def _read_summary(self) -> list[tuple[str, int, int, int]]:
        [version] = self._connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError(f"malformed: version {version} of the spool is not known")
        self._connection.executescript(_SCHEMA)
        query = "SELECT signal, count(*), sum(length(body)), max(sequence) FROM batches GROUP BY signal"
        return self._connection.execute(query).fetchall()

    def append(self, batches: Sequence[Batch]) -> None:
        """Write batches, whose sequences are above all those in the file."""
        rows = [
            (batch.sequence, batch.origin.bytes, batch.signal, batch.compression, batch.created_s, batch.body)
            for batch in batches
        ]
        with self._transaction():
            self._connection.executemany("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", rows)
        self.bytes += sum(len(batch.body) for batch in batches)
        self.counts.update(batch.signal.value for batch in batches)

    def first(self, signal: Signal) -> Batch | None:
        """Return the oldest batch of a signal that was not sent yet."""
        if not self.counts[signal]:
            return None
        row = self._connection.execute(
            "SELECT origin, sequence, compression, created_s, body FROM batches "
            "WHERE signal = ? AND sequence > ? ORDER BY sequence LIMIT 1",
            (signal.value, self._sent.get(signal, 0)),
        ).fetchone()
        if row is None:
            return None
        try:
            return Batch(
                origin=uuid.UUID(bytes=row[0]),
                sequence=row[1],
                signal=signal,
                compression=Compression(row[2]),
                created_s=row[3],
                body=bytes(row[4]),
            )
        except (ValueError, TypeError) as error:
            raise sqlite3.DatabaseError(f"malformed: a batch that is none: {error}") from error

    def mark_sent(self, signal: Signal, sequence: int) -> None:
        """Forget a signal's batches up to this one; `first` does not return them again, even where deleting fails."""
        self._sent[signal] = sequence
        where = (signal.value, sequence)
        rows = self._connection.execute(
            "SELECT sequence, signal, length(body) FROM batches WHERE signal = ? AND sequence <= ?", where
        ).fetchall()
        self._delete(rows)
        if not self.counts.total():
            self._give_space_back()

    def drop_oldest(self, *, bytes_max: int, created_s_min: float, keep: Iterable[int] = ()) -> list[tuple[str, str]]:
        """
        Delete the oldest batches until the rest fits.

        Args:
            bytes_max: Of all bodies.
            created_s_min: Older ones go.
            keep: Sequences that stay: they are being sent.

        Returns:
            Signal and reason, ``size`` or ``age``, of each that was deleted.
        """
        kept, size, rows, dropped = set(keep), self.bytes, [], []
        query = "SELECT sequence, signal, length(body), created_s FROM batches ORDER BY sequence"
        for sequence, signal, length, created_s in self._connection.execute(query):
            if size <= bytes_max and created_s >= created_s_min:
                break
            if sequence not in kept:
                rows.append((sequence, signal, length))
                dropped.append((signal, "size" if size > bytes_max else "age"))
                size -= length
        self._delete(rows)
        return dropped

    def delete(self, batches: Iterable[Batch]) -> None:
        """Delete batches that are in the file."""
        self._delete([(batch.sequence, batch.signal.value, len(batch.body)) for batch in batches])

    def close(self) -> None:
        """Close the file; what is in it stays."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _delete(self, rows: Sequence[tuple[int, str, int]]) -> None:
        if not rows:
            return
        with self._transaction():
            self._connection.executemany("DELETE FROM batches WHERE sequence = ?", [row[:1] for row in rows])
        self.bytes -= sum(length for _, _, length in rows)
        self.counts.subtract(signal for _, signal, _ in rows)

    def _give_space_back(self) -> None:
        [free_pages] = self._connection.execute("PRAGMA freelist_count").fetchone()
        if free_pages > _FREE_PAGES_MAX:
            # As a script: `execute` would stop after the first page.
            self._connection.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
