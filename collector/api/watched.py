"""What the collector scans by itself, through the same handlers that answer requests."""

import threading
from dataclasses import replace

from collector.api.context import Context
from collector.api.parameters import DetectQuery, ServicesQuery
from collector.api.regressions import record_scan
from collector.api.services import services
from collector.watching import Watched, stop_if_asked


def watched_by(context: Context, *, opened: threading.Event, stopping: threading.Event) -> Watched:
    """
    Return a tenant's services, and how one is scanned.

    Args:
        context: Of that tenant.
        opened: Set once its tables are complete.
        stopping: Leaves a scan between two queries.
    """
    own = replace(context, observe=stop_if_asked(stopping))

    def names() -> list[str]:
        return [row.service for row in services(own, ServicesQuery()).services]

    def scan(service: str) -> None:
        record_scan(own, DetectQuery(service=service))

    return Watched(opened=opened, services=names, scan=scan)
