"""What is remembered of a thread's stack from one look to the next, and finding out where its pieces lie."""

import contextlib
import struct
from dataclasses import dataclass, field
from typing import Final

from agent.reader.remote.fetch import GAP_BYTES, Fetch, merge, plan_fetch
from agent.reader.remote.layout import Layout
from agent.reader.remote.memory import PAGE_BYTES, Memory, UnreadableError
from agent.reader.remote.walk import TornError, Walker

CHUNKS_MAX: Final = 64
CHUNK_BYTES_MAX: Final = 1 << 18
# Scattered frames remembered of one thread, and looks after which one that was not seen again is forgotten.
SCATTERED_MAX: Final = 256
_SEEN_LOOKS: Final = 16
_LEARN_STEPS_MAX: Final = 256
_MISSED_OF: Final = 64
_CHUNK_HEADER: Final = struct.Struct("<3Q")
_WORD: Final = struct.Struct("<Q")
# A frame and its locals beyond the top of the stack as it was.
_SLACK_BYTES: Final = 1024


class ChangedError(Exception):
    """The thread state is no longer what it was: another thread's, or freed."""


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
        unrest: Share of the last looks during which the thread called or returned, about.
        looks_apart: How many looks saw generators that lie apart from the leaf, up to a limit, and some more for what
            is presumed before the first.
        unrest_apart: Share of those during which it called or returned, about.
        missed: Share of the looks at which a part of the stack lay where nothing was fetched, about.
        reading: The last one, where it is kept.
    """

    address: int
    native_id: int
    chunks: list[tuple[int, int]] = field(default_factory=list)
    scattered: dict[int, int] = field(default_factory=dict)
    looks: int = 0
    path: list[int] = field(default_factory=list)
    fetch: Fetch | None = None
    unrest: float = 0.5
    looks_apart: int = 8
    unrest_apart: float = 0.75
    missed: float = 0.0
    reading: Reading | None = None

    def count_missed(self, *, missed: bool) -> None:
        """Note whether a look missed a part of the stack."""
        self.missed += (missed - self.missed) / _MISSED_OF

    def remember(self, address: int) -> None:
        """Fetch this address from now on, too."""
        if address not in self.scattered:
            self.fetch = None
        self.scattered[address] = self.looks

    def forget_old(self) -> None:
        """
        Drop scattered addresses that were not seen for a while, the oldest first where there are too many.

        One that lies near another that was seen stays: it costs no range of its own, and comes again. Where C enters
        Python, for one, depends on what called what on the way there.
        """
        oldest = self.looks - _SEEN_LOOKS
        kept: list[tuple[int, int]] = []
        cluster: list[tuple[int, int]] = []
        for item in sorted(self.scattered.items()):
            if cluster and item[0] - cluster[-1][0] > GAP_BYTES:
                kept += cluster if any(seen >= oldest for _, seen in cluster) else []
                cluster = []
            cluster.append(item)
        kept += cluster if any(seen >= oldest for _, seen in cluster) else []
        if len(kept) > SCATTERED_MAX:
            kept = sorted(kept, key=lambda item: item[1])[-SCATTERED_MAX:]
        self.scattered = dict(kept)


class Learner:
    """Knows where the pieces of a thread's stack lie, from what it sees pass by and by reads of its own."""

    def __init__(self, memory: Memory, layout: Layout, walker: Walker) -> None:
        """
        Prepare.

        Args:
            memory: Of the process, for our use alone.
            layout: Of its structures.
            walker: Of the process.
        """
        self._scratch = memory
        self._walker = walker
        # The part of a thread state that holds all that is looked at; top and limit of the chunk follow its address.
        fields = (layout.thread_current, layout.thread_native_id, layout.thread_chunk)
        self._span_start, self.span_bytes = min(fields), max(fields) + 24 - min(fields)
        # Where in a copy of that part the current frame (or its cframe) and the thread's id are.
        self.current = layout.thread_current - self._span_start
        self.native_id = layout.thread_native_id - self._span_start
        self._chunk = layout.thread_chunk - self._span_start
        # Fetched along with every stack, at the very end.
        self.along: list[tuple[int, int]] = []

    def lay_out(self, thread: ThreadState) -> Fetch:
        """Return what to fetch of a thread; raise as `learn_chunks` where its chunks are not known."""
        if not thread.chunks:
            self.learn_chunks(thread)
        thread.forget_old()
        span = [(thread.address + self._span_start, self.span_bytes)]
        scattered = merge(list(thread.scattered), self._walker.frame_bytes)
        thread.fetch = plan_fetch(
            span, thread.chunks, scattered, [*span, *self.along], path=thread.path, frame_bytes=self._walker.frame_bytes
        )
        return thread.fetch

    def follow_chunk(self, thread: ThreadState, buffer: bytearray, span: int) -> None:
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

    def learn_chunks(self, thread: ThreadState) -> None:
        """Read where the chunks of the data stack lie; raise `TornError` where that is just changing."""
        thread.chunks.clear()
        thread.fetch = None
        try:
            span = self._scratch.read(thread.address + self._span_start, self.span_bytes)
        except UnreadableError:
            raise ChangedError from None
        if _WORD.unpack_from(span, self.native_id)[0] != thread.native_id:
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

    def learn(self, thread: ThreadState, address: int) -> None:
        """Follow the callers from a frame that was not fetched, one read each, to know what to fetch next time."""
        with contextlib.suppress(UnreadableError, TornError):
            for _ in range(_LEARN_STEPS_MAX):
                if not address or address in thread.scattered:
                    return
                caller, on_data_stack = self._walker.peek(self._scratch.read(address, self._walker.frame_bytes))
                if not any(start <= address < start + size for start, size in thread.chunks):
                    if on_data_stack:
                        self.learn_chunks(thread)
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
