"""
The loop that watches: scan, pick the busiest, sample each for a window in a thread, scale to CPU time, hand over.

A process that is idle, refused or beyond the limit is not sampled, and its CPU time is reported all the same.
"""

import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from agent.accounting import Account, Moment, Seen
from agent.procfs import TICK_NS, read_thread_clocks
from agent.reader.engine import Engine, Target, Window
from agent.selfmetrics import SelfMetrics
from agent.session import THREADS_READ_MAX, Done, Session, take_window
from agent.settings import AgentSettings
from agent.targets import PythonProcess, Scanner, State
from pyrometer import semconv
from pyrometer.errors import NotPythonError, PermissionDeniedError, PyrometerError, TargetNotFoundError
from pyrometer.units import NS_PER_S
from pyrometer.values import Profile

_LOG = logging.getLogger(__name__)
# CPU time from before a window that is older than this is reported on its own, so that no sample stands for it.
_CARRY_NS_MAX = NS_PER_S * 3 // 2
_LEFT_MAX = 4096
# The first that fits names the failure in the metrics.
_REASONS: tuple[tuple[type[PyrometerError], str], ...] = (
    (NotPythonError, "not_python"),
    (TargetNotFoundError, "gone"),
    (PermissionDeniedError, "permission"),
    (PyrometerError, "engine"),
)


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
            left: CPU time in nanoseconds that another loop, which has ended, has reported of each process.
        """
        self._settings = settings
        self._scanner = scanner
        self._engine = engine
        self._deliver = deliver
        self._metrics = metrics
        self._sessions: dict[Target, Session] = {}
        self._done: queue.SimpleQueue[Done | None] = queue.SimpleQueue()
        self._running: set[threading.Thread] = set()
        # What processes that are no longer watched had used: a rule may let them in again after an exec.
        self._left: OrderedDict[Target, int] = OrderedDict(left or {})
        self._stopping = False
        self._born_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self._scanned_at_ns = 0
        self._watched: tuple[PythonProcess, ...] = ()
        self._told: set[str] = set()
        self.scanned = threading.Event()

    @property
    def last_scan_age_s(self) -> float:
        """Seconds since the loop last looked at the processes."""
        return (time.monotonic_ns() - self._scanned_at_ns) / NS_PER_S

    @property
    def processes(self) -> tuple[PythonProcess, ...]:
        """The watched processes as of the last scan; from any thread."""
        return self._watched

    @property
    def left(self) -> Mapping[Target, int]:
        """CPU time in nanoseconds reported of each process that is not watched any more; all of them after `run`."""
        return self._left

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
        if now.monotonic_ns - self._scanned_at_ns >= self._settings.targets.scan_interval_s * NS_PER_S:
            self._scan(now)
        self._report_unsampled(now)
        self._start_windows(now)

    def _await_next(self) -> None:
        due_ns = self._scanned_at_ns + int(self._settings.targets.scan_interval_s * NS_PER_S)
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
        scan = self._scanner.scan()
        self._watched = tuple(scan.processes.values())
        self._scanned_at_ns = now.monotonic_ns
        for session in list(self._sessions.values()):
            if scan.processes.get(session.process.target) is not session.process:  # gone, or another program by exec
                self._deliver_all(self._end(session, now))
        for target, process in scan.processes.items():
            if target not in self._sessions:
                self._sessions[target] = self._open_session(process, now)
        for state in State:
            if state is not State.OTHER:
                self._metrics.set(semconv.AGENT_TARGETS, scan.states[state], state=state)
        self._metrics.set(semconv.AGENT_PROCESSES_IGNORED, scan.ignored)
        self.scanned.set()

    def _open_session(self, process: PythonProcess, now: Moment) -> Session:
        """Account a process from where we left it, or from its start if we were there, else from now."""
        left_cpu_ns = self._left.pop(process.target, None)
        if left_cpu_ns is not None:
            return Session(process, Account(process, start=now, start_cpu_ns=left_cpu_ns), None)
        born_ns = process.target.start_ticks * TICK_NS
        if born_ns < self._born_ns:
            clocks = read_thread_clocks(process.target.pid, THREADS_READ_MAX)
            return Session(process, Account(process, start=now, start_cpu_ns=process.stat.cpu_ns), clocks)
        age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - born_ns
        present = _now()
        start = Moment(present.monotonic_ns - age_ns, present.unix_ns - age_ns)
        return Session(process, Account(process, start=start, start_cpu_ns=0), {})

    def _end(self, session: Session, now: Moment) -> list[Profile]:
        """Forget a session; a window that is being taken reports itself when it ends, and not here."""
        self._sessions.pop(session.process.target, None)
        self._leave(session)
        session.close()
        return [] if session.in_flight else self._settle(session, now, None)

    def _leave(self, session: Session) -> None:
        """Remember what a process has used by now, should it be let in again."""
        self._left[session.process.target] = session.process.stat.cpu_ns
        while len(self._left) > _LEFT_MAX:
            self._left.popitem(last=False)

    def _report_unsampled(self, now: Moment) -> None:
        window_ns = int(self._settings.sampling.window_s * NS_PER_S)
        due = [
            session
            for session in self._sessions.values()
            if not session.in_flight and session.account.open_ns(now) >= window_ns
        ]
        self._deliver_all([profile for session in due for profile in self._settle(session, now, None)])

    def _start_windows(self, now: Moment) -> None:
        sampling = self._settings.sampling
        free = sampling.concurrent_max - sum(session.in_flight for session in self._sessions.values())
        ready = [
            (share, session)
            for session in self._sessions.values()
            if not session.in_flight
            and now.monotonic_ns >= session.retry_at_ns
            and (share := session.account.busy_share(now)) >= sampling.busy_share_min
        ]
        ready.sort(key=lambda pair: pair[0], reverse=True)
        self._metrics.set(semconv.AGENT_TARGETS, max(0, len(ready) - max(0, free)), state="waiting")
        for _, session in ready[: max(0, free)]:
            self._start_window(session, now)
        sampled = sum(session.in_flight for session in self._sessions.values())
        self._metrics.set(semconv.AGENT_TARGETS, sampled, state="sampled")

    def _start_window(self, session: Session, now: Moment) -> None:
        if session.account.open_ns(now) > _CARRY_NS_MAX:
            self._deliver_all(self._settle(session, now, None))
        session.in_flight = True
        pid = session.process.target.pid
        thread = threading.Thread(target=self._window_thread, args=(session,), name=f"window-{pid}", daemon=True)
        self._running.add(thread)
        thread.start()

    def _window_thread(self, session: Session) -> None:
        done = take_window(session, self._engine)
        self._running.discard(threading.current_thread())
        self._done.put(done)

    def _finish(self, done: Done) -> list[Profile]:
        session, now = done.session, _now()
        session.in_flight = False
        session.process.refresh()
        if isinstance(done.outcome, PyrometerError):
            self._fail(session, done.outcome, now)
            return self._settle(session, now, None)
        session.failures = 0
        if done.window:
            self._count_window(done.window)
            if done.window.ended:
                session.release()
        return self._settle(session, now, done.outcome)

    def _count_window(self, window: Window) -> None:
        self._metrics.add(semconv.AGENT_WINDOWS)
        self._metrics.add(semconv.AGENT_SAMPLES, sum(sample.count for sample in window.samples))
        self._metrics.add(semconv.AGENT_SAMPLES_LATE, window.late)
        self._metrics.add(semconv.AGENT_SAMPLES_LOST, window.lost)
        if window.errors:
            self._metrics.add(semconv.AGENT_SAMPLE_ERRORS, window.errors, reason="read")

    def _fail(self, session: Session, error: PyrometerError, now: Moment) -> None:
        """Count a failure, and leave the process alone for a while, longer each time."""
        session.release()
        reason = next(name for kind, name in _REASONS if isinstance(error, kind))
        self._metrics.add(semconv.AGENT_SAMPLE_ERRORS, reason=reason)
        sampling = self._settings.sampling
        backoff_s = min(sampling.backoff_max_s, sampling.backoff_s * 2.0 ** min(session.failures, 16))
        if reason == "not_python":
            backoff_s = sampling.backoff_max_s
        session.failures += 1
        session.retry_at_ns = now.monotonic_ns + int(backoff_s * NS_PER_S)
        if reason != "gone" and reason not in self._told:
            self._told.add(reason)
            _LOG.warning("%s; it is tried again later, and more of this kind is counted, not logged", error)

    def _settle(self, session: Session, now: Moment, seen: Seen | None) -> list[Profile]:
        profile = session.account.settle(now, seen)
        session.thread_clocks = seen.clocks_after if seen else None
        if profile is None:
            return []
        unseen_ns = sum(sample.value for sample in profile.samples if sample.count == 0)
        self._metrics.add(semconv.AGENT_CPU_NOT_SAMPLED, unseen_ns / NS_PER_S)
        return [profile]

    def _deliver_all(self, profiles: list[Profile]) -> None:
        if profiles:
            self._deliver(profiles)

    def _wind_down(self) -> None:
        """End every window early, wait for their threads a moment, and report what every process used until now."""
        sessions = list(self._sessions.values())
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
            if session.account.cpu_ns():
                profiles += self._settle(session, now, None)
            self._leave(session)
        self._deliver_all(profiles)
        self._scanner.close()


def _now() -> Moment:
    return Moment(time.monotonic_ns(), time.time_ns())
