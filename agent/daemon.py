"""The agent as a program: built from its settings, run until a signal, its settings read again on SIGHUP."""

import contextlib
import gc
import logging
import queue
import resource
import signal
import threading
from collections.abc import Callable, Mapping
from typing import Final

from agent.destination import Signal, resolve_destination
from agent.export import Sender
from agent.host_identity import HostIdentity, read_host_identity
from agent.http_server import AgentHttpServer
from agent.reloading import compare_settings
from agent.rights import missing_right
from agent.selfmetrics import SelfMetrics, build_registry
from agent.settings import AgentSettings
from agent.spool import Spool
from agent.spool_place import spool_directory
from agent.systemd import Notifier
from agent.watch import Watch
from pyrometer import __version__, semconv
from pyrometer.errors import ConfigError

_LOG = logging.getLogger(__name__)
_DESCRIPTORS_SPARE: Final = 512
# How often the main thread looks whether the others live, where systemd's watchdog does not ask for more.
_BEAT_S: Final = 1.0
# Objects between two runs of the collector of garbage (700 otherwise), whose youngest run looks at all of them.
_GC_THRESHOLDS: Final = (10_000, 20, 20)
_ENDING: Final = (signal.SIGTERM, signal.SIGINT)

ReadSettings = Callable[[], AgentSettings]


def run_agent(settings: AgentSettings, environment: Mapping[str, str], read_settings: ReadSettings) -> int:
    """
    Run until SIGTERM or SIGINT; the composition root.

    Args:
        settings: As read at the start.
        environment: Usually ``os.environ``.
        read_settings: Reads them again, from the same file, environment and flags; raises `ConfigError`.

    Returns:
        The exit code: 0 after SIGTERM, 130 after SIGINT.

    Raises:
        ConfigError: If the HTTP address or the spool cannot be had, or where to send to is wrong.
    """
    _raise_descriptor_limit(settings.targets.targets_max)
    signals = _listen_for_signals()
    metrics = SelfMetrics()
    notifier = Notifier(environment)
    address, port = settings.http.host_and_port()
    destination = resolve_destination(settings.export, environment)
    spool = Spool(settings.export, spool_directory(settings.export.spool, environment), metrics)
    sender = Sender(settings.export, destination, spool, metrics)
    with contextlib.ExitStack() as stack:
        agent = Agent(settings, read_host_identity(environment), sender, metrics, environment)
        http = AgentHttpServer(
            address, port, registry=build_registry(metrics), healthy=agent.healthy, ready=agent.ready
        )
        stack.callback(http.close)
        sender.start()
        stack.callback(agent.close_sender)
        agent.start()
        stack.callback(agent.end_watch)
        http.start()
        # What was built until now stays: the collector of garbage need not look at it again each time it runs.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        _announce(f"{address}:{http.port}", sender.destination.urls[Signal.PROFILES])
        received = _serve(agent, signals, notifier, read_settings)
        notifier.stopping()
    _LOG.info("ended")
    return 130 if received == signal.SIGINT else 0


class Agent:
    """What runs: a sender that stays, and a watch that is replaced when settings change. One thread calls it."""

    def __init__(
        self,
        settings: AgentSettings,
        host: HostIdentity,
        sender: Sender,
        metrics: SelfMetrics,
        environment: Mapping[str, str],
    ) -> None:
        self.settings = settings
        self._host = host
        self._sender = sender
        self._metrics = metrics
        self._environment = environment
        self._watch: Watch | None = None

    def start(self) -> None:
        """Begin to watch, going on with the accounts of the watch before, so that no CPU time falls between them."""
        accounts = self._watch.accounts if self._watch else None
        self._watch = Watch(self.settings, self._host, self._sender, self._metrics, accounts=accounts)

    def reload(self, read_settings: ReadSettings) -> None:
        """Read the settings again and apply them; wrong ones are told and counted, and those in force stay."""
        try:
            change = compare_settings(self.settings, read_settings())
            destination = resolve_destination(change.settings.export, self._environment)
        except ConfigError as error:
            self._metrics.add(semconv.AGENT_RELOADS, outcome="refused")
            _LOG.error("settings not reloaded, those in force stay: %s", error)
            return
        if change.waiting:
            _LOG.warning("%s changed: it is taken at the next start only", ", ".join(change.waiting))
        # Certificates and token may be others under the same names.
        self._sender.apply(change.settings.export, destination)
        if change.applied:
            self.settings = change.settings
            self.end_watch()
            self.start()
        self._metrics.add(semconv.AGENT_RELOADS, outcome="applied")
        _LOG.info("settings reloaded: %s", ", ".join(change.applied) or "nothing to apply")

    def end_watch(self) -> None:
        """End the watch; what it saw until now is handed to the sender."""
        if self._watch is not None:
            self._watch.end()

    def close_sender(self) -> None:
        """Send what waits, for as long as the settings in force give."""
        self._sender.close(self.settings.export.flush_s)

    def raise_failure(self) -> None:
        """Raise what ended the watch, if anything did."""
        if self._watch is not None:
            self._watch.raise_failure()

    def healthy(self) -> dict[str, str]:
        """Alive: the loop ticked recently and the sender lives."""
        return {"loop": self._watch.stalled if self._watch else "", "sender": self._sender_state()}

    def ready(self) -> dict[str, str]:
        """Can do its job: processes were looked at, and the sender lives; the collector need not be there."""
        scanned = self._watch is not None and self._watch.has_scanned
        return {"scan": "" if scanned else "not yet", "sender": self._sender_state()}

    def _sender_state(self) -> str:
        return "" if self._sender.is_running else "not running"


def _serve(agent: Agent, signals: "queue.SimpleQueue[int]", notifier: Notifier, read_settings: ReadSettings) -> int:
    """Tell systemd how it goes, and answer signals, until one that ends the agent; return that."""
    beat_s = min(_BEAT_S, notifier.beat_s or _BEAT_S)
    told_ready = False
    while True:
        if not told_ready and not any(agent.ready().values()):
            notifier.ready("watching")
            told_ready = True
        if not any(agent.healthy().values()):
            notifier.alive()
        try:
            number = signals.get(timeout=beat_s if told_ready else 0.05)
        except queue.Empty:
            agent.raise_failure()
            continue
        if number in _ENDING:
            return number
        notifier.reloading()
        agent.reload(read_settings)
        told_ready = False


def _listen_for_signals() -> "queue.SimpleQueue[int]":
    """Return where SIGTERM, SIGINT and SIGHUP arrive from now on."""
    # Its `put` may interrupt its `get`, unlike that of the other queues.
    received: queue.SimpleQueue[int] = queue.SimpleQueue()
    if threading.current_thread() is threading.main_thread():
        for number in (*_ENDING, signal.SIGHUP):
            signal.signal(number, lambda number, _: received.put(number))
    return received


def _announce(address: str, url: str) -> None:
    _LOG.info("pyrometer agent %s: state on http://%s/readyz, sending to %s", __version__, address, url)
    if missing := missing_right():
        _LOG.warning("%s; %s; host metrics are sent all the same", missing.what, missing.mend)


def _raise_descriptor_limit(targets_max: int) -> None:
    """One descriptor is kept for each target: take as many as we may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = targets_max + _DESCRIPTORS_SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
