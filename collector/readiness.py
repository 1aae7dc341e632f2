"""What the collector needs to do its job: the checks behind ``/readyz``."""

import logging
from collections.abc import Mapping, Sequence

from collector.auth.tokens import DEFAULT_TENANT
from collector.flush import Flusher
from collector.health import Check
from collector.store.migrate import pending_migrations
from collector.store.protocol import Store, StoreError
from collector.wal import LogUnavailableError, WriteAheadLog
from pyrometer.errors import PyrometerError

_log = logging.getLogger("pyrometer.collector")


def readiness_checks(
    stores: Mapping[str, Store], logs: Mapping[str, Mapping[str, WriteAheadLog]], flushers: Sequence[Flusher]
) -> tuple[Check, ...]:
    """
    Return the checks. Everybody may read what they say, so that it names no tenant.

    Args:
        stores: By tenant.
        logs: By tenant and signal.
        flushers: Of all logs.
    """
    return (
        Check("database", lambda: _databases_answer(stores)),
        Check("migrations", lambda: _migrations_applied(stores)),
        Check("log", lambda: _logs_take_more(logs, flushers)),
    )


def _databases_answer(stores: Mapping[str, Store]) -> str:
    version = stores[DEFAULT_TENANT].ping()
    for tenant in stores.keys() - {DEFAULT_TENANT}:
        try:
            stores[tenant].ping()
        except StoreError as error:
            _log.warning("the database of tenant %s: %s", tenant, error)
            raise PyrometerError("the database of a tenant does not answer; the collector's log says whose") from error
    return f"ClickHouse {version}"


def _migrations_applied(stores: Mapping[str, Store]) -> str:
    pending = [migration for store in stores.values() for migration in pending_migrations(store)]
    if pending:
        raise PyrometerError(f"{len(pending)} migrations are not applied: run pyrometer collector migrate")
    return "all applied"


def _logs_take_more(logs: Mapping[str, Mapping[str, WriteAheadLog]], flushers: Sequence[Flusher]) -> str:
    all_logs = [pair for tenant_logs in logs.values() for pair in tenant_logs.items()]
    for signal, log in all_logs:
        if log.is_full():
            raise LogUnavailableError(f"the log of {signal} is full")
    for flusher in flushers:
        if not flusher.is_alive():
            raise PyrometerError(f"the flusher of {flusher.signal} has ended; restart the collector")
    return f"{sum(log.waiting_bytes() for _, log in all_logs)} bytes wait for the database"
