"""
Which Python processes are on this host: found in /proc, told apart by (pid, start time), never by pid alone.

A scan lists /proc; the inode of a process's folder says whether it is still the same one, and nothing of it is read.
What a new process is, is found out once it has lived for a while, cheapest evidence first, within a budget of CPU
time; what does not fit comes first in the next scan.
"""

import math
import os
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from agent.evidence import is_python_by_maps, is_python_by_name
from agent.identity import Description
from agent.matching import TargetRules
from agent.procfs import TICKS_PER_S, ProcessStat, list_processes, read_executable, read_stat
from agent.python_process import PythonProcess, open_process
from agent.reader.engine import Target
from agent.settings import TargetSettings

_S_PER_MS = 1e-3
# A process that is not Python may still become one by exec: looked at again when a quarter older, and each minute.
_RECHECK_S_MIN = 1.0
_RECHECK_S_MAX = 60.0
# A program may load libpython late: its maps are read once more at this age, and then no more.
_SEARCH_AGAIN_S = 60.0
# Programs seen without libpython: young processes of theirs are searched at that age only.
_CLEAN_MAX = 4096


class State(StrEnum):
    """What the scanner makes of a process."""

    WATCHED = "watched"
    STOPPED = "stopped"
    YOUNG = "young"
    PENDING = "pending"
    DENIED = "denied"
    OVER_LIMIT = "over_limit"
    DEAD = "dead"
    OTHER = "other"


@dataclass(eq=False, slots=True)
class _Entry:
    """What is remembered of a pid, as long as inode, start time and image stay the same; times are since boot."""

    pid: int
    inode: int
    check_at: float
    state: State = State.YOUNG
    start_ticks: int = -1
    image: tuple[str, str, str] = ("", "", "")
    must_search: bool = False
    searched_age_s: float = math.inf
    process: PythonProcess | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """
    What one look at /proc found.

    Attributes:
        processes: Those watched, by target; an exec gives the same target a new `PythonProcess`.
        states: Processes by what is done with them, those of no interest left out.
        ignored: Processes beyond ``processes_max``.
        short_lived: Processes that ended since the last scan, before it was known what they were.
    """

    processes: dict[Target, PythonProcess]
    states: Counter[State] = field(default_factory=Counter)
    ignored: int = 0
    short_lived: int = 0


