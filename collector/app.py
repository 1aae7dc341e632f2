"""The collector's composition root: builds everything from the settings, serves, and takes it down in reverse."""

import contextlib
import ctypes
import fcntl
import logging
import os
import ssl
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

from collector.api.app import Api
from collector.api.watched import watched_by
from collector.auth.guard import Guard
from collector.auth.tls import server_context
from collector.auth.tokens import DEFAULT_TENANT
from collector.auth.watch import TokenWatch
from collector.cost import load_prices
from collector.flush import Flusher, FlushLimits, OtlpWriter, ProfilesWriter, SegmentWriter
from collector.health import Health
from collector.metrics import CollectorMetrics
from collector.opening import Opening
from collector.readiness import readiness_checks
from collector.receive.http import OtlpReceiver
from collector.receive.intake import Intake
from collector.receive.otlp_grpc import OtlpGrpcServer
from collector.receive.profiles_http import ProfileReceiver
from collector.serve import Router, listen, serve
from collector.settings import CollectorSettings, data_directory
from collector.store.address import ServerAddress
from collector.store.embedded import DATABASE, EmbeddedStore
from collector.store.protocol import Store
from collector.store.server import ServerStore
from collector.tracing import own_tracer
from collector.wal import WriteAheadLog
from collector.watching import Watcher
from pyrometer.addresses import is_loopback
from pyrometer.errors import ConfigError

_log = logging.getLogger("pyrometer.collector")

# What the log may take to be emptied when the collector stops; the rest is inserted at the next start.
_DRAIN_S: Final = 2.0
_RECEIVE_THREADS: Final = 4
_HEALTH_THREADS: Final = 3
_MALLOC_BYTES: Final = 64 * 1024**2
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def run(settings: CollectorSettings) -> None:
    """
    Run the collector until SIGTERM or SIGINT.

    Raises:
        PyrometerError: If it cannot start: a setting, the port, the data directory, a database that cannot be used.
            One that does not answer is waited for.
    """
    guard, tls, metrics = _security(settings)
    address = settings.http.host_and_port(has_tokens=guard.asks_for_tokens)
    api_address = settings.http.api_host_and_port(has_tokens=guard.asks_for_tokens)
    grpc_address = settings.grpc.host_and_port(has_tokens=guard.asks_for_tokens)
    prices = load_prices(Path(settings.prices) if settings.prices else None)
    webhooks = settings.webhooks.secrets()
    keep_freed_memory()
    data_dir = data_directory(settings)
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked_directory(data_dir))
        listener = stack.enter_context(listen(*address))
        api_listener = stack.enter_context(listen(*api_address)) if api_address else None
        stores = {
            tenant: stack.enter_context(contextlib.closing(store))
            for tenant, store in open_stores(settings, data_dir, guard.tenants)
        }
        opening = Opening(stores, settings.retention)
        opening.try_all()
        logs, flushers = _start_all_logs(settings, data_dir, opening, stores, metrics)
        stack.callback(_drain, logs, flushers)
        stack.enter_context(opening)
        executor = stack.enter_context(ThreadPoolExecutor(_RECEIVE_THREADS, thread_name_prefix="receive"))
        intake = Intake(logs, metrics=metrics, executor=executor, limits=settings.http.limits(), guard=guard)
        receiver, profile_receiver = OtlpReceiver(intake), ProfileReceiver(intake)
        # Threads of its own: a check of a database that is away must not keep a request waiting.
        checkers = stack.enter_context(ThreadPoolExecutor(_HEALTH_THREADS, thread_name_prefix="health"))
        health = Health(readiness_checks(stores, logs, flushers), metrics, checkers, guard)
        readers = stack.enter_context(ThreadPoolExecutor(settings.api.threads, thread_name_prefix="api"))
        api = Api(
            stores[DEFAULT_TENANT],
            prices,
            settings.api,
            readers,
            registry=metrics.registry,
            guard=guard,
            tenant_stores=stores,
            tracer=stack.enter_context(own_tracer(settings.traces)),
            webhooks=webhooks,
        )
        stack.enter_context(_watcher(settings, api, opening, stores, metrics))
        applications = [(Router(receiver, profile_receiver, health, receiver if api_listener else api), listener)]
        if api_listener:
            applications.append((Router(api, profile_receiver, health, api), api_listener))
            _log.info("query API on %s://%s", "https" if tls else "http", settings.http.api_address)
        _log.info("collector on %s://%s, data in %s", "https" if tls else "http", settings.http.address, data_dir)
        grpc_server = _grpc_server(settings, intake, grpc_address)
        stack.enter_context(TokenWatch(settings.auth, guard))
        serve(applications, connections_max=settings.http.connections_max, tls=tls, grpc_server=grpc_server)
        opening.raise_failure()


