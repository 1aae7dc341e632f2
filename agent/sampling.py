"""
The loop that watches: scan, draw whom to sample, sample each for a window in a thread, scale to CPU time, hand over.

A process that is idle, refused or beyond the budget is not sampled, and its CPU time is reported all the same: at once
where no window will see it, with the next window that does otherwise. See `agent.accounting`.
"""

import gc
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from agent.accounting import Moment
from agent.coverage import Coverage
from agent.governor import Governor
from agent.host.ledger import HostLedger
from agent.python_process import PythonProcess
from agent.reader.engine import Engine, Target
from agent.selfmetrics import SelfMetrics
from agent.session import Done, Session, take_window
from agent.settings import AgentSettings
from agent.settlement import Settlement
from agent.targets import Scanner
from agent.usage import read_usage, trim_memory
from agent.watchlist import Watchlist
from pyrometer import semconv
from pyrometer.units import NS_PER_S
from pyrometer.values import Profile

# Of a core: what every process counts for at least where it is drawn who is sampled.
_SHARE_LEAST: Final = 0.02
_LOG = logging.getLogger(__name__)


class SamplingLoop:
    """Runs in the thread that calls `run`; `stop` may be called from any, signal handlers included."""

    def __init__(
        self,
        settings: AgentSettings,
        scanner: Scanner,
        engine: Engine,
        deliver: Callable[[Sequence[Profile]], None],
        metrics: SelfMetrics,
        *,
        governor: Governor,
        ledger: HostLedger | None = None,
        left: Mapping[Target, int] | None = None,
    ) -> None:
        """
        Prepare.

        Args:
            settings: Limits and times.
            scanner: Finds the processes.
            engine: Reads them.
            deliver: Takes finished profiles.
            metrics: Where it counts.
            governor: Says how many may be sampled, and whom.
            ledger: Bills what no watched process used; None where nobody wants it.
            left: CPU time in nanoseconds that another loop, which has ended, has reported of each process.
        """
        self._settings = settings
        self._engine = engine
        self._deliver = deliver
        self._metrics = metrics
        self._governor = governor
        self._ledger = ledger
        self._coverage = Coverage(metrics)
        self._passed_over = 0
        # Who used enough of a core to be sampled, with the share, as of the last scan; and who is being sampled.
        self._busy: list[tuple[float, Session]] = []
        self._in_flight: set[Session] = set()
        self._programs = threading.BoundedSemaphore(settings.sampling.concurrent_max)
        self._watchlist = Watchlist(
            scanner, metrics, carry_s_max=settings.sampling.carry_s_max, ledger=ledger, left=left
        )
        self._done: queue.SimpleQueue[Done | None] = queue.SimpleQueue()
        self._running: set[threading.Thread] = set()
        self._stopping = False
        self._observed_at_ns = 0
        self._settlement = Settlement(settings.sampling, metrics, self._coverage)

    @property
    def scanned(self) -> threading.Event:
        """Set once the processes have been looked at."""
        return self._watchlist.scanned

    @property
    def last_scan_age_s(self) -> float:
        """Seconds since the loop last looked at the processes."""
        return self._watchlist.age_s

    @property
    def processes(self) -> tuple[PythonProcess, ...]:
        """The watched processes as of the last scan; from any thread."""
        return self._watchlist.processes

    @property
    def left(self) -> Mapping[Target, int]:
        """CPU time in nanoseconds reported of each process that is not watched any more; all of them after `run`."""
        return self._watchlist.left

    def stop(self) -> None:
        """End `run` soon."""
        self._stopping = True
        self._done.put(None)

    def run(self) -> None:
        """Watch until `stop`, then report what is left."""
        try:
            while not self._stopping:
                self.step()
                self._await_next()
        finally:
            self._wind_down()

    def step(self) -> None:
        """Scan if it is time, report what is due, and start windows."""
        now = _now()
        interval_ns = int(self._settings.targets.scan_interval_s * NS_PER_S)
        if now.monotonic_ns - self._observed_at_ns >= interval_ns:
            self._observe(now)
        if now.monotonic_ns - self._watchlist.scanned_at_ns >= interval_ns * self._governor.scan_factor:
            self._scan(now)
            self._bill_host(now)
            self._look_at_sessions(now)
        self._start_windows(now)

    def _await_next(self) -> None:
        due_ns = self._observed_at_ns + int(self._settings.targets.scan_interval_s * NS_PER_S)
        timeout_s = max(0.0, (due_ns - time.monotonic_ns()) / NS_PER_S)
        try:
            done = self._done.get(timeout=timeout_s)
        except queue.Empty:
            return
        finished = [done]
        while not self._done.empty():
            finished.append(self._done.get())
        self._deliver_all([profile for item in finished if item for profile in self._finish(item)])

    def _scan(self, now: Moment) -> None:
        ended = self._watchlist.scan(now)
        # A window that is being taken reports itself when it ends.
        idle = [session for session in ended if not session.in_flight]
        self._deliver_all([profile for session in idle for profile in self._settlement.of_open(session, now)])

    def _observe(self, now: Moment) -> None:
        """Let the governor see what the agent uses, and let go of memory where it is short."""
        self._observed_at_ns = now.monotonic_ns
        in_flight = len(self._in_flight)
        self._governor.observe(now.monotonic_ns, read_usage(), in_flight=in_flight, waiting=self._passed_over)
        self._coverage.tell(now.monotonic_ns)
        if self._governor.should_shed(now.monotonic_ns):
            for session in self._watchlist:
                if not session.in_flight:
                    session.release()
            gc.collect()
            trim_memory()

    def _bill_host(self, now: Moment, *, is_last: bool = False) -> None:
        if self._ledger is None or not (is_last or self._ledger.is_due(now)):
            return
        if profile := self._ledger.settle(now, self._watchlist.take_used_ns(), self._watchlist.pids):
            self._deliver([profile])

    def _look_at_sessions(self, now: Moment) -> None:
        """Find who is busy, and close windows that are open for long: at once where no sample is to come, else late."""
        sampling = self._settings.sampling
        profiles: list[Profile] = []
        self._busy = []
        # Where threads wait shows in idle processes best.
        share_min = 0.0 if sampling.mode == "wall" else sampling.busy_share_min
        for session in self._watchlist:
            share = session.account.busy_share(now)
            is_busy = share >= share_min
            if is_busy:
                self._busy.append((share, session))
            if session.in_flight:
                continue
            soon = session.refusal is not None or not (is_busy or session.is_reported)
            wait_s = sampling.window_s if soon else sampling.carry_s_max
            if session.account.open_ns(now) >= wait_s * NS_PER_S:
                profiles += self._settlement.of_open(session, now)
        self._deliver_all(profiles)

    def _start_windows(self, now: Moment) -> None:
        ready = [
            (share, session)
            for share, session in self._busy
            if not session.in_flight and not session.process.is_stopped and now.monotonic_ns >= session.retry_at_ns
        ]
        waiting = {"cpu": 0, "memory": 0, "programs": 0}
        if self._governor.memory_is_short:
            ready = self._hold_back(ready, waiting, "memory", lambda session: session.is_attached)
        programs = self._settings.sampling.concurrent_max - sum(each.starts_programs for each in self._in_flight)
        if programs <= 0:
            ready = self._hold_back(ready, waiting, "programs", lambda session: not session.starts_programs)
        weighted = [(_urgency(share, session, now), session) for share, session in ready]
        drawn = self._governor.draw(weighted, self._governor.free(now.monotonic_ns, len(self._in_flight)))
        self._passed_over = waiting["cpu"] = len(ready) - len(drawn)
        for session in drawn:
            if session.starts_programs and (programs := programs - 1) < 0:
                waiting["programs"] += 1
            else:
                self._start_window(session, now)
        for reason, count in waiting.items():
            self._metrics.set(semconv.AGENT_BUDGET_PASSED_OVER, count, reason=reason)
        self._metrics.set(semconv.AGENT_TARGETS, sum(waiting.values()), state="waiting")
        self._metrics.set(semconv.AGENT_TARGETS, len(self._in_flight), state="sampled")

    @staticmethod
    def _hold_back(
        ready: list[tuple[float, Session]], waiting: dict[str, int], reason: str, may: Callable[[Session], bool]
    ) -> list[tuple[float, Session]]:
        """Return those that may be sampled all the same, and count the others."""
        kept = [(share, session) for share, session in ready if may(session)]
        waiting[reason] += len(ready) - len(kept)
        return kept

    def _start_window(self, session: Session, now: Moment) -> None:
        session.in_flight = True
        self._in_flight.add(session)
        session.account.begin(now)
        pid = session.process.target.pid
        arguments = (session, self._governor.window_s)
        thread = threading.Thread(target=self._window_thread, args=arguments, name=f"window-{pid}", daemon=True)
        self._running.add(thread)
        thread.start()

    def _window_thread(self, session: Session, window_s: float) -> None:
        done = take_window(session, self._engine, self._programs, window_s)
        self._running.discard(threading.current_thread())
        self._done.put(done)

    def _finish(self, done: Done) -> list[Profile]:
        session, now = done.session, _now()
        session.in_flight, session.looked_at_ns = False, now.monotonic_ns
        self._in_flight.discard(session)
        session.process.refresh()
        self._governor.window_ended(now.monotonic_ns)
        return self._settlement.of_window(done, now, goes_on=session in self._watchlist)

    def _deliver_all(self, profiles: list[Profile]) -> None:
        if profiles:
            self._deliver(profiles)

    def _wind_down(self) -> None:
        """End every window early, wait for their threads a moment, and report what every process used until now."""
        sessions = list(self._watchlist)
        for session in sessions:
            session.close()
        deadline = time.monotonic() + self._settings.sampling.stop_s
        for thread in list(self._running):
            thread.join(max(0.0, deadline - time.monotonic()))
        profiles: list[Profile] = []
        while not self._done.empty():
            if done := self._done.get():
                profiles += self._finish(done)
        now = _now()
        for session in sessions:
            session.process.refresh()
            if session.account.unreported_ns():
                profiles += self._settlement.of_open(session, now)
            self._watchlist.leave(session)
        self._deliver_all(profiles)
        self._bill_host(now, is_last=True)
        self._watchlist.close()


def _urgency(share: float, session: Session, now: Moment) -> float:
    """Return CPU seconds about which nothing is known since the last window; small services have their turn too."""
    return max(share, _SHARE_LEAST) * (now.monotonic_ns - session.looked_at_ns) / NS_PER_S


def _now() -> Moment:
    return Moment(time.monotonic_ns(), time.time_ns())