class Scanner:
    """Finds the processes to watch. Not thread-safe: one thread scans."""

    def __init__(
        self,
        settings: TargetSettings,
        describe: Callable[[ProcessStat], Description],
        *,
        own_pid: int | None = None,
        clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        work_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        """
        Look at nothing yet.

        Args:
            settings: Rules and limits.
            describe: Gives a process its identity.
            own_pid: The agent, which is never a target, nor are its children.
            clock: Seconds since boot.
            work_clock: Seconds of CPU time that this thread has used.
        """
        self._settings = settings
        self._rules = TargetRules(settings)
        self._describe = describe
        self._own_pid = os.getpid() if own_pid is None else own_pid
        self._clock = clock
        self._work_clock = work_clock
        self._known: dict[int, _Entry] = {}
        self._clean: OrderedDict[str, None] = OrderedDict()
        self._watched = 0
        self._has_scanned = False

    def scan(self) -> Scan:
        """Look at every process once, cheaply: only new ones, and those that changed their image, are classified."""
        listed = list_processes()
        looked_at = listed[: self._settings.processes_max]
        now = self._clock()
        short_lived = self._forget_gone(looked_at)
        self._classify(self._follow(looked_at, now), now)
        self._has_scanned = True
        states = Counter(entry.state for entry in self._known.values())
        del states[State.OTHER]
        processes = {entry.process.target: entry.process for entry in self._known.values() if entry.process}
        states[State.STOPPED] = sum(process.is_stopped for process in processes.values())
        states[State.WATCHED] -= states[State.STOPPED]
        return Scan(processes, states, len(listed) - len(looked_at), short_lived)

    def close(self) -> None:
        """Forget everything and close every descriptor."""
        for entry in self._known.values():
            self._release(entry)
        self._known.clear()

    def _forget_gone(self, listed: Sequence[tuple[int, int]]) -> int:
        """Forget processes that have ended; return how many of them nobody had looked at."""
        short_lived = 0
        inodes = dict(listed)
        for pid in [pid for pid, entry in self._known.items() if inodes.get(pid) != entry.inode]:
            entry = self._known.pop(pid)
            self._release(entry)
            short_lived += entry.state in (State.YOUNG, State.PENDING)
        return short_lived

    def _follow(self, listed: Sequence[tuple[int, int]], now: float) -> list[_Entry]:
        """Read the clocks of those watched; return the processes it is time to look at, longest overdue first."""
        # In the first scan any process may be old. Later a new one is young, and nothing is read to know it.
        first_look_at = now + self._settings.young_s if self._has_scanned else now
        room = self._settings.targets_max - self._watched
        due = []
        for pid, inode in listed:
            entry = self._known.get(pid)
            if entry is None:
                entry = self._known[pid] = _Entry(pid, inode, first_look_at)
            elif entry.process is not None:
                if entry.process.refresh() and entry.process.stat.image == entry.image:
                    continue
                self._release(entry)
                entry.state, entry.check_at = State.YOUNG, now
            elif entry.state is State.OVER_LIMIT and room > 0:
                room -= 1
                entry.check_at = now
            if entry.check_at <= now:
                due.append(entry)
        due.sort(key=lambda entry: (entry.must_search, entry.check_at))
        return due

    def _classify(self, due: Sequence[_Entry], now: float) -> None:
        """Look at processes until the budget is spent, at one at least; those whose maps must be read come last."""
        deadline = self._work_clock() + self._settings.classify_ms_max * _S_PER_MS
        waiting = deque(due)
        while waiting:
            entry = waiting.popleft()
            if entry.must_search:
                self._search(entry, now)
            else:
                self._look(entry, now)
                if entry.must_search:
                    waiting.append(entry)
            if self._work_clock() >= deadline:
                break
        for entry in waiting:
            entry.check_at = min(entry.check_at, now)
            if entry.state is State.YOUNG:
                entry.state = State.PENDING

    def _look(self, entry: _Entry, now: float) -> None:
        """Find out what a process is from its stat line and its program's name, or leave it for `_search`."""
        stat = read_stat(entry.pid)
        if stat is None:  # gone, or hidden from us
            entry.check_at = now + _RECHECK_S_MIN
            return
        age_s = now - stat.start_ticks / TICKS_PER_S
        entry.check_at = now + _recheck_s(entry.pid, age_s)
        is_same = (entry.start_ticks, entry.image) == (stat.start_ticks, stat.image)
        entry.start_ticks, entry.image = stat.start_ticks, stat.image
        if stat.state in "ZX":
            entry.state, entry.check_at = State.DEAD, now + _RECHECK_S_MAX
        elif stat.is_kernel or self._own_pid in (stat.pid, stat.parent_pid):
            entry.state, entry.check_at = State.OTHER, math.inf if stat.is_kernel else entry.check_at
        elif age_s < self._settings.young_s:
            entry.state, entry.check_at = State.YOUNG, now + self._settings.young_s - age_s
        elif is_same and entry.state is State.OTHER:
            entry.must_search = entry.searched_age_s < _SEARCH_AGAIN_S <= age_s
        elif not is_same or entry.state is not State.DENIED:
            self._look_at_program(entry, stat, age_s)

    def _look_at_program(self, entry: _Entry, stat: ProcessStat, age_s: float) -> None:
        executable = read_executable(stat.pid)
        if is_python_by_name(stat, executable):
            self._identify(entry, stat)
        elif not executable or (executable in self._clean and age_s < _SEARCH_AGAIN_S):
            entry.state, entry.searched_age_s = State.OTHER, age_s
        else:
            entry.must_search = True

    def _search(self, entry: _Entry, now: float) -> None:
        """Find out whether a process has libpython inside."""
        entry.must_search = False
        entry.searched_age_s = now - entry.start_ticks / TICKS_PER_S
        if is_python_by_maps(entry.pid) and (stat := read_stat(entry.pid)):
            self._identify(entry, stat)
            return
        entry.state = State.OTHER
        self._clean[read_executable(entry.pid)] = None
        while len(self._clean) > _CLEAN_MAX:
            self._clean.popitem(last=False)

    def _identify(self, entry: _Entry, stat: ProcessStat) -> None:
        """Give a Python process its identity, and watch it where rules and limits let it be watched."""
        description = self._describe(stat)
        if not self._rules.permits(description.facts):
            entry.state = State.DENIED
        elif self._watched >= self._settings.targets_max:
            entry.state, entry.check_at = State.OVER_LIMIT, math.inf
        else:
            entry.process = open_process(stat, description.attributes)
            entry.state = State.WATCHED if entry.process else State.YOUNG
            entry.start_ticks, entry.image = stat.start_ticks, stat.image
            self._watched += entry.process is not None

    def _release(self, entry: _Entry) -> None:
        if entry.process is not None:
            entry.process.close()
            entry.process = None
            self._watched -= 1


def _recheck_s(pid: int, age_s: float) -> float:
    """Return when to look again at what is not watched; processes of the same age get different times."""
    spread = 0.75 + pid % 64 / 128
    return min(_RECHECK_S_MAX, max(_RECHECK_S_MIN, age_s / 4)) * spread
