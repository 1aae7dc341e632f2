"""One thread that calls every attachment at its random times, several of them in one go."""

import heapq
import itertools
import threading
import time
from typing import Final, Protocol

from agent.reader.pace import Pace

# Who is due within this time is served in the same wake-up: waking costs as much as a look.
_TOGETHER_S: Final = 0.004
# A look that comes later than this part of the interval is counted as late.
_LATE_PART: Final = 0.5
# Part of the mean interval that the shortest has; see `Pace.interval_s`.
_SHORTEST: Final = 0.5


class Ticked(Protocol):
    """What is called."""

    pace: Pace

    def tick(self) -> None:
        """Look; it never raises."""


class _Entry:
    """One who is called, and how well that goes."""

    def __init__(self, ticked: Ticked) -> None:
        self.ticked = ticked
        self.late = self.lost = 0
        self.removed = False


class Ticker:
    """Calls each of its attachments at its pace. Its thread runs while there are any."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._entries: dict[int, _Entry] = {}
        self._queue: list[tuple[float, int, _Entry]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def add(self, ticked: Ticked) -> None:
        """Call it from now on."""
        with self._lock:
            entry = self._entries[id(ticked)] = _Entry(ticked)
            due = time.monotonic() + ticked.pace.interval_s()
            heapq.heappush(self._queue, (due, next(self._numbers), entry))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)
                self._thread.start()

    def remove(self, ticked: Ticked) -> tuple[int, int]:
        """Call it no more; return how often it was late, and how many calls were left out. Safe more than once."""
        with self._lock:
            entry = self._entries.pop(id(ticked), None)
            if entry is None:
                return 0, 0
            entry.removed = True
            return entry.late, entry.lost

    def _run(self) -> None:
        while True:
            with self._lock:
                while self._queue and self._queue[0][2].removed:
                    heapq.heappop(self._queue)
                if not self._queue:
                    self._thread = None
                    return
                wait_s = self._queue[0][0] - time.monotonic()
                entries = self._take_due(time.monotonic()) if wait_s <= 0 else []
                # Whoever is added meanwhile is due in no less than the shortest interval.
                wait_s = min(wait_s, _SHORTEST / self._queue[0][2].ticked.pace.rate_hz) if self._queue else 0.0
            for entry in entries:
                entry.ticked.tick()
            if not entries:
                time.sleep(wait_s)  # costs a third of waiting on the condition

    def _take_due(self, now: float) -> list[_Entry]:
        """Take who is due, and put each back for its next time; times that are over already are lost."""
        taken: list[_Entry] = []
        while self._queue and self._queue[0][0] <= now + _TOGETHER_S:
            due, _, entry = heapq.heappop(self._queue)
            if entry.removed:
                continue
            mean_s = 1 / entry.ticked.pace.rate_hz
            if now - due > _LATE_PART * mean_s:
                entry.late += 1
            following = due + entry.ticked.pace.interval_s()
            if following <= now:
                entry.lost += int((now - due) / mean_s)
                following = now + entry.ticked.pace.interval_s()
            heapq.heappush(self._queue, (following, next(self._numbers), entry))
            taken.append(entry)
        return taken
