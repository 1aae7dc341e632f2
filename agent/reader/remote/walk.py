"""
The walk along a thread's frames, from the current one to the root, in memory that was copied while the thread ran on.

Frames of plain calls lie side by side in a chunk of the thread's data stack, of which a page is copied in a few 10 ns.
Until 3.13 each frame says whether it runs (``stacktop`` is -1) or waits for what it called. So the walk knows by itself
where the stack ended at the instant of the copy: at the frame that runs. Above it lie frames that have returned and
whose memory was not used again yet; the current frame, which is read a moment earlier, may still point to them. From
3.14 on a frame that has returned has no code object any more, so that one which has was there.
"""

import struct
from dataclasses import dataclass
from typing import Final

from agent.reader.remote.code import Code, CodeTable
from agent.reader.remote.fetch import Region
from agent.reader.remote.layout import Layout
from agent.reader.remote.memory import PAGE_BYTES, UnreadableError

_OWNED_BY_THREAD: Final = 0
_OWNED_BY_GENERATOR: Final = 1
# From this owner on a frame is the interpreter's own, at the border from C into Python (3.12 and later).
_OWNED_BY_INTERPRETER: Final = 3
_OWNER_MAX: Final = 4
# Borders and generators count here too.
_STEPS_PER_FRAME: Final = 4


class TornError(Exception):
    """What was read cannot be a stack: it changed while it was read."""


class MissingError(Exception):
    """
    A frame lies where nothing was fetched.

    Attributes:
        address: Of the frame.
    """

    def __init__(self, address: int) -> None:
        """Remember where."""
        self.address = address


@dataclass(slots=True)  # not frozen: making one of those takes three times as long
class Walk:
    """
    A stack, leaf first.

    Attributes:
        codes: Of each Python frame.
        instructions: Address of the instruction that each of them is at.
        addresses: Of the frames.
        moved: How many at the leaf end changed while they were read, so that only the rest is certain; mostly 0.
        running: Whether the leaf was certainly there, and the last, at the instant of the copy.
        path: An address in each region that was walked through, leaf first.
        scattered: Addresses of the frames that lie outside the data stack, borders included.
        truncated: Whether the limit of depth ended the walk before the root.
        elsewhere: How many at the leaf end reach down to the last generator that lies apart from the leaf.
        bracketed: Whether the leaf was the current frame both before and after the copy.
    """

    codes: list[Code]
    instructions: list[int]
    addresses: list[int]
    moved: int
    running: bool
    path: list[int]
    scattered: list[int]
    truncated: bool
    elsewhere: int = 0
    bracketed: bool = False


