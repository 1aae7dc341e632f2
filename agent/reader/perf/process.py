"""What is known of one process that was seen: which it is, what it is called, and where its code lies."""

import bisect
import re
import time
from collections.abc import Callable
from typing import Final

from agent.procfs import MAPS_BYTES_MAX, ProcessStat, read_start
from agent.reader.perf.symbols import Mapped, SymbolFiles
from pyrometer.units import NS_PER_S
from pyrometer.values import Frame

MAPPINGS_MAX: Final = 4096
# Libraries may be loaded later: the mappings are read again for an address outside of them, but not at each one.
_REREAD_NS: Final = 10 * NS_PER_S
_CODE: Final = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) ([0-9a-f:]+) (\d+) *(.*)$", re.MULTILINE)


class ProcessView:
    """One process, from its start or its exec on, until it is another program."""

    def __init__(self, stat: ProcessStat, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """Remember which it is; its mappings are read when the first address is asked for."""
        self.stat = stat
        self.frames: dict[int, Frame] = {}
        self._now_ns = now_ns
        self._mappings: list[Mapped] = []
        self._starts: list[int] = []
        self._read_at_ns: int | None = None

    @property
    def mappings(self) -> int:
        """How many are remembered."""
        return len(self._mappings)

    def is_same(self, stat: ProcessStat) -> bool:
        """Return whether this is still the process and the program of the view."""
        return stat.start_ticks == self.stat.start_ticks and stat.image == self.stat.image

    def mapped_at(self, address: int) -> Mapped | None:
        """Return the executable mapping that holds an address, or None."""
        found = self._find(address)
        if found is None and self._may_read():
            self._mappings = read_code(self.stat.pid)
            self._starts = [mapped.start for mapped in self._mappings]
            self.frames.clear()
            found = self._find(address)
        return found

    def frame(self, files: SymbolFiles, address: int) -> Frame | None:
        """Return the function at an address, or None outside of any code."""
        known = self.frames.get(address)
        if known is not None:
            return known
        mapped = self.mapped_at(address)
        if mapped is None:
            return None
        found = files.frame(self.stat.pid, mapped, address)
        if found is None:
            # Its table is not built yet: asked again at the next sighting.
            return mapped.anonymous_frame()
        self.frames[address] = found
        return found

    def _find(self, address: int) -> Mapped | None:
        index = bisect.bisect_right(self._starts, address) - 1
        return self._mappings[index] if index >= 0 and address < self._mappings[index].end else None

    def _may_read(self) -> bool:
        now_ns = self._now_ns()
        if self._read_at_ns is not None and now_ns - self._read_at_ns < _REREAD_NS:
            return False
        self._read_at_ns = now_ns
        return True


def read_code(pid: int) -> list[Mapped]:
    """Return the executable mappings of a process, ascending; none where it has gone or may not be looked at."""
    return parse_code(read_start(f"/proc/{pid}/maps", MAPS_BYTES_MAX))


def parse_code(maps: bytes) -> list[Mapped]:
    """Return the executable mappings in the text of ``/proc/PID/maps``, at most MAPPINGS_MAX."""
    found: list[Mapped] = []
    for match in _CODE.finditer(maps):
        start, end, offset, device, inode, path = match.groups()
        if len(found) >= MAPPINGS_MAX:
            break
        name = path.decode("utf-8", "replace")
        found.append(Mapped(int(start, 16), int(end, 16), int(offset, 16), device.decode(), int(inode), name))
    return found
