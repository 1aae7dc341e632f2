"""The kernel's functions by address, from ``/proc/kallsyms``."""

import bisect
from array import array
from pathlib import Path
from typing import Final

from pyrometer.values import Frame, FrameType

_KALLSYMS: Final = Path("/proc/kallsyms")
# Some 100 bytes a line; a kernel with all modules loaded has 300,000.
SYMBOLS_MAX: Final = 500_000
_NAME_BYTES_MAX: Final = 256
_FUNCTION_KINDS: Final = frozenset(b"tTwW")
# What is known of an address without symbols, and where functions of no module are.
KERNEL: Final = Frame("[kernel]", "", 0, FrameType.KERNEL)
_CORE: Final = "[kernel]"


class KernelSymbols:
    """Some 40 bytes for each function: an address, a place, and the name among all names."""

    def __init__(self, path: Path = _KALLSYMS) -> None:
        """Read the table; without the right to see addresses there is nothing in it."""
        rows: list[int] = []
        names = bytearray()
        try:
            with path.open("rb") as file:
                for line in file:
                    if len(rows) >= SYMBOLS_MAX:
                        break
                    fields = line.split(maxsplit=2)
                    if len(fields) == 3 and fields[1][0] in _FUNCTION_KINDS and int(fields[0], 16):  # noqa: PLR2004
                        rows.append(int(fields[0], 16) << 32 | len(names))
                        names += fields[2].strip()[:_NAME_BYTES_MAX] + b"\n"
        except (OSError, ValueError):
            rows = []
        rows.sort()
        self._addresses = array("Q", (row >> 32 for row in rows))
        self._places = array("I", (row & 0xFFFF_FFFF for row in rows))
        self._names = bytes(names) if rows else b""
        self._frames: dict[int, Frame] = {}

    @property
    def is_hidden(self) -> bool:
        """Whether nothing is known, so that every address gives the same frame."""
        return not self._addresses

    def frame(self, address: int) -> Frame:
        """Return the function that holds an address of the kernel."""
        index = bisect.bisect_right(self._addresses, address) - 1
        if index < 0:
            return KERNEL
        found = self._frames.get(index)
        if found is None:
            place = self._places[index]
            name, _, module = self._names[place : self._names.index(b"\n", place)].partition(b"\t")
            found = Frame(_text(name), _text(module) or _CORE, 0, FrameType.KERNEL)
            self._frames[index] = found
        return found


def _text(name: bytes) -> str:
    return name.strip().decode("utf-8", "replace")