class Walker:
    """Walks the stacks of one process."""

    def __init__(self, layout: Layout, codes: CodeTable, *, depth_max: int) -> None:
        """
        Prepare.

        Args:
            layout: Of the process's structures.
            codes: Of the process.
            depth_max: Python frames at most, counted from the leaf.
        """
        self._codes = codes
        self._depth_max = depth_max
        self._frame = frame_struct(layout)
        self.frame_bytes = layout.frame_bytes
        self._running = -1
        # From 3.14 on nothing marks a frame that runs, but a frame that has returned loses its code object.
        self._unmarked = layout.frame_stack_is_pointer
        # 3.11 marks the frames that C entered in the byte before the owner.
        self._owner_shift, self._entry_mask = (8, 1) if layout.frame_entry is not None else (0, 0)

    def walk(  # noqa: C901, PLR0912, PLR0915
        self, current: int, buffer: bytearray, regions: list[Region], *, calm: bool = False
    ) -> Walk:
        """
        Walk from a frame to the root. One loop, as it is the hot path of the whole agent.

        Args:
            current: Address of the frame to begin with: the one that runs, or one above it that returned since.
            buffer: What was fetched.
            regions: Where it lies.
            calm: Whether the thread calls and returns so seldom that a leaf which was the same before and after its
                callers were copied did not go away and come back meanwhile.

        Raises:
            TornError: If it cannot be a stack.
            MissingError: If a frame was not fetched.
        """
        unpack, known, frame_bytes = self._frame.unpack_from, self._codes.codes, self.frame_bytes
        running_mark, owner_shift, entry_mask = self._running, self._owner_shift, self._entry_mask
        unmarked = self._unmarked
        codes: list[Code] = []
        instructions: list[int] = []
        addresses: list[int] = []
        scattered: list[int] = []
        path: list[int] = []
        start = end = shift = again = 0
        # The page that the leaf lies in, whose copy is of one instant, and how far inside its region is.
        page = page_end = leaf_order = 0
        ordered = called_directly = running = truncated = doubtful = leaf_stayed = False
        moved = elsewhere = steps = owner = flags = 0
        steps_max = _STEPS_PER_FRAME * self._depth_max
        frame = current
        while frame:
            if not start <= frame < end:
                for region in regions:
                    if region.start <= frame < region.end:
                        break
                else:
                    raise MissingError(frame)
                start, end, shift, again = region.start, region.end, region.shift, region.again
                order, ordered = region.order, region.ordered
                path.append(frame)
                if codes and order > leaf_order and not leaf_stayed:
                    doubtful = True  # its copies lie between those of the leaf: they are of another time
            place = frame + shift
            code_address, previous, instruction, stack, flags = unpack(buffer, place)
            owner = flags >> owner_shift
            if owner > _OWNER_MAX or frame & 7 or (ordered and start <= previous < end and previous >= frame):
                raise TornError
            steps += 1
            if not ordered:
                scattered.append(frame)
            if owner >= _OWNED_BY_INTERPRETER:
                called_directly = False
                if again and buffer[place : place + frame_bytes] != buffer[place + again : place + again + frame_bytes]:
                    moved = len(codes)
            else:
                if stack == running_mark:
                    if called_directly:
                        # It runs, so what it called has returned: what was walked so far is no longer a part.
                        codes.clear()
                        instructions.clear()
                        addresses.clear()
                        moved = elsewhere = 0
                        doubtful = False
                    running = running or not codes
                elif not codes:
                    running = unmarked
                elif not called_directly and not unmarked:
                    doubtful = True  # while C runs for it, it is marked as running, but for tracing and the like
                if not codes:
                    leaf_order = order
                    if calm and again:
                        later = unpack(buffer, place + again)
                        leaf_stayed = later[:2] == (code_address, previous) and later[3] == stack
                    if ordered:
                        page, page_end = frame & -PAGE_BYTES, (frame | PAGE_BYTES - 1) + 1
                    else:  # generators at rest have no caller: they cannot be taken for a part of the stack
                        page, page_end = start, end + frame_bytes
                if (
                    again
                    and not page <= frame <= page_end - frame_bytes
                    and buffer[place : place + frame_bytes] != buffer[place + again : place + again + frame_bytes]
                ):
                    # Of a frame that only went on the place in the stack is certain, and nothing above it.
                    same = unpack(buffer, place + again)[:2] == (code_address, previous)
                    moved = len(codes) + (not same)
                code = known.get(code_address)
                if code is None:
                    code = self._find(code_address)
                codes.append(code)
                instructions.append(instruction)
                addresses.append(frame)
                called_directly = not flags & entry_mask
                if owner == _OWNED_BY_GENERATOR:
                    if not previous:
                        raise TornError  # a generator at rest
                    if again:
                        elsewhere = len(codes)
                if len(codes) >= self._depth_max and previous:
                    if len(set(addresses)) < len(addresses):
                        raise TornError  # it goes round
                    truncated = True
                    break
            if steps > steps_max:
                raise TornError
            frame = previous
        if steps and not truncated and owner < _OWNED_BY_INTERPRETER and not flags & entry_mask:
            raise TornError  # every stack begins with what C called
        return Walk(
            codes, instructions, addresses, moved, running and not doubtful, path, scattered, truncated, elsewhere
        )

    def peek(self, frame: bytes) -> tuple[int, bool]:
        """
        Return the address of the caller of a frame that was read alone, and whether the frame belongs on a data stack.

        Raises:
            TornError: If it is no frame.
        """
        code_address, previous, _, _, flags = self._frame.unpack_from(frame)
        owner = flags >> self._owner_shift
        if owner > _OWNER_MAX or previous & 7:
            raise TornError
        if owner < _OWNED_BY_INTERPRETER:
            self._find(code_address)
        return int(previous), owner == _OWNED_BY_THREAD

    def _find(self, address: int) -> Code:
        try:
            return self._codes.find(address & ~7)  # the low bits are a tag from 3.14 on
        except UnreadableError:
            raise TornError from None


def frame_struct(layout: Layout) -> struct.Struct:
    """Return what unpacks a frame into code, caller, instruction, stack mark and flags (owner, and more in 3.11)."""
    fields = [
        (layout.frame_code, "Q"),
        (layout.frame_previous, "Q"),
        (layout.frame_instruction, "Q"),
        (layout.frame_stack, "Q" if layout.frame_stack_is_pointer else "i"),
        (layout.frame_owner, "B") if layout.frame_entry is None else (layout.frame_entry, "H"),
    ]
    text, position = "<", 0
    for offset, kind in fields:
        text += f"{offset - position}x{kind}"
        position = offset + struct.calcsize(kind)
    return struct.Struct(text)
