"""Scans every service again and again and records what got worse, so that nobody has to ask."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

from msgspec import Meta, Struct

from collector.background import Background
from collector.metrics import CollectorMetrics
from pyrometer.errors import PyrometerError
from pyrometer.text import printable

logger = logging.getLogger("pyrometer.collector")

# The first round comes sooner: after a restart nobody should have to wait for the whole interval.
_FIRST_S: Final = 60.0
# After each scan it rests for so many times as long, so that scans take a quarter of a core at most.
_RESTS: Final = 3.0
_NAME_CHARS_MAX: Final = 200


class WatchSettings(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """
    How often services are scanned.

    Attributes:
        interval_s: From one round to the next; 0: never.
    """

    interval_s: Annotated[float, Meta(ge=0, le=86_400)] = 300.0


class StoppedError(Exception):
    """The collector stops: the scan is left where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """
    One tenant's services.

    Attributes:
        opened: Set once there is something to ask.
        services: Returns the names of those that sent something of late.
        scan: Scans one and records what is found.
    """

    opened: threading.Event
    services: Callable[[], Sequence[str]]
    scan: Callable[[str], None]


class Watcher(Background):
    """
    Scans within its block, in a thread of its own. A service that cannot be scanned keeps no other from it.

    Args:
        tenants: By name.
        settings: See there.
        metrics: Count scans and their time.
        stopping: Set when the block ends; a scan looks at it between two queries (``stop_if_asked``).
    """

    def __init__(
        self,
        tenants: Mapping[str, Watched],
        settings: WatchSettings,
        metrics: CollectorMetrics,
        stopping: threading.Event,
    ) -> None:
        # A database must not be closed under a query that runs.
        super().__init__("watcher", end_s=None, stopping=stopping)
        self._tenants = tenants
        self._interval_s = settings.interval_s
        self._metrics = metrics

    def _is_needed(self) -> bool:
        return self._interval_s > 0

    def _run(self) -> None:
        wait_s = min(_FIRST_S, self._interval_s)
        while not self._stopping.wait(wait_s):
            started_s = time.monotonic()
            for tenant, watched in self._tenants.items():
                if watched.opened.is_set():
                    self._round(tenant, watched)
            wait_s = max(0.0, self._interval_s - (time.monotonic() - started_s))

    def _round(self, tenant: str, watched: Watched) -> None:
        names: list[str] = []
        self._try(f"tenant {tenant}: services to scan", lambda: names.extend(watched.services()))
        for name in names:
            started_s = time.monotonic()
            if self._try(f"tenant {tenant}: scan of {printable(name, _NAME_CHARS_MAX)}", partial(watched.scan, name)):
                self._metrics.scans.labels("done").inc()
            took_s = time.monotonic() - started_s
            self._metrics.scan_seconds.observe(took_s)
            if self._stopping.wait(_RESTS * took_s):
                return

    def _try(self, what: str, work: Callable[[], None]) -> bool:
        """Return whether some work could be done; a failure is counted and told."""
        try:
            work()
        except StoppedError:
            return False
        except PyrometerError as error:
            logger.warning("%s: %s", what, error)
        except Exception:
            logger.exception("%s", what)
        else:
            return True
        self._metrics.scans.labels("failed").inc()
        return False


def stop_if_asked(stopping: threading.Event) -> Callable[[str, float], None]:
    """Return what is called after each query of a scan: it leaves the scan when the collector stops."""

    def observe(_query: str, _seconds: float) -> None:
        if stopping.is_set():
            raise StoppedError

    return observe
