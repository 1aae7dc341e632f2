"""Reads one thread's stack, again and again: knows what to fetch from the last time, and judges what came."""

import contextlib
import operator
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from agent.reader.remote.code import CodeTable
from agent.reader.remote.fetch import Fetch, merge, plan_fetch
from agent.reader.remote.layout import Layout
from agent.reader.remote.memory import PAGE_BYTES, Memory, UnreadableError
from agent.reader.remote.walk import MissingError, TornError, Walk, Walker

# Looks at one stack before its leaf part is given up, and steps of one learning walk.
ATTEMPTS_MAX: Final = 10
CHUNKS_MAX: Final = 64
CHUNK_BYTES_MAX: Final = 1 << 18
# Scattered frames remembered of one thread, and looks after which one that was not seen again is forgotten.
SCATTERED_MAX: Final = 256
_SEEN_LOOKS: Final = 16
# A copy that takes this many times as long as usual was interrupted. The call itself takes as long as so many ranges,
# and the usual is that of about so many calls.
_LONG: Final = 2.5
_CALL_RANGES: Final = 8
_USUAL_OF: Final = 32
_LEARN_STEPS_MAX: Final = 256
_CHUNK_HEADER: Final = struct.Struct("<3Q")
_WORD: Final = struct.Struct("<Q")
# A frame and its locals beyond the top of the stack as it was.
_SLACK_BYTES: Final = 1024


class ChangedError(Exception):
    """The thread state is no longer what it was: another thread's, or freed."""


class _UnwantedError(Exception):
    """The thread does not run."""


