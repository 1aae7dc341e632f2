"""Which processes are watched at the moment, and from where each one's CPU time is accounted."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping

from agent.accounting import Account, Moment
from agent.host.ledger import HostLedger
from agent.procfs import TICK_NS, read_thread_clocks
from agent.python_process import PythonProcess
from agent.reader.engine import Target
from agent.selfmetrics import SelfMetrics
from agent.session import THREADS_READ_MAX, Session
from agent.targets import Scan, Scanner, State
from pyrometer import semconv
from pyrometer.units import NS_PER_S

_LEFT_MAX = 4096


class Watchlist:
    """The sessions of the sampling loop. One thread scans; the properties may be read from any."""

    def __init__(
        self,
        scanner: Scanner,
        metrics: SelfMetrics,
        *,
        carry_s_max: float,
        ledger: HostLedger | None = None,
        left: Mapping[Target, int] | None = None,
    ) -> None:
        """
        Watch nobody yet.

        Args:
            scanner: Finds the processes.
            metrics: Where they are counted.
            carry_s_max: How long CPU time may wait for a sample.
            ledger: Bills processes until they are watched; None where nobody does.
            left: CPU time in nanoseconds that another watchlist has reported of each process.
        """
        self._scanner = scanner
        self._metrics = metrics
        self._carry_s_max = carry_s_max
        self._ledger = ledger
        self._sessions: dict[Target, Session] = {}
        # What processes that are no longer watched had used: a rule may let them in again after an exec.
        self._left: OrderedDict[Target, int] = OrderedDict(left or {})
        # What those used that the host's bill does not know of yet.
        self._unbilled_ns = 0
        self._born_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self.scanned_at_ns = 0
        self.scanned = threading.Event()
        self.processes: tuple[PythonProcess, ...] = ()

    def __iter__(self) -> Iterator[Session]:
        """Yield the sessions."""
        return iter(self._sessions.values())

    def __contains__(self, session: Session) -> bool:
        """Return whether a session goes on."""
        return self._sessions.get(session.process.target) is session

    @property
    def age_s(self) -> float:
        """Seconds since the processes were last looked at."""
        return (time.monotonic_ns() - self.scanned_at_ns) / NS_PER_S

    @property
    def left(self) -> Mapping[Target, int]:
        """CPU time in nanoseconds reported of each process that is not watched any more, on whatever bill."""
        left = dict(self._ledger.billed) if self._ledger else {}
        return left | {target: max(cpu_ns, left.get(target, 0)) for target, cpu_ns in self._left.items()}

    @property
    def pids(self) -> set[int]:
        """Of the processes that are watched."""
        return {target.pid for target in self._sessions}

    def scan(self, now: Moment) -> list[Session]:
        """Look at the processes; return the sessions of those that ended, or became another program by exec."""
        scan = self._scanner.scan()
        self.processes = tuple(scan.processes.values())
        self.scanned_at_ns = now.monotonic_ns
        ended = [each for each in self if scan.processes.get(each.process.target) is not each.process]
        for session in ended:
            del self._sessions[session.process.target]
            self.leave(session)
        for target, process in scan.processes.items():
            if target not in self._sessions:
                self._sessions[target] = Session(process, self._open_account(process, now))
        self._count(scan)
        self.scanned.set()
        return ended

    def leave(self, session: Session) -> None:
        """Let go of a process, and remember what it has used by now, should it be let in again."""
        session.close()
        self._unbilled_ns += session.take_billed_ns()
        self._left[session.process.target] = session.process.stat.cpu_ns
        while len(self._left) > _LEFT_MAX:
            self._left.popitem(last=False)

    def take_used_ns(self) -> int:
        """Return what watched processes used since the last call, those that ended included."""
        unbilled_ns, self._unbilled_ns = self._unbilled_ns, 0
        return unbilled_ns + sum(session.take_billed_ns() for session in self)

    def close(self) -> None:
        """Close every descriptor."""
        self._scanner.close()

    def _count(self, scan: Scan) -> None:
        for state in State:
            if state is not State.OTHER:
                self._metrics.set(semconv.AGENT_TARGETS, scan.states[state], state=state)
        self._metrics.set(semconv.AGENT_PROCESSES_IGNORED, scan.ignored)
        self._metrics.add(semconv.AGENT_PROCESSES_SHORT_LIVED, scan.short_lived)

    def _open_account(self, process: PythonProcess, now: Moment) -> Account:
        """Account a process from where it was left or billed, or from its start if we were there, else from now."""
        left_cpu_ns = self._left.pop(process.target, None)
        billed_cpu_ns = self._ledger.release(process.target) if self._ledger else None
        if billed_cpu_ns is not None or left_cpu_ns is not None:
            start_cpu_ns = max(left_cpu_ns or 0, billed_cpu_ns or 0)
            return Account(process, start=now, start_cpu_ns=start_cpu_ns, carry_s_max=self._carry_s_max)
        born_ns = process.target.start_ticks * TICK_NS
        if born_ns < self._born_ns:
            clocks = read_thread_clocks(process.target.pid, THREADS_READ_MAX)
            cpu_ns = process.stat.cpu_ns
            return Account(process, start=now, start_cpu_ns=cpu_ns, carry_s_max=self._carry_s_max, clocks=clocks)
        age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - born_ns
        start = Moment(time.monotonic_ns() - age_ns, time.time_ns() - age_ns)
        return Account(process, start=start, start_cpu_ns=0, carry_s_max=self._carry_s_max, clocks={})
