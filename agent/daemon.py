"""The agent as a program: built from its settings, run until a signal, ended in order and in time."""

import contextlib
import logging
import resource
import signal
import threading
from collections.abc import Mapping
from functools import partial
from types import FrameType as PythonFrame

from opentelemetry.sdk.metrics import MeterProvider

from agent.destination import Signal, resolve_destination
from agent.export import Sender
from agent.http_server import AgentHttpServer
from agent.identity import describe_process, read_host_identity
from agent.matching import IdentityRules
from agent.metric_export import start_metrics
from agent.profile_export import ProfileExport
from agent.reader.pyspy import PySpyEngine
from agent.rights import missing_rights
from agent.sampling import SamplingLoop
from agent.selfmetrics import SelfMetrics, build_registry
from agent.settings import AgentSettings
from agent.targets import Scanner
from pyrometer import __version__

_LOG = logging.getLogger(__name__)
_STALLED_S_MIN = 30.0
_DESCRIPTORS_SPARE = 512
_MS_PER_S = 1000.0


def run_agent(settings: AgentSettings, environment: Mapping[str, str]) -> int:
    """
    Run until SIGTERM or SIGINT; the composition root.

    Returns:
        The exit code: 0 after SIGTERM, 130 after SIGINT.

    Raises:
        ConfigError: If the HTTP address cannot be had.
    """
    _raise_descriptor_limit(settings.targets.targets_max)
    metrics = SelfMetrics()
    host = read_host_identity(environment)
    destination = resolve_destination(settings.export, environment)
    sender = Sender(settings.export, destination, metrics)
    loop = SamplingLoop(
        settings,
        Scanner(
            settings.targets,
            partial(describe_process, host=host, rules=IdentityRules(settings.identity.rules)),
        ),
        PySpyEngine(rate_hz=settings.sampling.rate_hz, window_s=settings.sampling.window_s),
        ProfileExport(sender, batch_bytes_max=settings.export.batch_bytes_max).deliver,
        metrics,
    )
    address, port = settings.http.host_and_port()
    with contextlib.ExitStack() as stack:
        http = AgentHttpServer(
            address,
            port,
            registry=build_registry(metrics),
            healthy=partial(_healthy, settings, loop, sender),
            ready=partial(_ready, loop, sender),
        )
        stack.callback(http.close)
        sender.start()
        stack.callback(sender.close, settings.export.flush_s)
        if settings.metrics.enabled:
            provider = start_metrics(settings.metrics, host, metrics, sender)
            stack.callback(_end_metrics, provider, settings.export.flush_s)
        http.start()
        received = _stop_on_signals(loop)
        _announce(f"{address}:{http.port}", destination.urls[Signal.PROFILES])
        loop.run()
    _LOG.info("ended")
    return 130 if signal.SIGINT in received else 0


def _announce(address: str, url: str) -> None:
    _LOG.info("pyrometer agent %s: state on http://%s/readyz, sending to %s", __version__, address, url)
    if missing := missing_rights():
        _LOG.warning("%s; host metrics are sent all the same", missing)


def _end_metrics(provider: MeterProvider, timeout_s: float) -> None:
    provider.shutdown(timeout_millis=max(1.0, timeout_s) * _MS_PER_S)


def _stop_on_signals(loop: SamplingLoop) -> list[int]:
    """Let SIGTERM and SIGINT end the loop; return the list that will hold the signals that came."""
    received: list[int] = []

    def stop(number: int, _: PythonFrame | None) -> None:
        received.append(number)
        loop.stop()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
    return received


def _healthy(settings: AgentSettings, loop: SamplingLoop, sender: Sender) -> dict[str, str]:
    """Alive: the loop ticked recently and the sender lives."""
    stalled_s = max(_STALLED_S_MIN, 10 * settings.targets.scan_interval_s)
    waited = loop.scanned.is_set() and loop.last_scan_age_s > stalled_s
    return {
        "loop": f"no scan for {loop.last_scan_age_s:.0f} s" if waited else "",
        "sender": "" if sender.is_running else "not running",
    }


def _ready(loop: SamplingLoop, sender: Sender) -> dict[str, str]:
    """Can do its job: processes were looked at, and the sender lives; the collector need not be there."""
    return {
        "scan": "" if loop.scanned.is_set() else "not yet",
        "sender": "" if sender.is_running else "not running",
    }


def _raise_descriptor_limit(targets_max: int) -> None:
    """One descriptor is kept for each target: take as many as we may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = targets_max + _DESCRIPTORS_SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
