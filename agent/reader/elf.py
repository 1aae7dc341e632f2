"""
What the readers need of an ELF file: where it is loaded, its sections, its symbols, its build id.

Files belong to the targets, so nothing in them is believed: every number is checked, every table has a limit, and a
file that changes or shrinks meanwhile gives `ElfError`. It is read with ``pread``, never mapped: a mapped file that is
cut short kills its reader with SIGBUS. Source: System V ABI, generic, chapters 4 and 5.
"""

import bisect
import os
import stat
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from pyrometer.errors import DecodeError

MACHINE_X86_64: Final = 62
MACHINE_AARCH64: Final = 183
TYPE_EXECUTABLE: Final = 2
TYPE_SHARED: Final = 3

SECTIONS_MAX: Final = 8192
SEGMENTS_MAX: Final = 512
SYMBOLS_MAX: Final = 2_000_000
# 24 bytes each when kept; sorting them needs some 60 bytes each for a moment.
FUNCTIONS_MAX: Final = 200_000
STRINGS_BYTES_MAX: Final = 268_435_456
NAME_BYTES_MAX: Final = 512
NOTES_BYTES_MAX: Final = 65_536

_WIDTH_AND_ORDER: Final = (2, 1)
_HEADER: Final = struct.Struct("<4s5B7x2HI3QI6H")
_SEGMENT: Final = struct.Struct("<2I6Q")
_SECTION: Final = struct.Struct("<2I4Q2I2Q")
_SYMBOL: Final = struct.Struct("<I2BH2Q")
_NOTE: Final = struct.Struct("<3I")
_SYMTAB, _DYNSYM, _NOBITS = 2, 11, 8
_LOAD, _NOTES = 1, 4
_FUNCTION_TYPES: Final = (2, 10)  # STT_FUNC, STT_GNU_IFUNC
_TLS: Final = 6
_EXTENDED: Final = 0xFFFF
_BUILD_ID: Final = 3
_CHUNK: Final = 65_536 // _SYMBOL.size * _SYMBOL.size
_PLACES_MAX: Final = 256
_SIZE_MAX: Final = 0xFFFF_FFFF


class ElfError(DecodeError):
    """The file is not an ELF file for a 64-bit little-endian machine, or it is damaged, or it changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Section:
    """
    One section.

    Attributes:
        address: Where it is loaded, before the load bias is added; 0 where it is not.
        offset: Where it begins in the file.
        size: In bytes.
        section_type: ``sh_type``.
        link: The section that it refers to.
        name_offset: Where its name begins in the text of names.
    """

    address: int
    offset: int
    size: int
    section_type: int
    link: int
    name_offset: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One program header."""

    segment_type: int
    offset: int
    address: int
    file_size: int
    memory_size: int


@dataclass(frozen=True, slots=True)
class Functions:
    """
    The functions of a file, by address: three columns of the same length.

    Attributes:
        addresses: Ascending, before the load bias is added.
        sizes: In bytes; 0 where the file does not say.
        names: Where in the file each name stands; see `ElfFile.text`.
        complete: Whether the file has no more functions than were read.
    """

    addresses: "array[int]"
    sizes: "array[int]"
    names: "array[int]"
    complete: bool

    def find(self, address: int) -> int | None:
        """Return the index of the function that holds an address, or None."""
        index = bisect.bisect_right(self.addresses, address) - 1
        if index < 0:
            return None
        size = self.sizes[index]
        if address < self.addresses[index] + size:
            return index
        # Hand-written assembly often has no size: it goes on until the next function, if we know the next one.
        return index if size == 0 and self.complete and index + 1 < len(self.addresses) else None


