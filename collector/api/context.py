"""What the handlers of all routes share."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from collector.api.limits import ApiLimits
from collector.api.parameters import RangeQuery
from collector.api.times import Span, parse_span
from collector.cost import Prices
from collector.events.webhooks import WebhookSecrets
from collector.store.protocol import Parameter, Store
from pyrometer.units import NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """
    The store, the prices, and the limits.

    Attributes:
        now_ns: Returns the wall time, Unix nanoseconds.
        hit: Counts a limit that cut an answer short, by the name of its setting.
        observe: Told the name of each query and the seconds it took.
        webhooks: What proves who sends a webhook.
        writing: Held from reading what a row was until it is written anew, so that nobody's change is lost.
    """

    store: Store
    prices: Prices
    limits: ApiLimits
    now_ns: Callable[[], int]
    hit: Callable[[str], None]
    observe: Callable[[str, float], None]
    webhooks: WebhookSecrets = field(default_factory=WebhookSecrets)
    writing: threading.Lock = field(default_factory=threading.Lock)

    def span(self, query: RangeQuery) -> Span:
        """Return the range of a request."""
        return parse_span(query.start, query.end, now_s=self.now_s, days_max=self.limits.range_days_max)

    def rows(self, name: str, **parameters: Parameter) -> list[dict[str, Any]]:
        """Run a query of the store."""
        started = time.monotonic()
        try:
            return self.store.query(name, parameters)
        finally:
            self.observe(name, time.monotonic() - started)

    def table(self, name: str, **parameters: Parameter) -> pa.Table:
        """Run a query of the store for columns of many numbers."""
        started = time.monotonic()
        try:
            return self.store.query_table(name, parameters)
        finally:
            self.observe(name, time.monotonic() - started)

    def cut(self, rows: list[dict[str, Any]], rows_max: int, setting: str) -> list[dict[str, Any]]:
        """Return at most *rows_max* rows, and count it when there were more: ask the store for one row too many."""
        if len(rows) > rows_max:
            self.hit(setting)
        return rows[:rows_max]

    @property
    def now_s(self) -> float:
        """The wall time, Unix seconds."""
        return self.now_ns() / NS_PER_S


def parameters(**values: Parameter) -> dict[str, Parameter]:
    """Return parameters that several queries share."""
    return values


def histogram(row: Mapping[str, Any]) -> tuple[list[int], list[float]]:
    """Return the latency bins of a row, ascending by index."""
    pairs = sorted(zip(row["hist_indexes"], row["hist_counts"], strict=True))
    return [index for index, _ in pairs], [float(count) for _, count in pairs]


def seen_seconds(first_s: int, last_s: int) -> int:
    """Return the seconds from the start of the first bucket to the end of the last one."""
    return last_s - first_s + 10
