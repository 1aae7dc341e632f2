"""
One segment of the write-ahead log: a file of records, each a received request, in the order they were acknowledged.

A record is a header, the origin if the request named one, and the payload. The header is little-endian: length of the
payload (u32), CRC-32 of what follows it (u32), length after decompression (u32), encoding (u8), whose highest bit says
that an origin follows: the sender's id (16 bytes) and the request's number (u64). A length of 0 is never written, so
that zeros which a file system leaves at a torn end are not taken for records.
"""

import contextlib
import os
import struct
import time
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

_HEADER: Final = struct.Struct("<IIIB")
_CHECKED: Final = struct.Struct("<IB")
_ORIGIN: Final = struct.Struct("<16sQ")
_HAS_ORIGIN: Final = 0x80
OPEN_SUFFIX: Final = ".open"
SEALED_SUFFIX: Final = ".sealed"


class Encoding(IntEnum):
    """How a payload is compressed, as the sender did it."""

    IDENTITY = 0
    GZIP = 1
    ZSTD = 2


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Which request of which sender.

    Attributes:
        sender: 16 bytes, unique for ever.
        sequence: Ascending in the order the sender sends, from 1.
    """

    sender: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class Record:
    """One request: its bytes as received, how long they are decompressed, and where it comes from, if it says so."""

    payload: bytes
    raw_length: int
    encoding: Encoding = Encoding.IDENTITY
    origin: Origin | None = None

    @property
    def stored_length(self) -> int:
        """Return how many bytes it takes in a segment."""
        return _HEADER.size + (_ORIGIN.size if self.origin else 0) + len(self.payload)

    def to_bytes(self) -> bytes:
        """Return it as it stands in a segment."""
        origin = _ORIGIN.pack(self.origin.sender, self.origin.sequence) if self.origin else b""
        kind = self.encoding | (_HAS_ORIGIN if origin else 0)
        checksum = _checksum(self.raw_length, kind, origin, self.payload)
        return _HEADER.pack(len(self.payload), checksum, self.raw_length, kind) + origin + self.payload


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed segment. Its content never changes, so that its id can stand for it when it is inserted again."""

    path: Path
    length: int

    @property
    def segment_id(self) -> str:
        """Return the id: unique for ever, in the order of creation."""
        return self.path.stem

    def records(self) -> list[Record]:
        """Return its records up to the first that is damaged."""
        with self.path.open("rb") as file:
            data = file.read(self.length)
        return [record for record, _ in read_records(data)]

    def delete(self) -> None:
        """Remove it; it may be gone already."""
        self.path.unlink(missing_ok=True)


def new_segment_path(folder: Path) -> Path:
    """Return the path of a segment that does not exist yet, later in order than those that do."""
    return folder / f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}{OPEN_SUFFIX}"


def read_records(data: bytes) -> Iterator[tuple[Record, int]]:
    """Yield records and the position after each, up to the first that is cut or damaged."""
    position = 0
    while position + _HEADER.size <= len(data):
        length, checksum, raw_length, kind = _HEADER.unpack_from(data, position)
        origin_at = position + _HEADER.size
        start = origin_at + (_ORIGIN.size if kind & _HAS_ORIGIN else 0)
        end = start + length
        encoding = kind & ~_HAS_ORIGIN
        if length == 0 or end > len(data) or encoding > max(Encoding):
            return
        origin, payload = data[origin_at:start], data[start:end]
        if _checksum(raw_length, kind, origin, payload) != checksum:
            return
        yield Record(payload, raw_length, Encoding(encoding), Origin(*_ORIGIN.unpack(origin)) if origin else None), end
        position = end


def seal(path: Path, length: int) -> Segment:
    """
    Give an open segment its final name, for good.

    Where the disk refuses even that, the segment keeps its name and is read to its length all the same.
    """
    sealed = path.with_suffix(SEALED_SUFFIX)
    try:
        path.rename(sealed)
    except OSError:
        return Segment(path, length)
    with contextlib.suppress(OSError):
        sync_folder(path.parent)
    return Segment(sealed, length)


@dataclass(frozen=True, slots=True)
class Recovered:
    """
    What an earlier run left.

    Attributes:
        segments: Sealed, and in order.
        cut_bytes: Of torn ends of open segments: never acknowledged, as an acknowledged record was on the disk whole.
        damaged_bytes: Of sealed segments, behind the last record that can be read: acknowledged, and lost by the disk.
        origins: The last of each sender in the segments, the one met longest ago first.
    """

    segments: list[Segment]
    cut_bytes: int
    damaged_bytes: int
    origins: list[Origin]


def recover(folder: Path) -> Recovered:
    """Seal the segments that an earlier run left, without their torn ends, and return them."""
    segments: list[Segment] = []
    cut_bytes = damaged_bytes = 0
    last: dict[bytes, Origin] = {}
    for path in sorted(folder.glob(f"*{SEALED_SUFFIX}")) + sorted(folder.glob(f"*{OPEN_SUFFIX}")):
        data = path.read_bytes()
        good = 0
        for record, end in read_records(data):
            good = end
            if record.origin and record.origin.sequence >= last.get(record.origin.sender, record.origin).sequence:
                last.pop(record.origin.sender, None)
                last[record.origin.sender] = record.origin
        if path.suffix == SEALED_SUFFIX:
            damaged_bytes += len(data) - good
        else:
            cut_bytes += len(data) - good
        if good == 0:
            path.unlink()
        elif path.suffix == SEALED_SUFFIX:
            segments.append(Segment(path, good))
        else:
            os.truncate(path, good)
            with path.open("rb") as file:
                os.fsync(file.fileno())
            segments.append(seal(path, good))
    segments.sort(key=lambda segment: segment.path.name)
    return Recovered(segments, cut_bytes, damaged_bytes, list(last.values()))


def _checksum(raw_length: int, kind: int, origin: bytes, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(origin, zlib.crc32(_CHECKED.pack(raw_length, kind))))


def sync_folder(folder: Path) -> None:
    """Make names of files in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
