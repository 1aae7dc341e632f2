"""How much memory all requests may take together: claimed before it is used, refused where there is none."""

import threading
from types import TracebackType
from typing import Self

from collector.receive.refusal import come_again


class Memory:
    """
    Counts the bytes that requests hold. Safe to use from many threads.

    Args:
        bytes_max: Of all requests together.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self._held = 0
        self._lock = threading.Lock()

    def held(self) -> int:
        """Return how many bytes are held now."""
        return self._held

    def claim(self, count: int = 0) -> "Claim":
        """Return a claim of so many bytes, given back with its block; raises RefusedError where they are gone."""
        claim = Claim(self)
        claim.resize(count)
        return claim

    def move(self, before: int, after: int) -> None:
        """Change one claim's share, or refuse the request that needs more."""
        with self._lock:
            if after > before and self._held + after - before > self.bytes_max:
                raise come_again("busy", f"more than {self.bytes_max} bytes of requests are in memory")
            self._held += after - before


class Claim:
    """The bytes that one request holds; never more than all, so that one alone always finds room."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._count = 0

    def resize(self, count: int) -> None:
        """Hold so many bytes from now on."""
        count = min(count, self._memory.bytes_max)
        self._memory.move(self._count, count)
        self._count = count

    def grow_to(self, count: int) -> None:
        """Hold at least so many."""
        if count > self._count:
            self.resize(count)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.resize(0)