@dataclass(slots=True)
class ThreadState:
    """
    A thread as the interpreter has it, and what is remembered of its stack.

    Attributes:
        address: Of its ``PyThreadState``.
        native_id: Its thread id, in its own pid namespace.
        chunks: Of its data stack, (address, bytes), newest first.
        scattered: Addresses of frames, and ``cframe``s, outside it, and the look that last saw each.
        looks: How many there were.
        path: An address in each region of the last stack, leaf first.
        fetch: What to fetch; None when that has to be laid out anew.
        reading: The last one, where it is kept.
    """

    address: int
    native_id: int
    chunks: list[tuple[int, int]] = field(default_factory=list)
    scattered: dict[int, int] = field(default_factory=dict)
    looks: int = 0
    path: list[int] = field(default_factory=list)
    fetch: Fetch | None = None
    reading: "Reading | None" = None

    def remember(self, address: int) -> None:
        """Fetch this address from now on, too."""
        if address not in self.scattered:
            self.fetch = None
        self.scattered[address] = self.looks

    def forget_old(self) -> None:
        """Drop scattered addresses that were not seen for a while, the oldest first where there are too many."""
        fresh = [item for item in self.scattered.items() if item[1] >= self.looks - _SEEN_LOOKS]
        self.scattered = dict(sorted(fresh, key=lambda item: item[1])[-SCATTERED_MAX:])


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One look.

    Attributes:
        frames: Numbers of the frames (`CodeTable.frames`), root first; what was certain of them.
        unstable: Whether a leaf part is missing that could not be read consistently.
        truncated: Whether the root part is missing because the stack is too deep.
    """

    frames: tuple[int, ...]
    unstable: bool
    truncated: bool


class StackReader:
    """Reads the stacks of the threads of one process. Not thread-safe."""

    def __init__(self, memory: Memory, layout: Layout, codes: CodeTable, *, depth_max: int) -> None:
        """
        Prepare.

        Args:
            memory: Of the process.
            layout: Of its structures.
            codes: Of the process; it reads through a `Memory` of its own, so that it does not disturb our buffer.
            depth_max: Python frames at most of one stack.
        """
        self._memory = memory
        self._scratch = Memory(memory.pid)
        self._codes = codes
        self._walker = Walker(layout, codes, depth_max=depth_max)
        # The part of a thread state that holds all that is looked at; top and limit of the chunk follow its address.
        fields = (layout.thread_current, layout.thread_native_id, layout.thread_chunk)
        self._span_start, self._span_bytes = min(fields), max(fields) + 24 - min(fields)
        self._current = layout.thread_current - self._span_start
        self._native_id = layout.thread_native_id - self._span_start
        self._chunk = layout.thread_chunk - self._span_start
        self._cframe_current = layout.cframe_current
        # Looks that gave nothing, and the usual time to copy a range, in nanoseconds; 0 before the first.
        self.retries = 0
        self._range_ns = 0.0

    def read_innermost(
        self, states: tuple[ThreadState, ...], wanted: Callable[[], bool] | None = None
    ) -> Reading | None:
        """Return the stack in the innermost interpreter that a thread runs; see `read`."""
        reading = None
        for state in states:
            reading = self.read(state, wanted)
            if reading is None or reading.frames:
                break
        return reading

    def read(self, thread: ThreadState, wanted: Callable[[], bool] | None = None) -> Reading | None:
        """
        Return the stack of a thread, as it was at one instant.

        Args:
            thread: Which.
            wanted: Asked right after each copy: whether the thread runs; where it does not, the look is over.

        Returns:
            The stack, or None where it was not wanted.

        Raises:
            ChangedError: The thread state is not that thread's any more.
            UnreadableError: Not even its root could be read.
            TargetNotFoundError: The process has ended.
        """
        certain: Walk | None = None
        last: Walk | None = None
        for _ in range(ATTEMPTS_MAX):
            try:
                walk = self._try(thread, wanted)
            except _UnwantedError:
                return None
            if walk is None:
                self.retries += 1
                continue
            # What runs was certainly there. What does not run (it frees what a function left behind, say) must be so
            # in two looks: a thread that calls a lot can come back to the same frame within one look.
            if walk.moved == 0 and (walk.running or (walk.bracketed and last and _same(walk, last))):
                fresh = [code for code in walk.codes if not code.trusted]
                if not fresh or self._codes.verify(fresh):
                    return self._reading(walk, unstable=False)
                continue
            agreed = walk if walk.moved else _agreed(walk, last)
            last = walk
            if agreed and (certain is None or _certain_frames(agreed) > _certain_frames(certain)):
                certain = agreed
        if certain is None or not self._codes.verify([code for code in certain.codes if not code.trusted]):
            raise UnreadableError
        return self._reading(certain, unstable=True)

    def _try(self, thread: ThreadState, wanted: Callable[[], bool] | None) -> Walk | None:
        """Look once; None where it gave nothing, and what to fetch was mended for the next time."""
        try:
            return self._look(thread, wanted)
        except TornError:
            return None
        except MissingError as missing:
            self._learn(thread, missing.address)
        except UnreadableError:
            # The newest chunk may have been given back, as a stack shrinks; or all is new.
            thread.fetch = None
            if len(thread.chunks) > 1:
                del thread.chunks[0]
            else:
                thread.chunks.clear()
        return None

    def _reading(self, walk: Walk, *, unstable: bool) -> Reading:
        number = self._codes.frame_number
        frames = [
            number(code, instruction)
            for code, instruction in zip(walk.codes[walk.moved :], walk.instructions[walk.moved :], strict=True)
            if not code.hidden
        ]
        frames.reverse()
        return Reading(tuple(frames), unstable, walk.truncated)

    def _look(self, thread: ThreadState, wanted: Callable[[], bool] | None) -> Walk:
        """Fetch and walk once."""
        thread.looks += 1
        fetch = thread.fetch or self._lay_out(thread)
        buffer = self._copy(fetch)
        if wanted is not None and not wanted():
            raise _UnwantedError
        if _WORD.unpack_from(buffer, self._native_id)[0] != thread.native_id:
            raise ChangedError
        self._follow_chunk(thread, buffer, fetch.tail)
        before = self._current_frame(thread, buffer, 0, fetch, again=False)
        after = self._current_frame(thread, buffer, fetch.tail, fetch, again=True)
        if not before and not after:
            return Walk([], [], [], 0, running=True, path=[], scattered=[], truncated=False, bracketed=True)
        walk = self._walk_from(before or after, after, buffer, fetch)
        for address in walk.scattered:
            thread.scattered[address] = thread.looks
        leaf = walk.addresses[0] if walk.addresses else before
        thread.path = walk.path
        if not (fetch.regions and fetch.regions[0].start <= leaf < fetch.regions[0].end):
            thread.fetch = None  # next time with the leaf's region in the middle
        return walk if walk.running else replace(walk, bracketed=before == after == leaf)

    def _copy(self, fetch: Fetch) -> bytearray:
        """
        Fetch; raise `TornError` where it took much longer than usual.

        Then we lost the CPU, or had to wait for a lock, half-way, and the pieces are of times that lie far apart.
        """
        began_ns = time.monotonic_ns()
        buffer = self._memory.gather(fetch.ranges)
        range_ns = (time.monotonic_ns() - began_ns) / (len(fetch.ranges) + _CALL_RANGES)
        usual_ns = self._range_ns or range_ns
        # It follows slowly upwards, so that a host that is slow for long is not refused for long.
        self._range_ns = usual_ns + (min(range_ns, 2 * usual_ns) - usual_ns) / _USUAL_OF
        if range_ns > _LONG * usual_ns:
            raise TornError
        return buffer

    def _walk_from(self, before: int, after: int, buffer: bytearray, fetch: Fetch) -> Walk:
        """
        Walk the first copies from the frame that was current before them, and if that is not certain, the second ones.

        A stack that grows meanwhile shows whole in the first copies, one that shrinks in the second.
        """
        first: Walk | None = None
        try:
            first = self._walker.walk(before, buffer, fetch.regions)
            if first.running and not first.moved:
                return first
        except (TornError, MissingError):
            if not after or before == after:
                raise
        try:
            second = self._walker.walk(after or before, buffer, fetch.later)
        except (TornError, MissingError):
            if first is None:
                raise
            return first
        return second if first is None or (second.running and not second.moved) else first

    def _current_frame(self, thread: ThreadState, buffer: bytearray, span: int, fetch: Fetch, *, again: bool) -> int:
        """Return the current frame as a copy of the thread state has it, 0 for none."""
        address = int(_WORD.unpack_from(buffer, span + self._current)[0])
        if self._cframe_current is None or not address:
            return address
        address += self._cframe_current
        for region in fetch.regions:
            if region.start <= address < region.end:
                thread.scattered[address] = thread.looks
                return int(_WORD.unpack_from(buffer, address + region.shift + (region.again if again else 0))[0])
        thread.remember(address)
        raise TornError

    def _lay_out(self, thread: ThreadState) -> Fetch:
        if not thread.chunks:
            self._learn_chunks(thread)
        thread.forget_old()
        span = [(thread.address + self._span_start, self._span_bytes)]
        scattered = merge(list(thread.scattered), self._walker.frame_bytes)
        thread.fetch = plan_fetch(
            span, thread.chunks, scattered, span, path=thread.path, frame_bytes=self._walker.frame_bytes
        )
        return thread.fetch

    def _follow_chunk(self, thread: ThreadState, buffer: bytearray, span: int) -> None:
        """Note where the data stack ends by now, for the next look."""
        chunk, top, limit = _CHUNK_HEADER.unpack_from(buffer, span + self._chunk)
        needed = _chunk_bytes(chunk, top, limit)
        for index, (address, fetched) in enumerate(thread.chunks):
            if address == chunk:
                if index == 0 and fetched >= needed:
                    return
                thread.chunks[: index + 1] = [(chunk, max(needed, fetched))]
                break
        else:
            thread.chunks.insert(0, (chunk, needed))
            del thread.chunks[CHUNKS_MAX:]
        thread.fetch = None

    def _learn_chunks(self, thread: ThreadState) -> None:
        """Read where the chunks of the data stack lie; raise `TornError` where that is just changing."""
        thread.chunks.clear()
        thread.fetch = None
        try:
            span = self._scratch.read(thread.address + self._span_start, self._span_bytes)
        except UnreadableError:
            raise ChangedError from None
        if _WORD.unpack_from(span, self._native_id)[0] != thread.native_id:
            raise ChangedError
        chunk, top, limit = _CHUNK_HEADER.unpack_from(span, self._chunk)
        size = _chunk_bytes(chunk, top, limit) if chunk else 0
        chunks: list[tuple[int, int]] = []
        try:
            while chunk and len(chunks) < CHUNKS_MAX:
                chunks.append((chunk, size))
                chunk = self._scratch.read_word(chunk)
                if chunk:
                    _, size, top = _CHUNK_HEADER.unpack(self._scratch.read(chunk, _CHUNK_HEADER.size))
                    size = min(size, _CHUNK_HEADER.size + 8 * top, CHUNK_BYTES_MAX)
        except UnreadableError:
            raise TornError from None
        thread.chunks = chunks

    def _learn(self, thread: ThreadState, address: int) -> None:
        """Follow the callers from a frame that was not fetched, one read each, to know what to fetch next time."""
        with contextlib.suppress(UnreadableError, TornError):
            for _ in range(_LEARN_STEPS_MAX):
                if not address or address in thread.scattered:
                    return
                caller, on_data_stack = self._walker.peek(self._scratch.read(address, self._walker.frame_bytes))
                if not any(start <= address < start + size for start, size in thread.chunks):
                    if on_data_stack:
                        self._learn_chunks(thread)
                        return
                    thread.remember(address)
                address = caller


def _chunk_bytes(chunk: int, top: int, limit: int) -> int:
    """Return how much of the newest chunk to read; raise `TornError` where top and chunk do not fit together."""
    used = top - chunk
    if not 0 <= used <= CHUNK_BYTES_MAX:
        raise TornError
    needed = (used + _SLACK_BYTES + PAGE_BYTES - 1) & -PAGE_BYTES
    # While a chunk is given back, which takes a while, the limit is still that of the old one.
    return min(limit - chunk, needed) if used <= limit - chunk <= CHUNK_BYTES_MAX else (used | PAGE_BYTES - 1) + 1


def _agreed(walk: Walk, other: Walk | None) -> Walk | None:
    """Return the first with as much of its root as both agree on, or None where there is no other."""
    if other is None:
        return None
    size, other_size = len(walk.codes), len(other.codes)
    common = 0
    while common < min(size, other_size):
        mine, others = size - 1 - common, other_size - 1 - common
        if walk.codes[mine] is not other.codes[others] or walk.addresses[mine] != other.addresses[others]:
            break
        common += 1
    return Walk(
        walk.codes,
        walk.instructions,
        walk.addresses,
        size - common,
        walk.running,
        walk.path,
        walk.scattered,
        walk.truncated,
    )


def _same(walk: Walk, other: Walk) -> bool:
    mine, others = (walk.addresses, walk.instructions), (other.addresses, other.instructions)
    return other.bracketed and mine == others and all(map(operator.is_, walk.codes, other.codes))


def _certain_frames(walk: Walk) -> int:
    return len(walk.codes) - walk.moved
