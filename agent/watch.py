"""What is built anew when the agent's settings change: who is watched and how, and which metrics are read."""

import threading
from collections.abc import Mapping
from functools import partial

from agent.export import Sender
from agent.governor import Governor
from agent.host.ledger import HostLedger
from agent.host_identity import HostIdentity
from agent.identity import Identifier
from agent.metric_export import MetricReporter
from agent.profile_export import ProfileExport
from agent.reader.choose import AutoEngine
from agent.reader.engine import Engine, Target
from agent.reader.pace import Pace
from agent.reader.perf.host import HostStacks
from agent.reader.pyspy import PySpyEngine
from agent.reader.remote import RemoteEngine
from agent.sampling import SamplingLoop
from agent.selfmetrics import SelfMetrics
from agent.settings import AgentSettings, PerfSettings, SamplingSettings
from agent.targets import Scanner
from pyrometer import semconv

_METRICS_END_S = 1.0
# See `RemoteEngine`.
_OFF_CPU_EVERY = 8
_STALLED_S_MIN = 30.0


class Watch:
    """Runs from the time it is made until `end`: the sampling loop in a thread of its own, and the metrics' reader."""

    def __init__(
        self,
        settings: AgentSettings,
        host: HostIdentity,
        sender: Sender,
        metrics: SelfMetrics,
        *,
        accounts: Mapping[Target, int] | None = None,
    ) -> None:
        """
        Begin to watch.

        Args:
            settings: Of everything.
            host: This machine.
            sender: Where batches go; it outlives the watch.
            metrics: Where everybody counts; they outlive the watch.
            accounts: CPU time in nanoseconds that an earlier watch has reported of each process.
        """
        self._settings = settings
        perf = settings.sampling.perf if settings.ledger.enabled else PerfSettings(enabled="off")
        pace = Pace(settings.sampling.rate_hz)
        self._stacks = HostStacks(perf, metrics, pace)
        self._loop = _build_loop(settings, host, sender, metrics, accounts or {}, pace=pace, stacks=self._stacks)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sampling", daemon=True)
        self._thread.start()
        self._reporter: MetricReporter | None = None
        if settings.metrics.enabled:
            self._reporter = MetricReporter(settings.metrics, host, metrics, sender, lambda: self._loop.processes)
            self._reporter.start()

    @property
    def has_scanned(self) -> bool:
        """Whether the processes of this host have been looked at."""
        return self._loop.scanned.is_set()

    @property
    def stalled(self) -> str:
        """What is wrong with the loop; empty where nothing is."""
        if not self._thread.is_alive():
            return "not running"
        stalled_s = max(_STALLED_S_MIN, 10 * self._settings.targets.scan_interval_s)
        age_s = self._loop.last_scan_age_s
        return f"no scan for {age_s:.0f} s" if self.has_scanned and age_s > stalled_s else ""

    @property
    def accounts(self) -> Mapping[Target, int]:
        """CPU time reported of each process, for the watch that follows; complete after `end`."""
        return self._loop.left

    def raise_failure(self) -> None:
        """Raise what ended the loop, if anything did: a defect of ours, which ends the agent."""
        if self._failure is not None:
            raise self._failure

    def end(self) -> None:
        """End every window early, hand over what was seen and counted until now, and stop."""
        self._loop.stop()
        # The loop bounds its own end; a hung one is left behind.
        self._thread.join(self._settings.sampling.stop_s + _METRICS_END_S)
        if self._reporter is not None:
            self._reporter.close(_METRICS_END_S)
        self._stacks.close()

    def _run(self) -> None:
        try:
            self._loop.run()
        except BaseException as error:  # noqa: BLE001 (raised again by the main thread)
            self._failure = error


def _build_loop(
    settings: AgentSettings,
    host: HostIdentity,
    sender: Sender,
    metrics: SelfMetrics,
    accounts: Mapping[Target, int],
    *,
    pace: Pace,
    stacks: HostStacks,
) -> SamplingLoop:
    sampling = settings.sampling
    targets_max = settings.targets.targets_max
    ledger = HostLedger(
        settings.ledger,
        host.attributes,
        metrics,
        processes_max=settings.targets.processes_max,
        take_stacks=stacks.take,
        billed=accounts,
    )
    return SamplingLoop(
        settings,
        Scanner(
            settings.targets,
            Identifier(host, settings.identity, count=partial(_count_identity_error, metrics)).describe,
        ),
        _build_engine(sampling, pace, metrics),
        ProfileExport(sender, batch_bytes_max=settings.export.batch_bytes_max).deliver,
        metrics,
        governor=Governor(settings.budget, pace, metrics, window_s=sampling.window_s, windows_max=targets_max),
        ledger=ledger if settings.ledger.enabled else None,
        left=accounts,
    )


def _build_engine(sampling: SamplingSettings, pace: Pace, metrics: SelfMetrics) -> Engine:
    remote = RemoteEngine(
        pace=pace,
        window_s=sampling.window_s,
        mode=sampling.mode,
        depth_max=sampling.depth_max,
        off_cpu_every=_OFF_CPU_EVERY,
    )
    idle = sampling.mode == "wall"
    pyspy = PySpyEngine(rate_hz=sampling.rate_hz, window_s=sampling.window_s, pace=pace, idle=idle)
    if sampling.engine == "auto":
        return AutoEngine(remote, pyspy, refused=partial(_count_refusal, metrics))
    return remote if sampling.engine == "remote" else pyspy


def _count_refusal(metrics: SelfMetrics, reason: str) -> None:
    metrics.add(semconv.AGENT_ENGINE_REFUSED, reason=reason)


def _count_identity_error(metrics: SelfMetrics, reason: str) -> None:
    metrics.add(semconv.AGENT_IDENTITY_ERRORS, reason=reason)
