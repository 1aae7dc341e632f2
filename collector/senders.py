"""
What each sender has had stored: so that a request that comes again is acknowledged and not stored twice.

A sender numbers its requests and sends them in that order, the next only once one is answered or given up. So one
number a sender is enough: the highest that is stored. It is in the log beside the request, on the disk with it or not
at all. Before a segment of the log is deleted, the numbers go to a file, which is replaced as a whole.
"""

import logging
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from collector.segments import Origin, sync_folder

_log = logging.getLogger("pyrometer.collector")
_MAGIC: Final = b"pyrometer-senders-1\n"
_CHECKSUM: Final = struct.Struct("<I")
_ENTRY: Final = struct.Struct("<16sQ")
SEQUENCE_MAX: Final = 2**63 - 1


class Senders:
    """
    The last stored number of each sender, as many senders as allowed; the one not heard of the longest is forgotten.

    Not thread-safe.
    """

    def __init__(self, path: Path, senders_max: int) -> None:
        """Read the file, where there is one."""
        self._path = path
        self._senders_max = senders_max
        self._last: dict[bytes, int] = {}  # in the order they were heard of
        self._saved = True
        for origin in _read(path):
            self.note(origin)
        self._saved = True

    def __len__(self) -> int:
        return len(self._last)

    def has(self, origin: Origin) -> bool:
        """Tell whether a request, or a later one of its sender, is stored."""
        return origin.sequence <= self._last.get(origin.sender, 0)

    def note(self, origin: Origin) -> None:
        """Remember that a request is stored."""
        last = self._last.pop(origin.sender, 0)
        self._last[origin.sender] = max(last, origin.sequence)
        self._saved = False
        if len(self._last) > self._senders_max:
            del self._last[next(iter(self._last))]

    def take_changes(self) -> bytes | None:
        """Return the content of the file, to be written now; None where nothing changed since it was taken last."""
        if self._saved:
            return None
        self._saved = True
        entries = b"".join(_ENTRY.pack(sender, sequence) for sender, sequence in self._last.items())
        return _MAGIC + _CHECKSUM.pack(zlib.crc32(entries)) + entries

    def give_back_changes(self) -> None:
        """The content taken last could not be written."""
        self._saved = False


def write_senders(path: Path, content: bytes) -> None:
    """Replace the file: after a crash at any moment the old one is there, or the new one, whole."""
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fdatasync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def _read(path: Path) -> Iterable[Origin]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ()
    entries = content[len(_MAGIC) + _CHECKSUM.size :]
    head = _MAGIC + _CHECKSUM.pack(zlib.crc32(entries))
    if not content.startswith(head) or len(entries) % _ENTRY.size:
        _log.warning(
            "%s is damaged and not read: a request that was answered just before the end may be stored twice", path
        )
        return ()
    return [Origin(sender, sequence) for sender, sequence in _ENTRY.iter_unpack(entries)]
