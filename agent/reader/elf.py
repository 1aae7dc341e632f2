"""
What the readers need of an ELF file: where it is loaded, its sections, and the text in it.

Files belong to the targets, so nothing in them is believed: every number is checked, every table has a limit, and a
file that changes or shrinks meanwhile gives `ElfError`. It is read with ``pread``, never mapped: a mapped file that is
cut short kills its reader with SIGBUS. Source: System V ABI, generic, chapters 4 and 5.
"""

import os
import stat
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from pyrometer.errors import DecodeError

SECTIONS_MAX: Final = 8192
SEGMENTS_MAX: Final = 512
NAME_BYTES_MAX: Final = 512

_WIDTH_AND_ORDER: Final = (2, 1)
_HEADER: Final = struct.Struct("<4s5B7x2HI3QI6H")
_SEGMENT: Final = struct.Struct("<2I6Q")
_SECTION: Final = struct.Struct("<2I4Q2I2Q")
_FIXED: Final = 2  # ET_EXEC
_LOAD: Final = 1
_EXTENDED: Final = 0xFFFF


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


class ElfFile:
    """
    An open file; a context manager that closes it.

    Attributes:
        size: In bytes, when it was opened.
        elf_type: ``e_type``.
        segments: The program headers.
        sections: In the file's order, by which they refer to one another.
    """

    def __init__(self, descriptor: int) -> None:
        """
        Read the headers of an open file, which belongs to this object from now on.

        Raises:
            ElfError: If it is not what this module reads.
        """
        self._descriptor = descriptor
        try:
            self.size = os.fstat(descriptor).st_size
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
        if self.elf_type == _FIXED:
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
        for section in self.sections:
            at = section.name_offset
            if self._names[at : at + len(name) + 1] == name + b"\0":
                return section
        return None

    def text(self, offset: int) -> bytes:
        """
        Return the zero-terminated text at an offset of the file, cut at NAME_BYTES_MAX. Hostile text.

        Raises:
            ElfError: If the file ends before.
        """
        return self.read(offset, min(NAME_BYTES_MAX, max(1, self.size - offset))).partition(b"\0")[0]

    def read(self, offset: int, size: int) -> bytes:
        """
        Return exactly these bytes.

        Raises:
            ElfError: If the file does not have them.
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise ElfError(f"damaged: {size} bytes at {offset:#x} lie outside its {self.size} bytes")
        try:
            data = os.pread(self._descriptor, size, offset)
        except (OSError, OverflowError) as error:
            raise ElfError(f"cannot be read at {offset:#x}: {error}") from error
        if len(data) != size:
            raise ElfError(f"was cut short at {offset + len(data):#x} while it was read")
        return data

    def _read_headers(self) -> None:
        magic, width, order, *_, kind, _, _, _, segments_at, sections_at, _, _, s1, n1, s2, n2, names = _HEADER.unpack(
            self.read(0, _HEADER.size)
        )
        if magic != b"\x7fELF" or (width, order) != _WIDTH_AND_ORDER:
            raise ElfError("not an ELF file for a 64-bit little-endian machine")
        self.elf_type: int = kind
        self.segments = self._read_segments(segments_at, s1, n1)
        self.sections, self._names = self._read_sections(sections_at, s2, n2, names)

    def _read_segments(self, offset: int, entry_size: int, count: int) -> tuple[Segment, ...]:
        if count == 0:
            return ()
        if entry_size != _SEGMENT.size or count > SEGMENTS_MAX:
            raise ElfError(f"damaged: {count} segments of {entry_size} bytes")
        rows = _SEGMENT.iter_unpack(self.read(offset, count * entry_size))
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
        first = _SECTION.unpack(self.read(offset, entry_size))
        # With too many for the header's fields the first, else unused, section holds the numbers.
        count = count or first[5]
        names_index = first[6] if names_index == _EXTENDED else names_index
        if not names_index < count <= SECTIONS_MAX:
            raise ElfError(f"damaged: {count} sections, names in the one numbered {names_index}")
        rows = _SECTION.iter_unpack(self.read(offset, count * entry_size))
        sections = tuple(
            Section(address, at, size, kind, link, name) for name, kind, _, address, at, size, link, _, _, _ in rows
        )
        names = sections[names_index]
        return sections, self.read(names.offset, min(names.size, SECTIONS_MAX * 64)) if names.size else b""
