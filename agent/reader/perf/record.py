"""The records of a ring: samples with their call chains, and how many were lost. Source: perf_event_open(2)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_HEADER: Final = struct.Struct("=IHH")
_SAMPLE_HEAD: Final = struct.Struct("=IIQQ")
_LOST_BODY: Final = struct.Struct("=QQ")
_LOST, _SAMPLE = 2, 9
_WORD: Final = 8
# Addresses above this are marks that say what follows.
_MARKS_FROM: Final = 0xFFFF_FFFF_FFFF_F000
_KERNEL_FOLLOWS: Final = 2**64 - 128
_USER_FOLLOWS: Final = 2**64 - 512


@dataclass(frozen=True, slots=True)
class Lost:
    """Samples for which the ring had no room."""

    count: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """
    A thread that was on a CPU.

    Attributes:
        pid: In this process's pid namespace; 0 where it has no number there.
        thread_id: Likewise.
        time_ns: Of the monotonic clock.
        chain: Addresses and marks, leaf first, as they came; see `split_chain`.
    """

    pid: int
    thread_id: int
    time_ns: int
    chain: bytes


def parse_records(data: bytes) -> Iterator[Sighting | Lost]:
    """Return the records in order; what is cut short or unknown is left out."""
    at = 0
    end = len(data)
    while at + _HEADER.size <= end:
        kind, _, size = _HEADER.unpack_from(data, at)
        body, at = at + _HEADER.size, at + size
        if size < _HEADER.size or at > end:
            return
        if kind == _SAMPLE and size >= _HEADER.size + _SAMPLE_HEAD.size:
            pid, thread_id, time_ns, count = _SAMPLE_HEAD.unpack_from(data, body)
            chain = body + _SAMPLE_HEAD.size
            yield Sighting(_known(pid), _known(thread_id), time_ns, data[chain : min(at, chain + count * _WORD)])
        elif kind == _LOST and size >= _HEADER.size + _LOST_BODY.size:
            yield Lost(_LOST_BODY.unpack_from(data, body)[1])


def split_chain(chain: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the addresses in the kernel and those in the program, each leaf first."""
    kernel: list[int] = []
    user: list[int] = []
    into: list[int] | None = None
    for (address,) in struct.iter_unpack("=Q", chain[: len(chain) // _WORD * _WORD]):
        if address < _MARKS_FROM:
            if into is not None:
                into.append(address)
        else:
            into = {_KERNEL_FOLLOWS: kernel, _USER_FOLLOWS: user}.get(address)
    return tuple(kernel), tuple(user)


def _known(number: int) -> int:
    """A thread that has just ended, or lives outside our pid namespace, comes as 2^32 - 1 or 0."""
    return 0 if number == 2**32 - 1 else number
