"""Native and kernel stacks of every process that nobody watches, for the bill of the host."""

import logging
from collections.abc import Collection, Mapping
from typing import Final

from agent.reader.pace import Pace
from agent.reader.perf.event import CpuEvent, online_cpus
from agent.reader.perf.reader import PerfReader
from agent.reader.perf.refusal import PerfRefusedError
from agent.selfmetrics import SelfMetrics
from agent.settings import PerfSettings
from pyrometer import semconv
from pyrometer.units import NS_PER_S
from pyrometer.values import Sample

_LOG = logging.getLogger(__name__)
_PROBE_PERIOD_NS: Final = NS_PER_S


class HostStacks:
    """A reader of events where the settings want it and the host lets us; otherwise nothing, and why."""

    def __init__(self, settings: PerfSettings, metrics: SelfMetrics, pace: Pace) -> None:
        """
        Begin to sample, if that is possible.

        Args:
            settings: Whether and how often.
            metrics: Where it counts.
            pace: When it slows down to keep to the agent's budget, the events slow down alike.
        """
        self._metrics = metrics
        self._pace, self._full_rate_hz = pace, pace.rate_hz
        self._reader: PerfReader | None = None
        self.reason = ""
        if settings.enabled == "off":
            return
        reader = PerfReader(settings.rate_hz, settings.samples_per_s_max)
        try:
            reader.start()
        except PerfRefusedError as error:
            self.reason = str(error)
            metrics.set(semconv.AGENT_EVENTS_REFUSED, 1, reason=error.reason)
            _LOG.log(logging.WARNING if settings.enabled == "on" else logging.INFO, "no native stacks: %s", error)
        else:
            self._reader = reader

    def take(self, watched: Collection[int]) -> Mapping[int, tuple[Sample, ...]]:
        """
        Return the stacks seen since the last call, by pid.

        Args:
            watched: Processes that another engine reads: their stacks are not read from now on.
        """
        if self._reader is None:
            return {}
        window = self._reader.take_host(watched)
        self._reader.slow_down(min(1.0, self._pace.rate_hz / self._full_rate_hz))
        if window is None:
            return {}
        self._metrics.add(semconv.AGENT_EVENTS_SEEN, sum(window.moments.values()))
        self._metrics.add(semconv.AGENT_EVENTS_LOST, window.lost)
        return window.stacks

    def close(self) -> None:
        """End sampling."""
        if self._reader is not None:
            self._reader.close()


def find_obstacle() -> str:
    """Return what keeps us from perf events of the whole host, and what to do; empty where nothing does."""
    try:
        CpuEvent(online_cpus()[0], _PROBE_PERIOD_NS).close()
    except (PerfRefusedError, LookupError, OSError, ValueError) as error:
        return str(error)
    return ""
