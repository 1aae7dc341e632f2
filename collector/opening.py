"""
Brings databases to the current tables when the collector starts, or as soon as they answer.

A database that is away must not keep the collector from taking requests: they wait in the log. Nothing is inserted
before the tables are complete, because a table without its views would take rows and lose them.
"""

import logging
import os
import signal
import threading
from collections.abc import Mapping
from typing import Final

from collector.background import Background
from collector.store.migrate import migrate
from collector.store.protocol import Store, UnreachableStoreError
from collector.store.retention import RetentionSettings, apply_retention

_log = logging.getLogger("pyrometer.collector")

_RETRY_S_MIN: Final = 0.5
_RETRY_S_MAX: Final = 10.0


class Opening(Background):
    """
    Opens each tenant's database.

    Within its block a thread tries those that did not answer again. Where one of them turns out to be unusable, the
    collector is told to stop, and ``raise_failure`` says why.

    Args:
        stores: By tenant.
        retention: How long they keep rows.
    """

    def __init__(self, stores: Mapping[str, Store], retention: RetentionSettings) -> None:
        super().__init__("opening")
        self._stores = stores
        self._retention = retention
        self._opened = {tenant: threading.Event() for tenant in stores}
        self._failure: Exception | None = None

    def opened(self, tenant: str) -> threading.Event:
        """Return the event that is set once a tenant's tables are complete."""
        return self._opened[tenant]

    def try_all(self) -> bool:
        """
        Migrate what is not open yet, and tell whether all are open now.

        Raises:
            ConfigError, StoreError: If one answers and cannot be used.
        """
        for tenant, store in self._stores.items():
            if self._opened[tenant].is_set():
                continue
            try:
                done = migrate(store)
                changes = apply_retention(store, self._retention)
            except UnreachableStoreError as error:
                _log.warning("requests of tenant %s wait in the log: %s", tenant, error)
                continue
            if done:
                _log.info("tenant %s: applied %d migrations, the last is %s", tenant, len(done), done[-1])
            for change in changes:
                _log.info("tenant %s: %s", tenant, change)
            self._opened[tenant].set()
        return all(event.is_set() for event in self._opened.values())

    def raise_failure(self) -> None:
        """Raise what made a database unusable after the start, if anything did."""
        if self._failure is not None:
            raise self._failure

    def _is_needed(self) -> bool:
        return not all(event.is_set() for event in self._opened.values())

    def _run(self) -> None:
        retry_s = _RETRY_S_MIN
        while not self._stopping.wait(retry_s):
            retry_s = min(2 * retry_s, _RETRY_S_MAX)
            try:
                if self.try_all():
                    return
            except Exception as error:  # noqa: BLE001 (it reaches the top through raise_failure)
                if not self._stopping.is_set():
                    self._failure = error
                    os.kill(os.getpid(), signal.SIGTERM)
                return
