"""Reads one thread's stack, again and again: knows what to fetch from the last time, and judges what came."""

import struct
from typing import Final

from agent.reader.remote.agreement import agreed, certain_frames, same
from agent.reader.remote.clock import ThreadClock
from agent.reader.remote.code import CodeTable
from agent.reader.remote.copier import Copier
from agent.reader.remote.fetch import Fetch
from agent.reader.remote.layout import Layout
from agent.reader.remote.learn import ChangedError, Learner, Reading, ThreadState
from agent.reader.remote.memory import Memory, UnreadableError
from agent.reader.remote.walk import MissingError, TornError, Walk, Walker

# Looks at one stack before its leaf part is given up.
ATTEMPTS_MAX: Final = 10
# A thread that calls or returns during less than one look in four is calm: it stays in a frame many times longer than
# the copies of one look lie apart. To look again until they were in the right order would take as long, and tell of
# the frame that came next. How many looks that share is of, about.
_CALM: Final = 1 / 4
# A thread that calls or returns during nearly all looks at generators that lie apart from the leaf can come back within
# one to where it was, and a new generator then lies where the last one lay: what is the same before and after proves
# little of them. As measured, coroutines at work have 0.55 to 0.66, generators that do nothing 0.75 to 0.97, and above
# 0.95 where such stacks were reported.
_FRANTIC: Final = 0.88
_UNREST_OF: Final = 64
# Where more looks than this miss a part of the stack, it is looked for before the copy that counts, so many times.
_OFTEN_MISSED: Final = 1 / 64
_FOUND_MAX: Final = 3
_WORD: Final = struct.Struct("<Q")


class _AsleepError(Exception):
    """The thread is not on a CPU."""


