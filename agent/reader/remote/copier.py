"""Copies of one thread's stack, two in a row: where the first shows no stack, the next is only microseconds late."""

import time
from typing import Final

from agent.reader.remote.fetch import Fetch
from agent.reader.remote.memory import Memory, UnreadableError
from agent.reader.remote.walk import TornError

# A copy that takes this many times as long as usual was interrupted. The call itself takes as long as so many ranges,
# and the usual is that of about so many calls.
_LONG: Final = 2.5
_CALL_RANGES: Final = 8
_USUAL_OF: Final = 32


class Copier:
    """Copies what is fetched of a process. Not thread-safe."""

    def __init__(self, pid: int) -> None:
        """Prepare for a process; nothing is read yet."""
        self._memory, self._spare = Memory(pid), Memory(pid)
        self._spare_of: Fetch | None = None
        # The usual time to copy a range, in nanoseconds; 0 before the first.
        self._range_ns = 0.0
        # How often anything was copied.
        self.count = 0

    def warm_up(self, fetch: Fetch) -> bytearray:
        """Copy for the caches, and to see where the stack lies; not timed."""
        self.count += 1
        return self._memory.gather(fetch.ranges)

    def copy(self, fetch: Fetch, *, twice: bool) -> bytearray:
        """
        Copy, and at once again for `take_spare` where *twice*.

        Returns:
            The buffer, until the next copy.

        Raises:
            TornError: It took much longer than usual: we lost the CPU, or had to wait for a lock, half-way, and the
                pieces are of times that lie far apart.
            UnreadableError: As `Memory.gather`, and the other errors there.
        """
        self._spare_of = None
        buffer = self._timed(self._memory, fetch)
        if twice:
            try:
                self._timed(self._spare, fetch)
            except (TornError, UnreadableError):
                return buffer
            self._spare_of = fetch
        return buffer

    def take_spare(self) -> tuple[Fetch, bytearray] | None:
        """Return the second copy and what it is of, once; None where there is none."""
        fetch, self._spare_of = self._spare_of, None
        return None if fetch is None else (fetch, self._spare.buffer)

    def _timed(self, memory: Memory, fetch: Fetch) -> bytearray:
        self.count += 1
        began_ns = time.monotonic_ns()
        buffer = memory.gather(fetch.ranges)
        range_ns = (time.monotonic_ns() - began_ns) / (len(fetch.ranges) + _CALL_RANGES)
        usual_ns = self._range_ns or range_ns
        # It follows slowly upwards, so that a host that is slow for long is not refused for long.
        self._range_ns = usual_ns + (min(range_ns, 2 * usual_ns) - usual_ns) / _USUAL_OF
        if range_ns > _LONG * usual_ns:
            raise TornError
        return buffer
