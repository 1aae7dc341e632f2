"""
What is fetched of a thread for one look at its stack, and where each address then lies in the buffer.

The ranges of one call are copied one after the other, some 350 ns apart, and so are their pages, some 50 ns apart,
while the thread runs on. So regions are copied twice, in mirrored order around the middle one, which holds the frame
that runs: what was the same both times was so at the instant at which the page of that frame was copied.
"""

from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from agent.reader.remote.memory import PAGE_BYTES

# Regions read in one call.
REGIONS_MAX: Final = 48
# Addresses closer to each other than this are read as one: copying 4 KiB takes less time than beginning a new range.
GAP_BYTES: Final = 4096
REGION_BYTES_MAX: Final = 1 << 16
_first = itemgetter(0)


@dataclass(slots=True)  # not frozen, nor is Fetch: to make one takes a third of the time
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


@dataclass(slots=True)
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
    start = end = 0
    for address in sorted(addresses):
        last = address + size
        if not end or address - end >= GAP_BYTES or last - start > REGION_BYTES_MAX:
            if end:
                ranges.append((start, end - start))
            start = address
        end = last
    if end:
        ranges.append((start, end - start))
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
    pieces = [(_rank(start, size, path), start, size, True) for start, size in chunks]
    pieces += [(_rank(start, size, path), start, size, False) for start, size in scattered]
    position = 0
    for _, size in head:
        position += size
    if not pieces:  # a thread that has not run Python yet
        return Fetch([*head, *tail], [], [], position)
    pieces.sort(key=_first, reverse=True)
    del pieces[:-REGIONS_MAX]
    _, start, size, ordered = pieces[-1]
    # The middle needs no second copy where it is copied (nearly) at once: frames outside the data stack that are at
    # rest say so, see `agent.reader.remote.walk`.
    is_one_page = not ordered or start // PAGE_BYTES == (start + size - 1) // PAGE_BYTES
    n_mirrored = len(pieces) - is_one_page
    once = [(start, size) for _, start, size, _ in pieces]
    ranges = [*head, *once, *once[n_mirrored - 1 :: -1], *tail] if n_mirrored else [*head, *once, *tail]
    once_bytes = sum([size for _, size in once])
    mirror = end = position + 2 * once_bytes - (once[-1][1] if is_one_page else 0)
    regions: list[Region] = []
    later: list[Region] = []
    for order, (_, start, size, ordered) in enumerate(pieces):
        again = 0
        if order < n_mirrored:
            mirror -= size
            again = mirror - position
        last, shift = start + size - frame_bytes + 1, position - start
        regions.append(Region(start, last, shift, again, order, ordered))
        later.append(Region(start, last, shift + again, -again, order, ordered))
        position += size
    regions.reverse()
    later.reverse()
    return Fetch(ranges, regions, later, end)


def _rank(start: int, size: int, path: list[int]) -> int:
    """Return how far from the leaf a piece is."""
    end = start + size
    for rank, address in enumerate(path):
        if start <= address < end:
            return rank
    return len(path)
