"""
What a program's functions really used: CPU time by name, kept by the program itself where others can read it.

The truth is a file of nanoseconds, one row a thread, one column a name. Only the thread itself writes its row, so no
lock is needed, and each block of work is short, so that what is not yet written is little. Time is that of the
thread's own CPU clock: a thread that waits, for a lock or for a CPU, uses none.
"""

import mmap
import struct
import threading
from time import thread_time_ns

THREADS_MAX = 64
NAMES_MAX = 16
_CELL = struct.Struct("=Q")
FILE_BYTES = THREADS_MAX * NAMES_MAX * _CELL.size


class _Keeper:
    """The program's side."""

    def __init__(self, path, names):
        with open(path, "r+b") as file:  # noqa: PTH123 (a Path would be one import more in what is watched)
            self._cells = mmap.mmap(file.fileno(), FILE_BYTES)
        self._column = {name: column for column, name in enumerate(names)}
        self._rows = threading.local()
        self._next = 0
        self._lock = threading.Lock()

    def add(self, name, began_ns):
        row = getattr(self._rows, "offset", None)
        if row is None:
            row = self._rows.offset = self._take_row()
        offset = row + self._column[name] * _CELL.size
        used_ns = _CELL.unpack_from(self._cells, offset)[0] + thread_time_ns() - began_ns
        _CELL.pack_into(self._cells, offset, used_ns)

    def _take_row(self):
        with self._lock:
            self._next += 1
            return (self._next - 1) % THREADS_MAX * NAMES_MAX * _CELL.size


_keeper: _Keeper | None = None


def keep_truth(path, names):
    """Begin to keep the truth of these names in a file of FILE_BYTES."""
    global _keeper  # noqa: PLW0603 (one program, one truth)
    _keeper = _Keeper(path, names)


def add(name, began_ns):
    """Give a name the CPU time this thread used since *began_ns* of its own clock."""
    assert _keeper is not None
    _keeper.add(name, began_ns)


def read_truth(path, names):
    """Return CPU nanoseconds by name so far."""
    with open(path, "rb") as file:  # noqa: PTH123
        cells = struct.unpack(f"={THREADS_MAX * NAMES_MAX}Q", file.read(FILE_BYTES))
    return {name: sum(cells[column::NAMES_MAX]) for column, name in enumerate(names)}
