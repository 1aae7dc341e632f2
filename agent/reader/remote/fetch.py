"""
What is fetched of a thread for one look at its stack, and where each address then lies in the buffer.

The ranges of one call are copied one after the other, some 350 ns apart, while the thread runs on. So the outer regions
are read twice, once before and once after the middle one: what was the same both times was so at the instant at which
the middle was copied. The middle is the region that holds the frame that runs.
"""

from dataclasses import dataclass
from typing import Final

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
        ordered: Whether it is a chunk of the data stack, in which a caller lies below what it called.
    """

    start: int
    end: int
    shift: int
    again: int
    ordered: bool


@dataclass(frozen=True, slots=True)
class Fetch:
    """
    One call's worth of ranges.

    Attributes:
        ranges: (address, bytes), in the order to copy.
        regions: Where the regions lie in the buffer; the middle one first.
        tail: Offset of what was asked for last, beyond the regions.
    """

    ranges: list[tuple[int, int]]
    regions: list[Region]
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
    middle: int,
    frame_bytes: int,
) -> Fetch:
    """
    Lay out one call.

    Args:
        head: What is read before everything, once.
        chunks: Of the data stack, (address, bytes), the newest first.
        scattered: Ranges of frames elsewhere.
        tail: What is read after everything, once.
        middle: An address in the region to be copied once, in the middle; the newest chunk where it is in none.
        frame_bytes: What a frame needs to fit.
    """
    pieces = [(start, size, True) for start, size in chunks] + [(start, size, False) for start, size in scattered]
    if not pieces:  # a thread that has not run Python yet
        return Fetch([*head, *tail], [], sum(size for _, size in head))
    index = next((i for i, (start, size, _) in enumerate(pieces) if start <= middle < start + size), 0)
    inner = pieces.pop(index)
    outer = pieces[: REGIONS_MAX - 1]
    ranges = [*head, *((start, size) for start, size, _ in outer), inner[:2]]
    ranges += [*((start, size) for start, size, _ in reversed(outer)), *tail]
    position = sum(size for _, size in head)
    # The second copies mirror the first around the middle: the outermost is the first and the last.
    end = position + 2 * sum(size for _, size, _ in outer) + inner[1]
    regions: list[Region] = []
    mirror = end
    for start, size, ordered in outer:
        mirror -= size
        regions.append(Region(start, start + size - frame_bytes + 1, position - start, mirror - position, ordered))
        position += size
    regions.insert(0, Region(inner[0], inner[0] + inner[1] - frame_bytes + 1, position - inner[0], 0, inner[2]))
    return Fetch(ranges, regions, end)
