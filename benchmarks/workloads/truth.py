"""
What a program's functions really used: CPU time by name, kept by the program itself where others can read it.

Every call is counted; one in MEASURED_ONE_IN is measured, drawn by lot, on the thread's own CPU clock, which does not
run while the thread waits for a lock or for a CPU. To measure all would bend what is measured: to ask for that clock is
a system call that makes the kernel settle its accounts, and so the very place where it takes the CPU away.
The truth is a file with a row for each thread, and in it three cells for each name. Only the thread itself writes its
row, so no lock is needed.
"""

import mmap
import struct
import threading
from random import getrandbits
from time import thread_time_ns

THREADS_MAX = 64
NAMES_MAX = 16
# Calls, nanoseconds of those that were measured, and how many those are.
CELLS = struct.Struct("=QQQ")
FILE_BYTES = THREADS_MAX * NAMES_MAX * CELLS.size
_MEASURED_BITS = 5
MEASURED_ONE_IN = 2**_MEASURED_BITS


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
        offset = row + self._column[name] * CELLS.size
        calls, used_ns, measured = CELLS.unpack_from(self._cells, offset)
        if began_ns:
            used_ns += thread_time_ns() - began_ns
            measured += 1
        CELLS.pack_into(self._cells, offset, calls + 1, used_ns, measured)

    def _take_row(self):
        with self._lock:
            self._next += 1
            return (self._next - 1) % THREADS_MAX * NAMES_MAX * CELLS.size


_keeper: _Keeper | None = None


def keep_truth(path, names):
    """Begin to keep the truth of these names in a file of FILE_BYTES."""
    global _keeper  # noqa: PLW0603 (one program, one truth)
    _keeper = _Keeper(path, names)


def now():
    """Return this thread's CPU clock where a call begins that is measured, and 0 for the others."""
    return 0 if getrandbits(_MEASURED_BITS) else thread_time_ns()


def add(name, began_ns):
    """Count a call of a function, and what it used since *began_ns*, where that is not 0."""
    assert _keeper is not None
    _keeper.add(name, began_ns)


def read_truth(path, names):
    """Return by name how often it was called, and nanoseconds and number of the calls that were measured, so far."""
    with open(path, "rb") as file:  # noqa: PTH123
        text = file.read(FILE_BYTES)
    found = {}
    for column, name in enumerate(names):
        rows = [CELLS.unpack_from(text, (row * NAMES_MAX + column) * CELLS.size) for row in range(THREADS_MAX)]
        found[name] = tuple(map(sum, zip(*rows, strict=True)))
    return found


def used_ns(before, after):
    """Return by name the CPU nanoseconds used between two readings: calls times the mean of those measured."""
    used = {}
    for name, (calls, measured_ns, measured) in after.items():
        old_calls, old_ns, old_measured = before[name]
        mean_ns = (measured_ns - old_ns) / max(1, measured - old_measured)
        used[name] = (calls - old_calls) * mean_ns
    return used
