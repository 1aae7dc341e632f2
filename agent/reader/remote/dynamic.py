"""
Finds symbols in a program or library as it is loaded in another process.

The dynamic symbol table is part of what is mapped, so that no file is read: it does not matter in which mount namespace
the process lives, nor whether the file was replaced or damaged since.
Source: System V ABI, "Dynamic Section"; the GNU hash table as glibc's dl-lookup.c reads it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.reader.remote.memory import Memory, UnreadableError

ELF_MAGIC: Final = b"\x7fELF\x02\x01"
MACHINES: Final = {62: "x86_64", 183: "aarch64"}
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_STRTAB, _DT_SYMTAB, _DT_GNU_HASH = 5, 6, 0x6FFFFEF5
_PROGRAM_HEADERS_MAX = 128
_DYNAMIC_BYTES_MAX = 16_384
_CHAIN_MAX = 4096
_NAME_BYTES_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedImage:
    """
    An ELF file mapped into a process.

    Attributes:
        bias: What is added to the file's addresses.
        symbols: Address of the dynamic symbol table.
        strings: Address of its names.
        gnu_hash: Address of its hash table.
    """

    bias: int
    symbols: int
    strings: int
    gnu_hash: int


def read_image(memory: Memory, start: int) -> LoadedImage | None:
    """
    Return the image whose first page is mapped at *start*, or None where there is none, or none of our kind.

    Raises:
        UnreadableError: If what it points to cannot be read.
    """
    header = memory.read(start, 64)
    if not header.startswith(ELF_MAGIC) or struct.unpack_from("<H", header, 18)[0] not in MACHINES:
        return None
    offset = struct.unpack_from("<Q", header, 32)[0]
    size, count = struct.unpack_from("<HH", header, 54)
    if size != 56 or not 0 < count <= _PROGRAM_HEADERS_MAX or offset > 4096:  # noqa: PLR2004 (sizes of ELF64)
        return None
    table = memory.read(start + offset, size * count)
    segments = [struct.unpack_from("<IIQQQQQ", table, size * index) for index in range(count)]
    loads = [virtual for kind, _, file_offset, virtual, *_ in segments if kind == _PT_LOAD and file_offset == 0]
    dynamic = [(virtual, length) for kind, _, _, virtual, _, _, length in segments if kind == _PT_DYNAMIC]
    if not loads or not dynamic:
        return None
    bias = start - (loads[0] & ~0xFFF)
    address, length = dynamic[0]
    entries = memory.read(bias + address, min(length & ~0xF, _DYNAMIC_BYTES_MAX))
    tags = dict(struct.iter_unpack("<QQ", entries))
    if not {_DT_STRTAB, _DT_SYMTAB, _DT_GNU_HASH} <= tags.keys():
        return None
    # glibc has added the bias to these entries, other loaders have not.
    symbols, strings, gnu_hash = (
        value if value >= start else value + bias for value in (tags[_DT_SYMTAB], tags[_DT_STRTAB], tags[_DT_GNU_HASH])
    )
    return LoadedImage(bias=bias, symbols=symbols, strings=strings, gnu_hash=gnu_hash)


def find_symbol(memory: Memory, image: LoadedImage, name: bytes) -> int | None:
    """
    Return the address of a defined symbol in the process, or None.

    Raises:
        UnreadableError: If the tables are not what they should be.
    """
    buckets, first, blooms, _ = struct.unpack("<IIII", memory.read(image.gnu_hash, 16))
    if not 0 < buckets < 1 << 24 or blooms > 1 << 24:
        raise UnreadableError
    wanted = gnu_hash(name)
    bucket_table = image.gnu_hash + 16 + 8 * blooms
    index = struct.unpack("<I", memory.read(bucket_table + 4 * (wanted % buckets), 4))[0]
    if index < first:
        return None
    for number, value in _chain(memory, bucket_table + 4 * buckets, index, first):
        if value | 1 == wanted | 1:
            entry = struct.unpack("<IBBHQQ", memory.read(image.symbols + 24 * number, 24))
            if entry[3] and memory.read_up_to(image.strings + entry[0], _NAME_BYTES_MAX).startswith(name + b"\0"):
                return int(image.bias + entry[4])
    return None


def _chain(memory: Memory, table: int, index: int, first: int) -> Iterator[tuple[int, int]]:
    for number in range(index, index + _CHAIN_MAX):
        value = struct.unpack("<I", memory.read(table + 4 * (number - first), 4))[0]
        yield number, value
        if value & 1:
            return


def gnu_hash(name: bytes) -> int:
    """Return the hash of a symbol's name, 32 bits."""
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value
