"""How well the last minute was seen: the rate that was reached, and the share of CPU time that stacks stand for."""

from collections import deque
from typing import Final, NamedTuple

from agent.reader.engine import Window
from agent.selfmetrics import SelfMetrics
from pyrometer import semconv
from pyrometer.units import NS_PER_S
from pyrometer.values import Profile

_HORIZON_NS: Final = 60 * NS_PER_S


class _Part(NamedTuple):
    """What one profile or window adds."""

    at_ns: int
    seen_ns: int = 0
    cpu_ns: int = 0
    looks: int = 0
    sampled_ns: int = 0


class Coverage:
    """Sums over the last minute, and the counters of windows. One thread uses it."""

    def __init__(self, metrics: SelfMetrics) -> None:
        """Begin with nothing; *metrics* is where it counts."""
        self._metrics = metrics
        self._parts: deque[_Part] = deque()

    def add_profile(self, now_ns: int, profile: Profile) -> None:
        """Count what a finished profile says of the CPU time: how much of it stands on stacks that were seen."""
        cpu_ns = sum(sample.value for sample in profile.samples)
        seen_ns = sum(sample.value for sample in profile.samples if sample.count)
        self._metrics.add(semconv.AGENT_CPU_NOT_SAMPLED, (cpu_ns - seen_ns) / NS_PER_S)
        self._parts.append(_Part(now_ns, seen_ns=seen_ns, cpu_ns=cpu_ns))

    def add_window(self, now_ns: int, window: Window) -> None:
        """Count what an engine says of a window."""
        self._metrics.add(semconv.AGENT_WINDOWS)
        self._metrics.add(semconv.AGENT_SAMPLES, sum(sample.count for sample in window.samples))
        self._metrics.add(semconv.AGENT_SAMPLES_LATE, window.late)
        self._metrics.add(semconv.AGENT_SAMPLES_LOST, window.lost)
        self._metrics.add(semconv.AGENT_SAMPLES_UNSTABLE, window.unstable)
        self._metrics.add(semconv.AGENT_SAMPLES_CUT, window.cut)
        if window.errors:
            self._metrics.add(semconv.AGENT_SAMPLE_ERRORS, window.errors, reason="read")
        if window.ticks:
            self._parts.append(_Part(now_ns, looks=window.ticks, sampled_ns=window.duration_ns))

    def tell(self, now_ns: int) -> None:
        """Set the gauges; what nothing is known of is 0."""
        while self._parts and now_ns - self._parts[0].at_ns > _HORIZON_NS:
            self._parts.popleft()
        cpu_ns = sum(part.cpu_ns for part in self._parts)
        sampled_ns = sum(part.sampled_ns for part in self._parts)
        seen_ns = sum(part.seen_ns for part in self._parts)
        looks = sum(part.looks for part in self._parts)
        self._metrics.set(semconv.AGENT_COVERAGE, seen_ns / cpu_ns if cpu_ns else 0.0)
        self._metrics.set(semconv.AGENT_RATE, looks * NS_PER_S / sampled_ns if sampled_ns else 0.0)
