"""What a watched process's CPU time is reported as: after a window, after one that failed, and where nobody looked."""

import logging
from collections.abc import Mapping

from agent.accounting import Moment
from agent.coverage import Coverage
from agent.procfs import read_thread_clocks
from agent.reader.engine import Window
from agent.refusal import GONE, NOT_PYTHON, refusal_reason, refusal_stack
from agent.selfmetrics import SelfMetrics
from agent.session import THREADS_READ_MAX, Done, NoRoom, Session
from agent.settings import SamplingSettings
from pyrometer import semconv
from pyrometer.errors import PyrometerError
from pyrometer.units import NS_PER_S
from pyrometer.values import NOT_SAMPLED, Profile

_LOG = logging.getLogger(__name__)


class Settlement:
    """
    Makes profiles of windows and of accounts. One thread uses it.

    Windows of wall time say nothing of CPU time: it is reported beside them, as not sampled.
    """

    def __init__(self, settings: SamplingSettings, metrics: SelfMetrics, coverage: Coverage) -> None:
        """
        Prepare.

        Args:
            settings: What windows are of, and for how long a process that failed is left alone.
            metrics: Where failures are counted.
            coverage: Told of each window and profile.
        """
        self._settings = settings
        self._metrics = metrics
        self._coverage = coverage
        self._told: set[str] = set()

    def of_window(self, done: Done, now: Moment, *, goes_on: bool) -> list[Profile]:
        """
        Return what is to be reported now that a window has ended.

        Args:
            done: The window.
            now: The time.
            goes_on: Whether the process is still watched; if not, all that it used is reported.
        """
        session = done.session
        profiles: list[Profile] = []
        if isinstance(done.outcome, PyrometerError):
            self._fail(session, done.outcome, now)
            profiles += self.of_open(session, now)
        elif not isinstance(done.outcome, NoRoom):
            session.failures, session.refusal = 0, None
            if done.window:
                self._coverage.add_window(now.monotonic_ns, done.window)
                if done.window.ended:
                    session.release()
            if self._settings.mode == "cpu":
                profiles += self._note(session, now, session.account.settle(now, done.outcome))
            else:
                profiles += self.of_open(session, now) + _wall_time(session, done.window, done.outcome.quality)
        return profiles if goes_on else profiles + self.of_open(session, now)

    def of_open(self, session: Session, now: Moment) -> list[Profile]:
        """Report all that a process used until now and that no sample stands for."""
        stack = session.refusal or (NOT_SAMPLED,)
        clocks = None if session.refusal else read_thread_clocks(session.process.target.pid, THREADS_READ_MAX)
        return self._note(session, now, session.account.close(now, stack, clocks))

    def _fail(self, session: Session, error: PyrometerError, now: Moment) -> None:
        """Count a failure, and leave the process alone for a while, longer each time."""
        reason = refusal_reason(error)
        self._metrics.add(semconv.AGENT_SAMPLE_ERRORS, reason=reason)
        limits = self._settings
        backoff_s = min(limits.backoff_max_s, limits.backoff_s * 2.0 ** min(session.failures, 16))
        if reason == NOT_PYTHON:
            backoff_s = limits.backoff_max_s
        session.refuse(refusal_stack(error), now.monotonic_ns + int(backoff_s * NS_PER_S))
        if reason != GONE and reason not in self._told:
            self._told.add(reason)
            _LOG.warning("%s; it is tried again later, and more of this kind is counted, not logged", error)

    def _note(self, session: Session, now: Moment, profile: Profile | None) -> list[Profile]:
        if profile is None:
            return []
        session.is_reported = True
        self._coverage.add_profile(now.monotonic_ns, profile)
        return [profile]


def _wall_time(session: Session, window: Window | None, quality: Mapping[str, int]) -> list[Profile]:
    """Return where the threads were, running or waiting: each look stands for the time until the next."""
    if window is None or not window.samples:
        return []
    profile = Profile(
        samples=window.samples,
        sample_type="wall",
        start_unix_ns=window.start_unix_ns,
        duration_ns=window.duration_ns,
        period_ns=window.period_ns,
        attributes=session.process.attributes,
        quality=quality,
    )
    return [profile]
