"""One thread that calls every attachment at its random times, several of them in one go."""

import heapq
import itertools
import threading
import time
from typing import Final, Protocol

from agent.reader.pace import Pace

# Who is due within this part of its mean interval is served in the same wake-up: waking costs as much as several looks.
# It is no more than the shortest interval, so that nobody is looked at twice in one go: a second look would begin when
# the first ends, and how long that takes depends on what it sees.
_TOGETHER: Final = 0.5
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


class Schedule:
    """Who is due when, by a clock that the caller reads. Not thread-safe."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._entries: dict[int, _Entry] = {}
        self._queue: list[tuple[float, int, _Entry]] = []
        self._numbers = itertools.count()

    def add(self, ticked: Ticked, now: float) -> None:
        """Give one its first time."""
        entry = self._entries[id(ticked)] = _Entry(ticked)
        self._push(now + ticked.pace.interval_s(), entry)

    def remove(self, ticked: Ticked) -> tuple[int, int]:
        """Take one out; return how often it was late, and how many calls were left out. Safe more than once."""
        entry = self._entries.pop(id(ticked), None)
        if entry is None:
            return 0, 0
        entry.removed = True
        return entry.late, entry.lost

    def wait_s(self, now: float) -> float | None:
        """
        Return how long there is nothing to do, at most; None where there is nobody.

        Whoever is added meanwhile is due in no less than the shortest interval.
        """
        while self._queue and self._queue[0][2].removed:
            heapq.heappop(self._queue)
        if not self._queue:
            return None
        due, _, entry = self._queue[0]
        return min(due - now, _SHORTEST / entry.ticked.pace.rate_hz)

    def take(self, now: float) -> list[Ticked]:
        """Return who is due, each once, and give them their next times; those that are over already are lost."""
        taken: list[_Entry] = []
        following: list[float] = []
        while self._queue:
            due, _, entry = self._queue[0]
            mean_s = 1 / entry.ticked.pace.rate_hz
            if not entry.removed and due > now + _TOGETHER * mean_s:
                break
            heapq.heappop(self._queue)
            if entry.removed:
                continue
            if now - due > _LATE_PART * mean_s:
                entry.late += 1
            after = due + entry.ticked.pace.interval_s()
            if after <= now:
                entry.lost += int((now - due) / mean_s)
                after = now + entry.ticked.pace.interval_s()
            taken.append(entry)
            following.append(after)
        for entry, after in zip(taken, following, strict=True):
            self._push(after, entry)
        return [entry.ticked for entry in taken]

    def _push(self, due: float, entry: _Entry) -> None:
        heapq.heappush(self._queue, (due, next(self._numbers), entry))


class Ticker:
    """Calls each of its attachments at its pace. Its thread runs while there are any."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._schedule = Schedule()
        self._thread: threading.Thread | None = None

    def add(self, ticked: Ticked) -> None:
        """Call it from now on."""
        with self._lock:
            self._schedule.add(ticked, time.monotonic())
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)
                self._thread.start()

    def remove(self, ticked: Ticked) -> tuple[int, int]:
        """Call it no more; return how often it was late, and how many calls were left out. Safe more than once."""
        with self._lock:
            return self._schedule.remove(ticked)

    def _run(self) -> None:
        while True:
            with self._lock:
                now = time.monotonic()
                wait_s = self._schedule.wait_s(now)
                if wait_s is None:
                    self._thread = None
                    return
                due = self._schedule.take(now) if wait_s <= 0 else []
            for ticked in due:
                ticked.tick()
            if not due:
                time.sleep(wait_s)  # costs a third of waiting on the condition
