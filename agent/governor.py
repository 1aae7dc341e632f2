"""
Keeps the agent to its budget of CPU time and memory: says how fast to sample, how many at a time, and whom.

Two horizons: a bucket that fills at the budget's speed and holds a few seconds of it, so that no minute is far over;
and the use of the last ten seconds, which says where things go. Order of retreat: first the rate; then, where half of
the use is looking after processes and not sampling them, how often that is done; then the number of processes that are
sampled at a time, drawn at random by the CPU they use, and below one of them windows apart in time.
Way back: the number first, doubled as long as there is room, slowly from where it was too much; then the others, where
there is room for all of the next step, or as a trial that waits longer each time it fails. So it does not swing.
"""

import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from agent.reader.pace import Pace
from agent.selfmetrics import SelfMetrics
from agent.settings import BudgetSettings
from agent.usage import Usage
from pyrometer import semconv
from pyrometer.units import NS_PER_S

T = TypeVar("T")

RATES_HZ: Final = (19.0, 13.0, 9.0, 6.0, 4.0, 3.0, 2.0)
# How many times rarer than the settings say processes are looked after.
SCAN_FACTORS: Final = (1, 2, 5)
# Seconds of the budget that may be saved up: a minute is then at most this much over, a fifth with what is late.
_BUCKET_S: Final = 7.0
_MINUTE_NS: Final = 60 * NS_PER_S
_TREND_NS: Final = 10 * NS_PER_S
# The use is judged this long after the last change: before, it is mostly that of the time before.
_EFFECT_NS: Final = 3 * NS_PER_S
_GROWTH_NS: Final = 5 * NS_PER_S
_RATE_UP_NS: Final = 20 * NS_PER_S
_TRIAL_NS_MIN: Final = 60 * NS_PER_S
_TRIAL_NS_MAX: Final = 1800 * NS_PER_S
# Shares of the budget: what is aimed at after a retreat, above what one is due, below what there is room.
_AIM: Final = 0.8
_ROOM: Final = 0.75
# Share of the bucket above which a moment over the budget is no reason to act.
_SAVED: Final = 0.5
_WINDOWS_FIRST: Final = 16.0
_SHORT_WINDOW_S: Final = 2.0
_WINDOWS_MIN: Final = 0.02
# Where housekeeping uses the budget, fewer windows do not help: what is left is a window of two seconds in ten.
_WINDOWS_LEAST: Final = 0.2
# Starting up, with its imports, tables of symbols and a first look at everything, happens once: nothing is concluded.
_WARM_UP_S: Final = 5.0
_SHED_NS: Final = 10 * NS_PER_S
# Memory has room again below this share of its budget.
_MEMORY_ROOM: Final = 0.92
_MIB: Final = 1_048_576