class StackReader:
    """Reads the stacks of the threads of one process. Not thread-safe."""

    def __init__(self, pid: int, layout: Layout, codes: CodeTable, *, depth_max: int) -> None:
        """
        Prepare.

        Args:
            pid: Of the process.
            layout: Of its structures.
            codes: Of the process; it reads through a `Memory` of its own, so that it does not disturb our buffers.
            depth_max: Python frames at most of one stack.
        """
        self._copier = Copier(pid)
        self._codes = codes
        self._walker = Walker(layout, codes, depth_max=depth_max)
        self._learner = Learner(Memory(pid), layout, self._walker)
        self._cframe_current = layout.cframe_current
        # What the memory fetched along with stacks last held, and whether it held anything else since.
        self._along_seen = b""
        self.has_changed = False

    @property
    def fetches(self) -> int:
        """How often anything was fetched."""
        return self._copier.count

    def fetch_along(self, ranges: list[tuple[int, int]], seen: bytes) -> bool:
        """
        Fetch other memory along with every stack from now on; `has_changed` says when it holds something else.

        Returns:
            Whether the ranges are others than before, so that every `ThreadState.fetch` has to be laid out anew.
        """
        self._along_seen, self.has_changed = seen, False
        if ranges == self._learner.along:
            return False
        self._learner.along = list(ranges)
        return True

    def read_innermost(self, states: tuple[ThreadState, ...], clock: ThreadClock | None = None) -> Reading | None:
        """Return the stack in the innermost interpreter that a thread runs; see `read`."""
        reading = None
        for state in states:
            reading = self.read(state, clock)
            if reading is None or reading.frames:
                break
        return reading

    def read(self, thread: ThreadState, clock: ThreadClock | None = None) -> Reading | None:
        """
        Return the stack of a thread, as it was at one instant.

        Args:
            thread: Which.
            clock: Asked next to the copy that counts whether the thread is on a CPU; where it is not, the look is over.
                None to read it wherever it is.

        Returns:
            The stack, or None where it was not on a CPU.

        Raises:
            ChangedError: The thread state is not that thread's any more.
            UnreadableError: Not even its root could be read.
            TargetNotFoundError: The process has ended.
        """
        certain: Walk | None = None
        last: Walk | None = None
        for attempt in range(ATTEMPTS_MAX):
            try:
                walk = self._try(thread, clock, is_first=attempt == 0)
            except _AsleepError:
                return None
            if walk is None:
                continue
            # What runs was certainly there. What does not run (it frees what a function left behind, say) must be so
            # in two looks: a thread that calls a lot can come back to the same frame within one look.
            if walk.moved == 0 and (walk.running or (walk.bracketed and last and same(walk, last))):
                fresh = [code for code in walk.codes if not code.trusted]
                if not fresh or self._codes.verify(fresh):
                    return self._reading(walk, unstable=False)
                continue
            sure = walk if walk.moved else agreed(walk, last)
            last = walk
            if sure and (certain is None or certain_frames(sure) > certain_frames(certain)):
                certain = sure
        if certain is None or not self._codes.verify([code for code in certain.codes if not code.trusted]):
            raise UnreadableError
        return self._reading(certain, unstable=True)

    def _try(self, thread: ThreadState, clock: ThreadClock | None, *, is_first: bool) -> Walk | None:
        """Look once; None where it gave nothing, and what to fetch was mended for the next time."""
        try:
            return self._look(thread, clock, is_first=is_first)
        except TornError:
            return None
        except MissingError as missing:
            self._copier.take_spare()  # it misses the same
            thread.count_missed(missed=True)
            self._learner.learn(thread, missing.address)
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

    def _look(self, thread: ThreadState, clock: ThreadClock | None, *, is_first: bool) -> Walk:
        """Fetch and walk once."""
        thread.looks += 1
        if is_first:
            fetch, buffer = self._copy_first(thread, clock)
        elif spare := self._copier.take_spare():
            fetch, buffer = spare
        else:
            fetch = thread.fetch or self._learner.lay_out(thread)
            buffer = self._copier.copy(fetch, twice=False)
        if _WORD.unpack_from(buffer, self._learner.native_id)[0] != thread.native_id:
            raise ChangedError
        along = fetch.tail + self._learner.span_bytes
        if buffer[along : along + len(self._along_seen)] != self._along_seen:
            self.has_changed = True
        self._learner.follow_chunk(thread, buffer, fetch.tail)
        before = self._current_frame(thread, buffer, 0, fetch, again=False)
        after = self._current_frame(thread, buffer, fetch.tail, fetch, again=True)
        if not before and not after:
            return Walk([], [], [], 0, running=True, path=[], scattered=[], truncated=False, bracketed=True)
        walk = self._walk_from(before or after, after, buffer, fetch, calm=thread.unrest < _CALM)
        for address in walk.scattered:
            thread.scattered[address] = thread.looks
        leaf = walk.addresses[0] if walk.addresses else before
        thread.path = walk.path
        thread.unrest += ((walk.moved > 0 or before != after) - thread.unrest) / _UNREST_OF
        if not (fetch.regions and fetch.regions[0].start <= leaf < fetch.regions[0].end):
            thread.fetch = None  # next time with the leaf's region in the middle
        walk.bracketed = before == after == leaf
        if walk.elsewhere:
            self._doubt_generators(thread, walk)
        return walk

    @staticmethod
    def _doubt_generators(thread: ThreadState, walk: Walk) -> None:
        """Take the generators that lie apart for changed where the thread is frantic."""
        if thread.unrest_apart > _FRANTIC:
            walk.moved = max(walk.moved, walk.elsewhere)
        thread.looks_apart = min(thread.looks_apart + 1, _UNREST_OF)
        thread.unrest_apart += ((not walk.bracketed) - thread.unrest_apart) / thread.looks_apart

    def _copy_first(self, thread: ThreadState, clock: ThreadClock | None) -> tuple[Fetch, bytearray]:
        """
        Copy for the caches, then twice in a row; raise `_AsleepError` where the thread is not on a CPU.

        Not looked at for long, its pages are far from our caches: the pieces of a first copy lie some ten times further
        apart than those of the next. Whether the thread runs is asked once, right before the copy that counts, and all
        that takes longer to find out afterwards: else the beginnings of all that it does between two sleeps, or the
        ends, would be left out.
        """
        fetch = thread.fetch or self._learner.lay_out(thread)
        buffer = self._copier.warm_up(fetch)
        if thread.missed > _OFTEN_MISSED:
            fetch = self._find_missing(thread, fetch, buffer)
        else:
            thread.count_missed(missed=False)
        if clock is not None and not clock.is_running():
            raise _AsleepError
        buffer = self._copier.copy(fetch, twice=True)
        if clock is not None and not clock.was_on_cpu():
            raise _AsleepError
        return fetch, buffer

    def _find_missing(self, thread: ThreadState, fetch: Fetch, buffer: bytearray) -> Fetch:
        """Walk what was copied for the caches, to fetch what lies elsewhere by now in the copy that counts."""
        for found in range(_FOUND_MAX):
            try:
                current = self._current_frame(thread, buffer, 0, fetch, again=False)
                self._walker.walk(current, buffer, fetch.regions)
            except MissingError as missing:
                thread.count_missed(missed=True)
                self._learner.learn(thread, missing.address)
            except TornError:
                break
            else:
                thread.count_missed(missed=bool(found))
                break
            fetch = thread.fetch or self._learner.lay_out(thread)
            buffer = self._copier.warm_up(fetch)
        return fetch

    def _walk_from(self, before: int, after: int, buffer: bytearray, fetch: Fetch, *, calm: bool) -> Walk:
        """
        Walk the first copies from the frame that was current before them, and if that is not certain, the second ones.

        A stack that grows meanwhile shows whole in the first copies, one that shrinks in the second.
        """
        first: Walk | None = None
        try:
            first = self._walker.walk(before, buffer, fetch.regions, calm=calm)
            if first.running and not first.moved:
                return first
        except (TornError, MissingError):
            if not after or before == after:
                raise
        try:
            second = self._walker.walk(after or before, buffer, fetch.later, calm=calm)
        except (TornError, MissingError):
            if first is None:
                raise
            return first
        return second if first is None or (second.running and not second.moved) else first

    def _current_frame(self, thread: ThreadState, buffer: bytearray, span: int, fetch: Fetch, *, again: bool) -> int:
        """Return the current frame as a copy of the thread state has it, 0 for none."""
        address = int(_WORD.unpack_from(buffer, span + self._learner.current)[0])
        if self._cframe_current is None or not address:
            return address
        address += self._cframe_current
        for region in fetch.regions:
            if region.start <= address < region.end:
                thread.scattered[address] = thread.looks
                return int(_WORD.unpack_from(buffer, address + region.shift + (region.again if again else 0))[0])
        thread.remember(address)
        raise TornError
