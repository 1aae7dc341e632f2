"""What a reader of the host yields, and reading all of them so that one that fails takes none of the others with it."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from agent.selfmetrics import SelfMetrics
from pyrometer import semconv

_LOG = logging.getLogger(__name__)
_NO_LABELS: Final[Mapping[str, str]] = {}


class Reading(NamedTuple):
    """
    One number.

    Attributes:
        metric: A name in `semconv.METRICS`, which holds its unit.
        value: A whole number stays one on the wire.
        labels: Attributes of the point.
    """

    metric: str
    value: float
    labels: Mapping[str, str] = _NO_LABELS


Read = Callable[[], Iterable[Reading]]


def read_all(reads: Mapping[str, Read], metrics: SelfMetrics) -> list[Reading]:
    """Return what every reader yields; what one cannot read is left out, and a defect of one is counted by its name."""
    readings: list[Reading] = []
    for name, read in reads.items():
        try:
            readings += read()
        except Exception:  # noqa: BLE001 (a file of a form nobody has seen must not end the others)
            _LOG.debug("host metrics of %s cannot be read", name, exc_info=True)
            metrics.add(semconv.AGENT_HOST_READ_ERRORS, reason=name)
    return readings


def limited(names: Iterable[str], limit: int, metrics: SelfMetrics) -> list[str]:
    """Return the first names in order, and count those beyond the limit."""
    ordered = sorted(names)
    metrics.add(semconv.AGENT_DEVICES_IGNORED, max(0, len(ordered) - limit))
    return ordered[:limit]


def parse_counters(text: bytes) -> dict[str, int]:
    """Return the numbers of a file of ``name value`` lines, as vmstat and cgroup files are; others are left out."""
    counters: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(b" ")
        if value.isdigit():
            counters[name.decode("ascii", "replace")] = int(value)
    return counters