def _watcher(
    settings: CollectorSettings, api: Api, opening: Opening, tenants: Iterable[str], metrics: CollectorMetrics
) -> Watcher:
    stopping = threading.Event()
    watched = {
        tenant: watched_by(api.context_of(tenant), opened=opening.opened(tenant), stopping=stopping)
        for tenant in tenants
    }
    return Watcher(watched, settings.watch, metrics, stopping)


def _grpc_server(settings: CollectorSettings, intake: Intake, address: tuple[str, int] | None) -> OtlpGrpcServer | None:
    if address is None:
        return None
    _log.info("OTLP over gRPC on %s", settings.grpc.address)
    return OtlpGrpcServer(intake, *address, limits=settings.grpc.limits(), tls=settings.http.tls.files())


def _security(settings: CollectorSettings) -> tuple[Guard, ssl.SSLContext | None, CollectorMetrics]:
    metrics = CollectorMetrics()
    files = settings.http.tls.files()
    guard = Guard(
        settings.auth.entries(),
        requests_per_s_max=settings.auth.requests_per_s_max,
        count=lambda reason: metrics.denied.labels(reason).inc(),
    )
    if guard.asks_for_tokens and not files and not is_loopback(settings.http.host_and_port(has_tokens=True)[0]):
        _log.warning("tokens cross the network in the clear: set http.tls, or put a proxy that encrypts in front")
    return guard, server_context(files) if files else None, metrics


def open_stores(
    settings: CollectorSettings, data_dir: Path, tenants: Iterable[str]
) -> Iterator[tuple[str, EmbeddedStore | ServerStore]]:
    """
    Open a store for each tenant, that of the default tenant first.

    Each tenant has a database of its own, so no query can see another's rows
    (docs/adr/0009-a-database-for-each-tenant.md).
    """
    url = settings.store.server_url()
    limits, connections_max = settings.store.limits(), settings.store.connections_max
    address, cluster = ServerAddress.parse(url) if url else None, settings.store.server_cluster()
    for tenant in sorted(tenants, key=lambda tenant: (tenant != DEFAULT_TENANT, tenant)):
        is_default = tenant == DEFAULT_TENANT
        if address:
            name = address.database if is_default else f"{address.database}_{tenant}"
            yield (
                tenant,
                ServerStore(
                    replace(address, database=name), limits=limits, connections_max=connections_max, cluster=cluster
                ),
            )
        else:
            name = DATABASE if is_default else f"{DATABASE}_{tenant}"
            yield (
                tenant,
                EmbeddedStore(
                    data_dir,
                    limits=limits,
                    connections_max=connections_max,
                    database=name,
                    runs_already=not is_default,
                    backups_dir=settings.store.backups_directory(data_dir),
                ),
            )