class Governor:
    """Decides; the sampling loop asks. Not thread-safe: one thread observes and asks."""

    def __init__(
        self,
        budget: BudgetSettings,
        pace: Pace,
        metrics: SelfMetrics,
        *,
        window_s: float,
        windows_max: int,
        uniform: Callable[[], float] = random.random,
        warm_up_s: float = _WARM_UP_S,
    ) -> None:
        """
        Begin at the full rate, with a few processes at a time.

        Args:
            budget: What may be used.
            pace: The rate, which engines keep to; its rate now is the highest that is allowed.
            metrics: Where it tells.
            window_s: Length of a window.
            windows_max: Most processes sampled at a time.
            uniform: Gives a fraction in [0, 1).
            warm_up_s: How long use is not held against anybody, from the first look at it.
        """
        self._budget = budget
        self._pace = pace
        self._metrics = metrics
        self._window_s = window_s
        self._windows_max = float(windows_max)
        self._uniform = uniform
        self._warm_up_ns = int(warm_up_s * NS_PER_S)
        self._began_ns: int | None = None
        self._rates = (pace.rate_hz, *(rate for rate in RATES_HZ if rate < pace.rate_hz))
        self._level = 0
        self._windows = min(_WINDOWS_FIRST, self._windows_max)
        self._ceiling = self._windows_max
        self._bucket_ns = _BUCKET_S * NS_PER_S * self._share
        self._scan_level = 0
        # Monotonic time, CPU time of all, and of the thread that looks after processes.
        self._history: deque[tuple[int, int, int]] = deque()
        self._changed_ns = 0
        self._trial_ns = _TRIAL_NS_MIN
        self._raised_ns: int | None = None
        self._next_start_ns = 0
        # Whether housekeeping alone uses the budget, which fewer windows do not make cheaper.
        self._is_crowded_out = False
        self._shed_ns: int | None = None
        self.memory_is_short = False

    @property
    def _share(self) -> float:
        """The budget in cores."""
        return self._budget.cpu_percent / 100

    @property
    def rate_hz(self) -> float:
        """Samples a second that are allowed."""
        return self._rates[self._level]

    @property
    def scan_factor(self) -> int:
        """How many times rarer than the settings say processes are to be looked after."""
        return SCAN_FACTORS[self._scan_level]

    @property
    def windows(self) -> float:
        """Processes that may be sampled at a time; below 1 it is the share of the time in which one is."""
        return self._windows

    @property
    def window_s(self) -> float:
        """Length of a window that begins now: shorter where windows are apart, so that one costs less than a minute."""
        return self._window_s if self._windows >= 1 else min(self._window_s, _SHORT_WINDOW_S)

    def observe(self, now_ns: int, usage: Usage, *, in_flight: int, waiting: int) -> None:
        """
        Take note, about once a second, and decide.

        Args:
            now_ns: Monotonic.
            usage: Of the agent and its children.
            in_flight: Processes being sampled.
            waiting: Processes that would be if there were room.
        """
        self._began_ns = now_ns if self._began_ns is None else self._began_ns
        if now_ns - self._began_ns < self._warm_up_ns:
            self._history.clear()
        self._fill_bucket(now_ns, usage)
        self._watch_memory(usage)
        used, housekeeping = self._used(now_ns)
        self._is_crowded_out = housekeeping > _AIM
        if now_ns - self._changed_ns >= _EFFECT_NS:
            saved = self._bucket_ns / (_BUCKET_S * NS_PER_S * self._share)
            if (used > 1.0 and saved < _SAVED) or (used > _AIM and saved < 0.0):
                self._retreat(now_ns, used, housekeeping, in_flight)
            elif used < _ROOM and saved > _SAVED:
                self._advance(now_ns, used, housekeeping, waiting)
        self._tell(now_ns, usage)

    def free(self, now_ns: int, in_flight: int) -> int:
        """Return how many processes may begin to be sampled now."""
        if not self._is_crowded_out and self._bucket_ns < -_BUCKET_S * NS_PER_S * self._share:
            return 0
        if self._windows < 1:
            return int(in_flight == 0 and now_ns >= self._next_start_ns)
        return max(0, int(self._windows) - in_flight)

    def window_ended(self, now_ns: int) -> None:
        """Draw when the next window may begin, where windows are apart: at random, so that no rhythm is missed."""
        if self._windows < 1:
            gap_s = self.window_s * (1 / self._windows - 1)
            self._next_start_ns = now_ns - int(gap_s * NS_PER_S * math.log(1 - self._uniform()))

    def draw(self, candidates: Sequence[tuple[float, T]], count: int) -> list[T]:
        """
        Draw some of the candidates, each with a chance that follows its weight.

        What is not drawn is accounted and waits; see `agent.accounting`.
        Source: Efraimidis & Spirakis, Weighted random sampling with a reservoir, 2006.
        """
        if count >= len(candidates):
            return [candidate for _, candidate in candidates]
        keyed = [
            (math.log(1 - self._uniform()) / max(weight, 1e-9), index) for index, (weight, _) in enumerate(candidates)
        ]
        keyed.sort(reverse=True)
        return [candidates[index][1] for _, index in keyed[:count]]

    def should_shed(self, now_ns: int) -> bool:
        """Return whether caches and idle attachments should be let go now; asked for again after a while."""
        if not self.memory_is_short or (self._shed_ns is not None and now_ns - self._shed_ns < _SHED_NS):
            return False
        if self._shed_ns is not None:
            # Letting go did not help: what is being sampled needs the memory.
            self._windows = max(1.0, self._windows / 2)
        self._shed_ns = now_ns
        self._metrics.add(semconv.AGENT_BUDGET_CHANGES, reason="memory")
        return True

    def _fill_bucket(self, now_ns: int, usage: Usage) -> None:
        if self._history:
            before_ns, cpu_ns, _ = self._history[-1]
            gained = (now_ns - before_ns) * self._share - (usage.cpu_ns - cpu_ns)
            self._bucket_ns = min(_BUCKET_S * NS_PER_S * self._share, self._bucket_ns + gained)
            # A debt of more than a minute is not paid back.
            self._bucket_ns = max(-_MINUTE_NS * self._share, self._bucket_ns)
        self._history.append((now_ns, usage.cpu_ns, usage.thread_cpu_ns))
        while len(self._history) > 1 and now_ns - self._history[1][0] >= _MINUTE_NS:
            self._history.popleft()

    def _used(self, now_ns: int) -> tuple[float, float]:
        """Return the use lately, or since the last change, and how much of it is housekeeping, in budgets."""
        since_ns = max(now_ns - _TREND_NS, self._changed_ns)
        first = next((point for point in self._history if point[0] >= since_ns), self._history[0])
        last = self._history[-1]
        budget_ns = max(1.0, (last[0] - first[0]) * self._share)
        return (last[1] - first[1]) / budget_ns, (last[2] - first[2]) / budget_ns

    def _retreat(self, now_ns: int, used: float, housekeeping: float, in_flight: int) -> None:
        if self._level + 1 < len(self._rates):
            aim_hz = self.rate_hz * _AIM / used
            lower = range(self._level + 1, len(self._rates))
            self._level = next((level for level in lower if self._rates[level] <= aim_hz), lower[-1])
            self._note_failed_trial(now_ns)
            self._change(now_ns, "rate_down")
        elif housekeeping >= used / 2 and self._scan_level + 1 < len(SCAN_FACTORS):
            self._scan_level += 1
            self._note_failed_trial(now_ns)
            self._change(now_ns, "scans_down")
        else:
            current = min(self._windows, max(1.0, in_flight))
            least = _WINDOWS_LEAST if self._is_crowded_out else _WINDOWS_MIN
            self._windows = max(least, current * min(0.9, max(0.25, _AIM / used)))
            self._ceiling = self._windows
            self._change(now_ns, "windows_down")

    def _advance(self, now_ns: int, used: float, housekeeping: float, waiting: int) -> None:
        idle_ns = now_ns - self._changed_ns
        if waiting and self._windows < self._windows_max:
            if self._windows >= self._ceiling and idle_ns < _TREND_NS:
                return
            if idle_ns < _GROWTH_NS:
                return
            growth = 2.0 if self._windows * 2 <= self._ceiling else 1.1
            self._windows = min(self._windows_max, self._windows * growth)
            self._ceiling = max(self._ceiling, self._windows)
            self._changed_ns = now_ns
        elif idle_ns >= _RATE_UP_NS and self._scan_level > 0:
            times_as_often = self.scan_factor / SCAN_FACTORS[self._scan_level - 1]
            if used + housekeeping * (times_as_often - 1) < _AIM or idle_ns >= self._trial_ns:
                self._scan_level -= 1
                self._raised_ns = now_ns
                self._change(now_ns, "scans_up")
        elif idle_ns >= _RATE_UP_NS and self._level > 0:
            times_as_often = self._rates[self._level - 1] / self.rate_hz
            if housekeeping + (used - housekeeping) * times_as_often < _AIM or idle_ns >= self._trial_ns:
                self._level -= 1
                self._raised_ns = now_ns
                self._change(now_ns, "rate_up")

    def _note_failed_trial(self, now_ns: int) -> None:
        failed = self._raised_ns is not None and now_ns - self._raised_ns < 2 * _MINUTE_NS
        self._trial_ns = min(_TRIAL_NS_MAX, self._trial_ns * 2) if failed else _TRIAL_NS_MIN
        self._raised_ns = None

    def _change(self, now_ns: int, reason: str) -> None:
        self._pace.rate_hz = self.rate_hz
        self._changed_ns = now_ns
        self._metrics.add(semconv.AGENT_BUDGET_CHANGES, reason=reason)

    def _watch_memory(self, usage: Usage) -> None:
        limit = self._budget.rss_mib * _MIB
        if usage.rss_bytes > limit:
            self.memory_is_short = True
        elif usage.rss_bytes < limit * _MEMORY_ROOM:
            self.memory_is_short = False
            self._shed_ns = None

    def _tell(self, now_ns: int, usage: Usage) -> None:
        first = self._history[0]
        elapsed_ns = max(1, now_ns - first[0])
        self._metrics.set(semconv.AGENT_BUDGET_CPU, self._share)
        self._metrics.set(semconv.AGENT_BUDGET_CPU_USED, (usage.cpu_ns - first[1]) / elapsed_ns)
        self._metrics.set(semconv.AGENT_BUDGET_MEMORY, self._budget.rss_mib * _MIB)
        self._metrics.set(semconv.AGENT_BUDGET_MEMORY_USED, usage.rss_bytes)
        self._metrics.set(semconv.AGENT_BUDGET_RATE, self.rate_hz)
        self._metrics.set(semconv.AGENT_BUDGET_WINDOWS, self._windows)
