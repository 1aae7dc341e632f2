"""
The functions that an ELF file names, by address.

Source: System V ABI, generic, chapter 4, "Symbol Table". As with all of a target's file, no number in it is believed.
"""

import bisect
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.reader.elf import ElfError, ElfFile, Section

SYMBOLS_MAX: Final = 2_000_000
# 16 bytes each when kept; sorting them needs some 60 bytes each for a moment.
FUNCTIONS_MAX: Final = 200_000

_SYMTAB, _DYNSYM, _NOBITS = 2, 11, 8
_FUNCTION_TYPES: Final = (2, 10)  # STT_FUNC, STT_GNU_IFUNC
_SYMBOL_BYTES: Final = 24
_CHUNK: Final = 65_536 // _SYMBOL_BYTES * _SYMBOL_BYTES
_SIZE_MAX: Final = 0xFFFF_FFFF


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


def read_functions(elf: ElfFile, count_max: int = FUNCTIONS_MAX) -> Functions:
    """
    Return the functions that a file names, at most *count_max*.

    Raises:
        ElfError: If its symbol table is damaged.
    """
    table = _symbol_table(elf)
    strings = _strings_of(elf, table).offset if table else 0
    # One integer for each, address first, sorts fast and takes a third of the memory of a tuple.
    packed: list[int] = []
    complete = True
    for at, size in _chunks(table) if table else ():
        words = array("Q", elf.read(at, size))
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


def _symbol_table(elf: ElfFile) -> Section | None:
    """Return the full symbol table, or else the dynamic one, which is a part of it where there are both."""
    tables = [section for section in elf.sections if section.section_type in (_SYMTAB, _DYNSYM)]
    return min(tables, key=lambda table: table.section_type, default=None)


def _strings_of(elf: ElfFile, table: Section) -> Section:
    if table.link >= len(elf.sections) or elf.sections[table.link].section_type == _NOBITS:
        raise ElfError(f"damaged: a symbol table has its names in section {table.link}")
    strings = elf.sections[table.link]
    if strings.offset + strings.size > elf.size:
        raise ElfError("damaged: the names of the symbols lie outside of it")
    return strings


def _chunks(table: Section) -> Iterator[tuple[int, int]]:
    """Return offset and size of parts of a symbol table, whole symbols each."""
    end = table.offset + min(table.size // _SYMBOL_BYTES, SYMBOLS_MAX) * _SYMBOL_BYTES
    for at in range(table.offset, end, _CHUNK):
        yield at, min(_CHUNK, end - at)