class ElfFile:
    """An open file; a context manager that closes it."""

    def __init__(self, descriptor: int) -> None:
        """
        Read the headers of an open file, which belongs to this object from now on.

        Raises:
            ElfError: If it is not what this module reads.
        """
        self._descriptor = descriptor
        try:
            self._size = os.fstat(descriptor).st_size
            self._read_headers()
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, path: str) -> Self:
        """
        Open a file by its path.

        Raises:
            ElfError: If it is not what this module reads.
            OSError: If it cannot be opened.
        """
        # Never wait for the other end of a pipe that a target put in the place of its library.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ElfError("not a regular file")
        return cls(descriptor)

    def close(self) -> None:
        """Close the file; once is enough, more does no harm."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def identity(self) -> tuple[int, int, int, int]:
        """Device, inode, size and change time: what tells this file from another one, or from an older self."""
        found = os.fstat(self._descriptor)
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def load_bias(self, map_start: int, map_offset: int) -> int:
        """
        Return what must be added to this file's addresses in a process that mapped it so; 0 for a fixed executable.

        Args:
            map_start: First address of a mapping of this file, from ``/proc/PID/maps``.
            map_offset: Offset of that mapping in the file.

        Raises:
            ElfError: If no loadable part of the file lies at that offset.
        """
        if self.elf_type == TYPE_EXECUTABLE:
            return 0
        page = os.sysconf("SC_PAGE_SIZE")
        loads = [segment for segment in self.segments if segment.segment_type == _LOAD]
        # Two segments may share a page of the file: the one that begins in it is the one mapped with that offset.
        loads.sort(key=lambda segment: segment.offset // page * page != map_offset)
        for segment in loads:
            first = segment.offset // page * page
            if first <= map_offset < max(segment.offset + segment.file_size, first + 1):
                return map_start - (map_offset - segment.offset + segment.address)
        raise ElfError(f"nothing of it is loaded from offset {map_offset:#x}")

    def section(self, name: bytes) -> Section | None:
        """Return the first section of this name, or None."""
        for section in self._sections:
            at = section.name_offset
            if self._names[at : at + len(name) + 1] == name + b"\0":
                return section
        return None

    def symbol(self, name: bytes) -> int | None:
        """
        Return the address of a symbol that this file defines, before the load bias is added, or None.

        Raises:
            ElfError: If a symbol table is damaged.
        """
        for table in self._symbol_tables():
            places = self._find_string(self._strings_of(table), name)
            if not places:
                continue
            for name_at, info, _, section, value, _ in self._symbols(table):
                if name_at in places and section and value and info & 15 != _TLS:
                    return value
        return None

    def functions(self, count_max: int = FUNCTIONS_MAX) -> Functions:
        """
        Return the functions that the file names, at most *count_max*.

        Raises:
            ElfError: If a symbol table is damaged.
        """
        tables = self._symbol_tables()[:1]
        strings = self._strings_of(tables[0]).offset if tables else 0
        # One integer for each, address first, sorts fast and takes a third of the memory of a tuple.
        packed: list[int] = []
        complete = True
        for at, size in self._symbol_chunks(tables[0]) if tables else ():
            words = array("Q", self._read(at, size))
            # A symbol is three words: name, kind and section in the first, then address and size.
            packed += [
                value << 96 | min(length, _SIZE_MAX) << 64 | first & _SIZE_MAX
                for first, value, length in zip(words[::3], words[1::3], words[2::3], strict=True)
                if first >> 32 & 15 in _FUNCTION_TYPES and value and first >> 48 and first & _SIZE_MAX
            ]
            if len(packed) > count_max:
                del packed[count_max:]
                complete = False
                break
        packed.sort()
        return Functions(
            array("Q", [number >> 96 for number in packed]),
            array("I", [number >> 64 & _SIZE_MAX for number in packed]),
            array("Q", [strings + (number & _SIZE_MAX) for number in packed]),
            complete,
        )

    def text(self, offset: int) -> bytes:
        """
        Return the zero-terminated text at an offset of the file, cut at NAME_BYTES_MAX. Hostile text.

        Raises:
            ElfError: If the file ends before.
        """
        return self._read(offset, min(NAME_BYTES_MAX, max(1, self._size - offset))).partition(b"\0")[0]

    @property
    def build_id(self) -> str:
        """The GNU build id in hexadecimal, or nothing. Source: the note NT_GNU_BUILD_ID."""
        for segment in self.segments:
            if segment.segment_type == _NOTES and (found := self._build_id_in(segment)):
                return found
        return ""

    def _build_id_in(self, segment: Segment) -> str:
        data = self._read(segment.offset, min(segment.file_size, NOTES_BYTES_MAX))
        at = 0
        while at + _NOTE.size <= len(data):
            name_size, size, kind = _NOTE.unpack_from(data, at)
            name_at = at + _NOTE.size
            value_at = name_at + (name_size + 3) // 4 * 4
            if kind == _BUILD_ID and data[name_at : name_at + 4] == b"GNU\0":
                return data[value_at : value_at + min(size, 64)].hex()
            at = value_at + (size + 3) // 4 * 4
        return ""

    def _read(self, offset: int, size: int) -> bytes:
        """Return exactly these bytes."""
        if offset < 0 or size < 0 or offset + size > self._size:
            raise ElfError(f"damaged: {size} bytes at {offset:#x} lie outside its {self._size} bytes")
        try:
            data = os.pread(self._descriptor, size, offset)
        except (OSError, OverflowError) as error:
            raise ElfError(f"cannot be read at {offset:#x}: {error}") from error
        if len(data) != size:
            raise ElfError(f"was cut short at {offset + len(data):#x} while it was read")
        return data

    def _read_headers(self) -> None:
        magic, width, order, *_, kind, machine, _, _, segments_at, sections_at, _, _, s1, n1, s2, n2, names = (
            _HEADER.unpack(self._read(0, _HEADER.size))
        )
        if magic != b"\x7fELF" or (width, order) != _WIDTH_AND_ORDER:
            raise ElfError("not an ELF file for a 64-bit little-endian machine")
        self.machine: int = machine
        self.elf_type: int = kind
        self.segments = self._read_segments(segments_at, s1, n1)
        self._sections, self._names = self._read_sections(sections_at, s2, n2, names)

    def _read_segments(self, offset: int, entry_size: int, count: int) -> tuple[Segment, ...]:
        if count == 0:
            return ()
        if entry_size != _SEGMENT.size or count > SEGMENTS_MAX:
            raise ElfError(f"damaged: {count} segments of {entry_size} bytes")
        rows = _SEGMENT.iter_unpack(self._read(offset, count * entry_size))
        return tuple(
            Segment(kind, at, address, file_size, size) for kind, _, at, address, _, file_size, size, _ in rows
        )

    def _read_sections(
        self, offset: int, entry_size: int, count: int, names_index: int
    ) -> tuple[tuple[Section, ...], bytes]:
        """Return the sections, and the text of their names."""
        if offset == 0:
            return (), b""
        if entry_size != _SECTION.size:
            raise ElfError(f"damaged: sections of {entry_size} bytes")
        first = _SECTION.unpack(self._read(offset, entry_size))
        # With too many for the header's fields the first, else unused, section holds the numbers.
        count = count or first[5]
        names_index = first[6] if names_index == _EXTENDED else names_index
        if not names_index < count <= SECTIONS_MAX:
            raise ElfError(f"damaged: {count} sections, names in the one numbered {names_index}")
        rows = _SECTION.iter_unpack(self._read(offset, count * entry_size))
        sections = tuple(
            Section(address, at, size, kind, link, name) for name, kind, _, address, at, size, link, _, _, _ in rows
        )
        names = sections[names_index]
        return sections, self._read(names.offset, min(names.size, SECTIONS_MAX * 64)) if names.size else b""

    def _symbol_tables(self) -> list[Section]:
        """Return the symbol tables, the full one first: the dynamic one is a part of it where there are both."""
        tables = [section for section in self._sections if section.section_type in (_SYMTAB, _DYNSYM)]
        return sorted(tables, key=lambda table: table.section_type)[:2]

    def _strings_of(self, table: Section) -> Section:
        if table.link >= len(self._sections) or self._sections[table.link].section_type == _NOBITS:
            raise ElfError(f"damaged: a symbol table has its names in section {table.link}")
        strings = self._sections[table.link]
        if strings.offset + strings.size > self._size:
            raise ElfError("damaged: the names of the symbols lie outside of it")
        return strings

    def _symbols(self, table: Section) -> Iterator[tuple[int, int, int, int, int, int]]:
        for at, size in self._symbol_chunks(table):
            yield from _SYMBOL.iter_unpack(self._read(at, size))

    @staticmethod
    def _symbol_chunks(table: Section) -> Iterator[tuple[int, int]]:
        """Return offset and size of parts of a symbol table, whole symbols each."""
        end = table.offset + min(table.size // _SYMBOL.size, SYMBOLS_MAX) * _SYMBOL.size
        for at in range(table.offset, end, _CHUNK):
            yield at, min(_CHUNK, end - at)

    def _find_string(self, strings: Section, name: bytes) -> set[int]:
        """Return where in a string table this text ends an entry: linkers let names share their ends."""
        needle = name + b"\0"
        places: set[int] = set()
        size = min(strings.size, STRINGS_BYTES_MAX)
        overlap = len(needle) - 1
        for at in range(0, size, _CHUNK):
            data = self._read(strings.offset + at, min(_CHUNK + overlap, size - at))
            found = data.find(needle)
            while found >= 0 and len(places) < _PLACES_MAX:
                places.add(at + found)
                found = data.find(needle, found + 1)
        return places
