"""
How long rows are kept: each table's TTL, brought to the settings when the collector starts.

The migrations make tables with the defaults. What a table's TTL counts from stays as its migration says; only the
number of days is changed, and only where it differs. The engine then drops what is too old by itself, whole parts at a
time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta, Struct

from collector.store.cluster import LOCAL
from collector.store.protocol import Store

Days = Annotated[int, Meta(ge=1, le=3650)]

# What ids of samples and series stand for is written once a day while it is seen, so it must outlive what refers to it.
_CONTENT_MORE_DAYS: Final = 16
_TTL: Final = re.compile(r" TTL (?P<start>[^,]+?) \+ toIntervalDay\((?P<days>\d+)\)")


class RetentionSettings(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Days that rows are kept, by tier."""

    samples_days: Days = 14
    spans_days: Days = 14
    metrics_days: Days = 14
    logs_days: Days = 14
    rollups_days: Days = 90
    events_days: Days = 400

    def by_table(self) -> Mapping[str, int]:
        """Return the days of each table."""
        rollups = ("function_cost", "service_cost", "window_quality", "latency", "rejected_rows")
        return {
            "samples": self.samples_days,
            **dict.fromkeys(("series", "stacks", "frames"), self.samples_days + _CONTENT_MORE_DAYS),
            **dict.fromkeys(("spans", "span_details"), self.spans_days),
            **dict.fromkeys(("metric_points", "metric_histograms"), self.metrics_days),
            "metric_series": self.metrics_days + _CONTENT_MORE_DAYS,
            "logs": self.logs_days,
            **dict.fromkeys(rollups, self.rollups_days),
            **dict.fromkeys(("events", "releases_seen", "regressions"), self.events_days),
        }


@dataclass(frozen=True, slots=True)
class RetentionChange:
    """
    A table whose TTL is not what the settings say.

    Attributes:
        table: Its name.
        start: The expression that its TTL counts from, in SQL.
        days_before: As it is.
        days: As it shall be.
    """

    table: str
    start: str
    days_before: int
    days: int

    def __str__(self) -> str:
        return f"{self.table} is kept {self.days} days, not {self.days_before}"


def retention_changes(store: Store, retention: RetentionSettings) -> list[RetentionChange]:
    """Return what differs from the settings, sorted by table; a table that is not there yet is not among it."""
    rows = store.select(
        "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase() "
        "AND engine LIKE '%MergeTree' ORDER BY name"
    )
    wanted = retention.by_table()
    changes = []
    for row in rows:
        found = _TTL.search(row["engine_full"])
        table = row["name"].removesuffix(LOCAL)
        days = wanted.get(table)
        if found is None or days is None or days == int(found["days"]):
            continue
        changes.append(RetentionChange(table, found["start"], int(found["days"]), days))
    return changes


def apply_retention(store: Store, retention: RetentionSettings) -> list[RetentionChange]:
    """Change what differs, and return it; done again, it changes nothing."""
    changes = retention_changes(store, retention)
    for change in changes:
        store.define(f"ALTER TABLE {change.table} MODIFY TTL {change.start} + INTERVAL {change.days} DAY")
    return changes
