"""Which Python processes are on this host: found in /proc, told apart by (pid, start time), never by pid alone."""

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from agent.identity import Description, is_python
from agent.matching import TargetRules
from agent.procfs import (
    STAT_BYTES_MAX,
    TICKS_PER_S,
    ProcessStat,
    list_pids,
    parse_stat,
    read_executable,
    read_stat,
)
from agent.reader.engine import Target
from agent.settings import TargetSettings

# A process that is not Python may still become one by exec: looked at on each scan while young, rarely afterwards.
_SETTLED_AGE_S = 30.0
_RECHECK_S = 10.0


class State(StrEnum):
    """What the scanner makes of a process."""

    WATCHED = "watched"
    YOUNG = "young"
    DENIED = "denied"
    OVER_LIMIT = "over_limit"
    OTHER = "other"


@dataclass(eq=False, slots=True)
class PythonProcess:
    """
    A watched process, with its stat file kept open: a descriptor of a process that ended never shows its successor.

    Attributes:
        target: Pid and start time.
        attributes: Resource attributes of its profiles.
        stat: As of the last scan.
        descriptor: Of ``/proc/PID/stat``.
    """

    target: Target
    attributes: Mapping[str, str | int]
    stat: ProcessStat
    descriptor: int

    def refresh(self) -> bool:
        """Read the clock again; False where the process has ended, though it may show its last clock until reaped."""
        stat = _read_kept(self.descriptor)
        if stat is None:
            return False
        if stat.state in "ZX":
            self.stat = replace(stat, image=self.stat.image)
            return False
        self.stat = stat
        return True

    def close(self) -> None:
        """Give the descriptor back; safe more than once."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


@dataclass(slots=True)
class _Entry:
    """What is remembered of a pid, as long as start time and image stay the same."""

    start_ticks: int
    image: tuple[str, str, str]
    state: State
    check_at: float = 0.0
    process: PythonProcess | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """
    What one look at /proc found.

    Attributes:
        processes: Those watched, by target; an exec gives the same target a new `PythonProcess`.
        states: Python processes by what is done with them.
        ignored: Processes beyond ``processes_max``.
    """

    processes: dict[Target, PythonProcess]
    states: Counter[State] = field(default_factory=Counter)
    ignored: int = 0


class Scanner:
    """Finds the processes to watch. Not thread-safe: one thread scans."""

    def __init__(
        self,
        settings: TargetSettings,
        describe: Callable[[ProcessStat], Description],
        *,
        own_pid: int | None = None,
        clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        """
        Look at nothing yet.

        Args:
            settings: Rules and limits.
            describe: Gives a process its identity.
            own_pid: The agent, which is never a target, nor are its children.
            clock: Seconds since boot.
        """
        self._settings = settings
        self._rules = TargetRules(settings)
        self._describe = describe
        self._own_pid = os.getpid() if own_pid is None else own_pid
        self._clock = clock
        self._known: dict[int, _Entry] = {}
        self._watched = 0

    def scan(self) -> Scan:
        """Look at every process once, cheaply: only new ones, and those that changed their image, are classified."""
        pids = list_pids()
        looked_at = pids[: self._settings.processes_max]
        for pid in self._known.keys() - set(looked_at):
            self._forget(pid)
        now = self._clock()
        for pid in looked_at:
            self._look(pid, now)
        entries = self._known.values()
        return Scan(
            processes={entry.process.target: entry.process for entry in entries if entry.process},
            states=Counter(entry.state for entry in entries if entry.state is not State.OTHER),
            ignored=len(pids) - len(looked_at),
        )

    def close(self) -> None:
        """Forget everything and close every descriptor."""
        for pid in list(self._known):
            self._forget(pid)

    def _look(self, pid: int, now: float) -> None:
        entry = self._known.get(pid)
        if entry and entry.process:
            if entry.process.refresh() and entry.process.stat.image == entry.image:
                return
        elif entry and now < entry.check_at:
            return
        stat = read_stat(pid)
        if stat is None or stat.state in "ZX":
            self._forget(pid)
            return
        same = entry is not None and (entry.start_ticks, entry.image) == (stat.start_ticks, stat.image)
        if not same or (entry and entry.state in (State.YOUNG, State.OVER_LIMIT)):
            self._forget(pid)
            entry = self._known[pid] = self._classify(stat, now)
            self._watched += entry.process is not None
        if entry and entry.process is None:
            settled = now - stat.start_ticks / TICKS_PER_S > _SETTLED_AGE_S
            entry.check_at = now + _RECHECK_S if settled else now

    def _classify(self, stat: ProcessStat, now: float) -> _Entry:
        def entry(state: State) -> _Entry:
            return _Entry(stat.start_ticks, stat.image, state)

        if self._own_pid in (stat.pid, stat.parent_pid) or not is_python(stat, read_executable(stat.pid)):
            return entry(State.OTHER)
        if now - stat.start_ticks / TICKS_PER_S < self._settings.young_s:
            return entry(State.YOUNG)
        description = self._describe(stat)
        if not self._rules.permits(description.facts):
            return entry(State.DENIED)
        if self._watched >= self._settings.targets_max:
            return entry(State.OVER_LIMIT)
        process = _open_process(stat, description)
        watched = entry(State.WATCHED if process else State.OTHER)
        watched.process = process
        return watched

    def _forget(self, pid: int) -> None:
        entry = self._known.pop(pid, None)
        if entry and entry.process:
            self._watched -= 1
            entry.process.close()


def _open_process(stat: ProcessStat, description: Description) -> PythonProcess | None:
    """Keep the stat file of a process open, unless another process has taken its pid since it was described."""
    try:
        descriptor = os.open(f"/proc/{stat.pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    process = PythonProcess(
        target=Target(stat.pid, stat.start_ticks),
        attributes=description.attributes,
        stat=stat,
        descriptor=descriptor,
    )
    if process.refresh() and (process.stat.start_ticks, process.stat.image) == (stat.start_ticks, stat.image):
        return process
    process.close()
    return None


def _read_kept(descriptor: int) -> ProcessStat | None:
    try:
        return parse_stat(os.pread(descriptor, STAT_BYTES_MAX, 0))
    except (OSError, ValueError):
        return None
