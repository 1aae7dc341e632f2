"""
What is fetched of a thread for one look at its stack, and where each address then lies in the buffer.

The ranges of one call are copied one after the other, some 350 ns apart, and so are their pages, some 50 ns apart,
while the thread runs on. So regions are copied twice, in mirrored order around the middle one, which holds the frame
that runs: what was the same both times was so at the instant at which the page of that frame was copied.
"""

from dataclasses import dataclass, replace
from typing import Final

from agent.reader.remote.memory import PAGE_BYTES

# Scattered frames remembered of one thread (generators, coroutines, borders from C), and regions read in one call.
SCATTERED_MAX: Final = 256
REGIONS_MAX: Final = 48
# Addresses closer to each other than this are read as one: copying 4 KiB takes less time than beginning a new range.
GAP_BYTES: Final = 4096
REGION_BYTES_MAX: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Region:
    """
    A piece of memory in the buffer.

    Attributes:
        start: Its first address.
        end: The first address at which a frame no longer fits.
        shift: What is added to an address for its place in the buffer.
        again: How far behind that its second copy lies; 0 where it was copied once.
        order: How far inside it is: its copies lie between those of all regions with a lower number.
        ordered: Whether it is a chunk of the data stack, in which a caller lies below what it called.
    """

    start: int
    end: int
    shift: int
    again: int
    order: int
    ordered: bool


@dataclass(frozen=True, slots=True)
class Fetch:
    """
    One call's worth of ranges.

    Attributes:
        ranges: (address, bytes), in the order to copy.
        regions: Where the regions lie in the buffer, the middle one first, then outwards.
        later: The same with the second copies in the place of the first.
        tail: Offset of what was asked for last, beyond the regions.
    """

    ranges: list[tuple[int, int]]
    regions: list[Region]
    later: list[Region]
    tail: int


def merge(addresses: list[int], size: int) -> list[tuple[int, int]]:
    """
    Return ranges that cover *size* bytes at each of the addresses, those near each other as one.

    Args:
        addresses: Any order.
        size: Bytes wanted at each.
    """
    ranges: list[tuple[int, int]] = []
    for address in sorted(addresses):
        if ranges:
            start, length = ranges[-1]
            if address - (start + length) < GAP_BYTES and address + size - start <= REGION_BYTES_MAX:
                ranges[-1] = (start, max(length, address + size - start))
                continue
        ranges.append((address, size))
    return ranges


def plan_fetch(
    head: list[tuple[int, int]],
    chunks: list[tuple[int, int]],
    scattered: list[tuple[int, int]],
    tail: list[tuple[int, int]],
    *,
    path: list[int],
    frame_bytes: int,
) -> Fetch:
    """
    Lay out one call.

    Args:
        head: What is read before everything, once.
        chunks: Of the data stack, (address, bytes), the newest first.
        scattered: Ranges of frames elsewhere.
        tail: What is read after everything, once.
        path: Addresses from the leaf to the root: what lies nearer to the leaf is copied nearer to the middle.
        frame_bytes: What a frame needs to fit.
    """
    pieces = [(start, size, True) for start, size in chunks] + [(start, size, False) for start, size in scattered]
    if not pieces:  # a thread that has not run Python yet
        return Fetch([*head, *tail], [], [], sum(size for _, size in head))
    ranks = {
        piece: next((i for i, address in enumerate(path) if piece[0] <= address < piece[0] + piece[1]), len(path))
        for piece in pieces
    }
    pieces.sort(key=ranks.__getitem__, reverse=True)
    pieces = pieces[-REGIONS_MAX:]
    inner = pieces[-1]
    # The middle needs no second copy where it is copied (nearly) at once: frames outside the data stack that are at
    # rest say so, see `agent.reader.remote.walk`.
    is_one_page = not inner[2] or inner[0] // PAGE_BYTES == (inner[0] + inner[1] - 1) // PAGE_BYTES
    mirrored = pieces[:-1] if is_one_page else pieces
    once = [(start, size) for start, size, _ in pieces]
    ranges = [*head, *once, *((start, size) for start, size, _ in reversed(mirrored)), *tail]
    position = sum(size for _, size in head)
    end = mirror = position + sum(size for _, size in once) + sum(size for _, size, _ in mirrored)
    regions: list[Region] = []
    for order, (start, size, ordered) in enumerate(pieces):
        mirror -= size
        again = mirror - position if order < len(mirrored) else 0
        regions.append(Region(start, start + size - frame_bytes + 1, position - start, again, order, ordered))
        position += size
    regions.reverse()
    later = [replace(region, shift=region.shift + region.again, again=-region.again) for region in regions]
    return Fetch(ranges, regions, later, end)