@contextlib.contextmanager
def locked_directory(data_dir: Path) -> Iterator[None]:
    """
    Hold the data directory for this process alone; the lock goes with the process, however it ends.

    Raises:
        ConfigError: If another collector holds it, or it cannot be written.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(data_dir / "collector.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"the data directory {data_dir} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigError(
            f"another collector uses the data directory {data_dir}; stop it, or choose another with --data-dir DIR"
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


def keep_freed_memory() -> None:
    """Make malloc keep large freed blocks for the next request instead of giving each back: halves decoding time."""
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _MALLOC_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _MALLOC_BYTES)


def _start_all_logs(
    settings: CollectorSettings,
    data_dir: Path,
    opening: Opening,
    stores: Mapping[str, Store],
    metrics: CollectorMetrics,
) -> tuple[dict[str, dict[str, WriteAheadLog]], list[Flusher]]:
    logs: dict[str, dict[str, WriteAheadLog]] = {}
    flushers: list[Flusher] = []
    for tenant, store in stores.items():
        folder = data_dir / "log" if tenant == DEFAULT_TENANT else data_dir / "tenants" / tenant / "log"
        logs[tenant], more = _start_logs(settings, folder, store, metrics, opened=opening.opened(tenant))
        flushers += more
    return logs, flushers


def _start_logs(
    settings: CollectorSettings, folder: Path, store: Store, metrics: CollectorMetrics, *, opened: threading.Event
) -> tuple[dict[str, WriteAheadLog], list[Flusher]]:
    writers: dict[str, SegmentWriter] = {
        "traces": OtlpWriter(store, "traces"),
        "logs": OtlpWriter(store, "logs"),
        "metrics": OtlpWriter(store, "metrics"),
        "profiles": ProfilesWriter(store, metrics),
    }
    limits = FlushLimits(attempts_max=settings.log.attempts_max, rejected_files_max=settings.log.rejected_files_max)
    logs: dict[str, WriteAheadLog] = {}
    flushers: list[Flusher] = []
    for signal, writer in writers.items():
        try:
            log = WriteAheadLog(folder / signal, settings.log.limits())
        except OSError as error:
            raise ConfigError(f"the log in {folder} cannot be opened: {error}") from error
        if log.recovered or log.cut_bytes:
            _log.info(
                "log of %s: %d segments of an earlier run, %d bytes of unacknowledged requests cut off",
                *(signal, log.recovered, log.cut_bytes),
            )
        if log.damaged_bytes:
            metrics.damaged_bytes.labels(signal).inc(log.damaged_bytes)
            _log.error(
                "log of %s: %d bytes that were acknowledged cannot be read any more; check the disk of %s",
                *(signal, log.damaged_bytes, folder),
            )
        metrics.watch_log(signal, log.waiting_bytes, log.waiting_segments)
        metrics.watch_senders(signal, log.known_senders)
        flusher = Flusher(
            log,
            writer,
            signal=signal,
            rejected_dir=folder / "rejected",
            metrics=metrics,
            limits=limits,
            opened=opened,
        )
        flusher.start()
        logs[signal] = log
        flushers.append(flusher)
    return logs, flushers


def _drain(logs: Mapping[str, Mapping[str, WriteAheadLog]], flushers: list[Flusher]) -> None:
    all_logs = [log for tenant_logs in logs.values() for log in tenant_logs.values()]
    closers = [threading.Thread(target=log.close) for log in all_logs]
    for closer in closers:
        closer.start()
    deadline = time.monotonic() + _DRAIN_S
    for closer in closers:
        closer.join()
    emptied = [flusher.close(max(0.0, deadline - time.monotonic())) for flusher in flushers]
    if not all(emptied):
        waiting = sum(log.waiting_bytes() for log in all_logs)
        _log.info("%d bytes stay in the log and are inserted at the next start", waiting)
    if any(flusher.is_alive() for flusher in flushers):
        # An insert goes on, and the embedded engine crashes when it is taken down under one. What a kill may do at any
        # moment is safe to do here.
        if error := sys.exception():
            _log.error("the collector failed", exc_info=error)
        logging.shutdown()
        os._exit(1 if error else 0)
