"""From the addresses of a call chain to a stack."""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Final

from agent.procfs import read_stat
from agent.reader.perf.event import STACK_MAX
from agent.reader.perf.kernel import KernelSymbols
from agent.reader.perf.process import ProcessView
from agent.reader.perf.record import Sighting, split_chain
from agent.reader.perf.symbols import SymbolFiles
from agent.reader.perf.tally import Seen
from pyrometer.values import TRUNCATED, Frame, FrameType

PROCESSES_MAX: Final = 512
# Addresses whose names are remembered, over all processes, at some 150 bytes each.
ADDRESSES_MAX: Final = 32_768
# The same of mappings.
MAPPINGS_KEPT_MAX: Final = 65_536
# Reading the mappings of a process takes up to a millisecond: only for those that are seen more than once, and not for
# too many at a time.
SIGHTINGS_MIN: Final = 2
SIGHTINGS_PROCESSES_MAX: Final = 4096
NEW_PER_TURN_MAX: Final = 32
# The code of a process that was seen for the first time, has ended, or may not be looked at.
UNRESOLVED: Final = Frame("[unresolved]", "", 0, FrameType.NATIVE)


class Namer:
    """Names call chains. Not thread-safe: the reader of the events owns it, and ends a turn after each ring is read."""

    def __init__(self) -> None:
        """Read the kernel's table; those of programs come as they are seen."""
        self._kernel = KernelSymbols()
        self._files = SymbolFiles()
        self._views: OrderedDict[int, ProcessView] = OrderedDict()
        self._looked_at: dict[int, ProcessView | None] = {}
        self._sightings: Counter[int] = Counter()
        self._new = 0

    def name(self, sighting: Sighting) -> Seen:
        """Return a sighting with its stack, root first: the program's part, then the kernel's."""
        kernel, user = split_chain(sighting.chain)
        frames: list[Frame] = []
        if user:
            frames = self._name_user(sighting.pid, user) or [UNRESOLVED]
        frames += self._name_kernel(kernel)
        cut = len(kernel) + len(user) >= STACK_MAX
        stack = (TRUNCATED, *frames) if cut else tuple(frames or (UNRESOLVED,))
        return Seen(pid=sighting.pid, thread_id=sighting.thread_id, time_ns=sighting.time_ns, stack=stack, cut=cut)

    def end_turn(self) -> None:
        """Let go of files, and forget what is too much."""
        self._files.end_turn()
        self._looked_at.clear()
        self._new = 0
        if sum(len(view.frames) for view in self._views.values()) > ADDRESSES_MAX:
            for view in self._views.values():
                view.frames.clear()
        kept = sum(view.mappings for view in self._views.values())
        while kept > MAPPINGS_KEPT_MAX:
            kept -= self._views.popitem(last=False)[1].mappings

    def _name_kernel(self, addresses: Sequence[int]) -> list[Frame]:
        """Return the frames of the kernel, root first: one for all where its functions are hidden."""
        leaf_first = [
            self._kernel.frame(address if index == 0 else address - 1) for index, address in enumerate(addresses)
        ]
        return leaf_first[:1] if self._kernel.is_hidden else leaf_first[::-1]

    def _name_user(self, pid: int, addresses: Sequence[int]) -> list[Frame]:
        """
        Return the frames of a program, root first.

        Callers are found by the frame pointer. Code that was built without gives an address that is none: what lies
        beyond the first address outside of all code is left out.
        """
        view = self._view(pid) if pid else None
        frames: list[Frame] = []
        if view is None:
            return frames
        for index, address in enumerate(addresses):
            # A call may be the last instruction of a function: its return address belongs to the next one.
            frame = view.frame(self._files, address if index == 0 else address - 1)
            if frame is None:
                break
            frames.append(frame)
        frames.reverse()
        return frames

    def _view(self, pid: int) -> ProcessView | None:
        """Return what is known of a process, made sure of once a turn."""
        if pid in self._looked_at:
            return self._looked_at[pid]
        view = self._views.get(pid)
        if view is None and not self._matters(pid):
            return None
        stat = read_stat(pid)
        # One that has ended is what it was: its last samples are still to be named.
        if stat is not None and not (view and view.is_same(stat)):
            view = None
            if self._new < NEW_PER_TURN_MAX:
                self._new += 1
                view = self._views[pid] = ProcessView(stat)
        if view is not None:
            self._views.move_to_end(pid)
            while len(self._views) > PROCESSES_MAX:
                self._views.popitem(last=False)
        self._looked_at[pid] = view
        return view

    def _matters(self, pid: int) -> bool:
        self._sightings[pid] += 1
        if len(self._sightings) > SIGHTINGS_PROCESSES_MAX:
            self._sightings.clear()
        return self._sightings[pid] >= SIGHTINGS_MIN
