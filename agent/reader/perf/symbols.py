"""
The functions of programs and libraries: one table for each file, shared by all processes that map it.

A file is opened through the process that maps it, so that it is the one in the process's own mount namespace, and
closed again at once: an open file would keep the file system of a container from being unmounted.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Final

from agent.reader.elf import ElfError, ElfFile
from agent.reader.elf_functions import Functions, read_functions
from pyrometer.values import Frame, FrameType

# Some 20 bytes for each function that is kept.
FILES_MAX: Final = 256
FUNCTIONS_KEPT_MAX: Final = 200_000
# A table takes about a microsecond for each function to build: only for files that matter, and not all at once.
SIGHTINGS_MIN: Final = 20
SIGHTINGS_FILES_MAX: Final = 4096
LOADS_PER_TURN_MAX: Final = 2
_NAME_CHARS_MAX: Final = 256
# Legacy Rust names and simple C++ names: "_ZN" {length name} "E"; Rust adds a hash.
_NESTED: Final = "_ZN"
_RUST_HASH_CHARS: Final = 17


@dataclass(slots=True)
class Mapped:
    """
    A part of a file that a process may execute, as in ``/proc/PID/maps``.

    Attributes:
        start: First address.
        end: First address after it.
        offset: In the file.
        device: As in the file; empty for memory of no file.
        inode: 0 for memory of no file.
        path: As the process sees it; hostile text.
        bias: What the file's addresses are moved by; known once a function was looked for.
    """

    start: int
    end: int
    offset: int
    device: str
    inode: int
    path: str
    bias: int | None = None

    def anonymous_frame(self) -> Frame:
        """Return the frame for code without a name: one for each mapping, so that names stay few."""
        if not self.inode:
            return Frame(self.path or "[jit]", "", 0, FrameType.NATIVE)
        name = self.path.removesuffix(" (deleted)").rpartition("/")[2][:_NAME_CHARS_MAX]
        return Frame(f"{name}+{self.offset:#x}", self.path, 0, FrameType.NATIVE)


@dataclass(slots=True)
class _Table:
    elf: ElfFile
    functions: Functions
    identity: tuple[int, int, int, int]
    frames: dict[int, Frame] = field(default_factory=dict)


class SymbolFiles:
    """Names code by mapping and address. Not thread-safe: the reader of the events owns it."""

    def __init__(self, sightings_min: int = SIGHTINGS_MIN) -> None:
        """
        Begin without any table.

        Args:
            sightings_min: How often code of a file is seen before its table is built.
        """
        self._sightings_min = sightings_min
        self._sightings: Counter[tuple[str, int]] = Counter()
        # None stands for a file that cannot be read.
        self._tables: OrderedDict[tuple[str, int], _Table | None] = OrderedDict()
        self._kept = 0
        self._loads = 0
        self._open: list[ElfFile] = []

    def end_turn(self) -> None:
        """Close what was opened since the last call."""
        for elf in self._open:
            elf.close()
        self._open.clear()
        self._loads = 0

    def frame(self, pid: int, mapped: Mapped, address: int) -> Frame | None:
        """
        Return the function at an address of a process; None where it is to be asked again in another turn.

        Args:
            pid: The process, through which the file is found.
            mapped: The part of it that holds the address.
            address: In the process.
        """
        if not mapped.inode:
            return mapped.anonymous_frame()
        key = (mapped.device, mapped.inode)
        if key in self._tables:
            self._tables.move_to_end(key)
        elif not self._matters(key) or not self._load(key, pid, mapped):
            return None
        table = self._tables[key]
        if table is None:
            return mapped.anonymous_frame()
        try:
            return self._named(table, pid, mapped, address)
        except ElfError:
            self._forget(key)
            self._tables[key] = None
            return mapped.anonymous_frame()

    def _named(self, table: _Table, pid: int, mapped: Mapped, address: int) -> Frame:
        if mapped.bias is None:
            mapped.bias = table.elf.load_bias(mapped.start, mapped.offset)
        index = table.functions.find(address - mapped.bias)
        if index is None:
            return mapped.anonymous_frame()
        found = table.frames.get(index)
        if found is None:
            name = self._reopened(table, pid, mapped).text(table.functions.names[index])
            found = Frame(plain_name(name), mapped.path, 0, FrameType.NATIVE)
            table.frames[index] = found
        return found

    def _reopened(self, table: _Table, pid: int, mapped: Mapped) -> ElfFile:
        if table.elf not in self._open:
            elf = self._opened(pid, mapped)
            if elf is None or elf.identity != table.identity:
                raise ElfError("changed since it was read")
            table.elf = elf
        return table.elf

    def _opened(self, pid: int, mapped: Mapped) -> ElfFile | None:
        # The first needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE and is the very file, even where its name is gone.
        paths = f"/proc/{pid}/map_files/{mapped.start:x}-{mapped.end:x}", f"/proc/{pid}/root{mapped.path}"
        for path in paths:
            try:
                elf = ElfFile.open(path)
            except (OSError, ValueError):
                continue
            self._open.append(elf)
            if path is paths[0] or elf.identity[1] == mapped.inode:
                return elf
        return None

    def _matters(self, key: tuple[str, int]) -> bool:
        self._sightings[key] += 1
        if len(self._sightings) > SIGHTINGS_FILES_MAX:
            self._sightings.clear()
        return self._sightings[key] >= self._sightings_min

    def _load(self, key: tuple[str, int], pid: int, mapped: Mapped) -> bool:
        if self._loads >= LOADS_PER_TURN_MAX:
            return False
        self._loads += 1
        table = None
        try:
            elf = self._opened(pid, mapped)
            if elf is not None:
                table = _Table(elf, read_functions(elf), elf.identity)
                self._kept += len(table.functions.addresses)
        except ElfError:
            table = None
        self._tables[key] = table
        while len(self._tables) > 1 and (len(self._tables) > FILES_MAX or self._kept > FUNCTIONS_KEPT_MAX):
            self._forget(next(iter(self._tables)))
        return True

    def _forget(self, key: tuple[str, int]) -> None:
        table = self._tables.pop(key, None)
        if table is not None:
            self._kept -= len(table.functions.addresses)


def plain_name(name: bytes) -> str:
    """
    Return a symbol as people write it, where that is simple: ``_ZN3foo3barE…`` is ``foo::bar``.

    Names with templates or operators stay as they are. Source: Itanium C++ ABI 5.1; Rust's legacy mangling adds a last
    part of an h and 16 hexadecimal digits, which differs with each build.
    """
    text = name.decode("utf-8", "replace")
    if not text.startswith(_NESTED):
        return text[:_NAME_CHARS_MAX]
    parts: list[str] = []
    rest = text[len(_NESTED) :].lstrip("K")
    while rest and rest[0].isdecimal():
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        length = int(digits[:4])
        part, rest = rest[len(digits) : len(digits) + length], rest[len(digits) + length :]
        parts.append(part)
    if not parts or not all(parts) or not rest.startswith("E"):
        return text[:_NAME_CHARS_MAX]
    if len(parts) > 1 and len(parts[-1]) == _RUST_HASH_CHARS and parts[-1].startswith("h"):
        parts.pop()
    return "::".join(parts)[:_NAME_CHARS_MAX]
