"""
The query API's answers, as the collector writes and the dashboard and CLI read them.

Times are RFC 3339 in UTC with the suffix ``Z``. Units stand last in a name. A number that cannot be known is null,
never 0. Money is in the currency of ``prices.yaml`` and per month of 730 h.
Unknown fields are ignored by readers, so that a newer collector serves an older dashboard.
"""

from typing import Literal

import msgspec

API_PREFIX = "/api/v1"

# Both at the same moments; the same hours of the week, or of the day; or one after the other.
Matching = Literal["side_by_side", "hour_of_week", "hour_of_day", "apart"]
MATCHING_WORDS: dict[Matching, str] = {
    "side_by_side": "side by side, paired by time",
    "hour_of_week": "one after the other, paired by hour of the week",
    "hour_of_day": "one after the other, paired by hour of the day",
    "apart": "one after the other",
}
Verdict = Literal["regression", "improvement", "no_change", "not_enough_data"]


class TimeRange(msgspec.Struct, kw_only=True):
    """The half-open range [start, end) an answer covers."""

    start: str
    end: str


class Problem(msgspec.Struct, kw_only=True):
    """The one error shape of every route. Source: RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class ServiceRow(msgspec.Struct, kw_only=True):
    """
    One service over the range.

    ``cpu_cores`` is CPU seconds per second between the first and last sight in the range; ``error_rate`` is 0 to 1.
    Latencies are of server spans, in milliseconds; null where the service sent no spans.
    """

    service: str
    versions: list[str]
    first_seen: str
    last_seen: str
    hosts: int
    cpu_seconds: float
    cpu_cores: float
    samples: int
    cost_per_month: float
    requests: int
    requests_per_second: float
    errors: int
    error_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class ServicesAnswer(msgspec.Struct, kw_only=True):
    """Answer of ``/services``, the most expensive service first."""

    range: TimeRange
    currency: str
    services: list[ServiceRow]


class WindowQuality(msgspec.Struct, kw_only=True):
    """
    How what is shown was sampled.

    ``rate_hz``: looks a second at each process, while it was sampled. ``coverage``: the share of the values (CPU time)
    that stacks stand for which were seen, 0 to 1; both null where the sender does not say how it looked.
    ``unstable_share``, ``cut_share``: of the samples, those without their leaf part ("[unstable]"), and without their
    root. ``late``, ``lost``: looks that came late, or not at all. ``errors``: samples that failed.
    """

    rate_hz: float | None = None
    coverage: float | None = None
    unstable_share: float = 0.0
    cut_share: float = 0.0
    samples: int = 0
    looks: int = 0
    late: int = 0
    lost: int = 0
    errors: int = 0


class FlamegraphAnswer(msgspec.Struct, kw_only=True):
    """
    Answer of ``/flamegraph``: a tree as columns, in pre-order, parents before children, node 0 the root "all".

    All columns have the shape (n_nodes,). ``name`` and ``file`` index into ``strings``. ``start`` is the left edge and
    ``total`` the width, both in ``unit``; children lie inside their parent, largest first.
    ``base_total`` and ``base_self`` are present (same shape) when a baseline was asked for: the baseline's values in
    the same unit, not normalised; ``total_value``/``base_total_value`` are what to divide by for shares.
    ``folded`` counts the nodes that were folded into "(other)" to stay under ``max_nodes``.
    """

    range: TimeRange
    service: str
    sample_type: str
    unit: str
    total_value: float
    samples: int
    folded: int
    strings: list[str]
    depth: list[int]
    parent: list[int]
    name: list[int]
    file: list[int]
    start: list[float]
    total: list[float]
    self: list[float]
    quality: WindowQuality = msgspec.field(default_factory=WindowQuality)
    base_total_value: float | None = None
    base_total: list[float] | None = None
    base_self: list[float] | None = None


class FunctionRow(msgspec.Struct, kw_only=True):
    """One function: time in itself, and with what it called (a stack counts once, however deep the recursion)."""

    function: str
    file: str
    samples: int
    self_cpu_seconds: float
    total_cpu_seconds: float
    self_share: float
    total_share: float
    self_cost_per_month: float
    total_cost_per_month: float


class FunctionsAnswer(msgspec.Struct, kw_only=True):
    """Answer of ``/functions``, the largest own time first."""

    range: TimeRange
    service: str
    currency: str
    functions: list[FunctionRow]
    quality: WindowQuality = msgspec.field(default_factory=WindowQuality)


class OperationRow(msgspec.Struct, kw_only=True):
    """One operation (span name and kind) of a service. The mean is exact; quantiles are of a histogram, within 2.2%."""

    operation: str
    kind: str
    requests: int
    errors: int
    error_rate: float
    requests_per_second: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


class LatencyPoint(msgspec.Struct, kw_only=True):
    """One step of the service's latency over time, its server spans together."""

    time: str
    requests: int
    errors: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class LatencyAnswer(msgspec.Struct, kw_only=True):
    """Answer of ``/latency``: operations, most requests first, and the series over time without its empty steps."""

    range: TimeRange
    service: str
    step_s: int
    operations: list[OperationRow]
    series: list[LatencyPoint]


class HostRow(msgspec.Struct, kw_only=True):
    """One host: the latest value of each metric in the range. Fractions 0 to 1, bytes, cores."""

    host: str
    last_seen: str
    os: str
    arch: str
    logical_cpus: int | None
    cpu_utilization: float | None
    memory_utilization: float | None
    memory_limit_bytes: int | None
    load_1m: float | None
    services: list[str]
    profiled_cpu_cores: float
    cost_per_month: float | None


class MetricPoint(msgspec.Struct, kw_only=True):
    """One value of one series at one step."""

    time: str
    value: float


class MetricSeries(msgspec.Struct, kw_only=True):
    """One metric of a host over time; counters are given as rates per second."""

    metric: str
    unit: str
    attributes: dict[str, str]
    points: list[MetricPoint]


class HostsAnswer(msgspec.Struct, kw_only=True):
    """Answer of ``/hosts``; ``series`` is filled when one ``host`` was asked for."""

    range: TimeRange
    currency: str
    hosts: list[HostRow]
    series: list[MetricSeries]


class Shortage(msgspec.Struct, kw_only=True, frozen=True):
    """What is missing before something can be tested: how many more of what, in the release that has the fewest."""

    more: int
    unit: Literal["buckets", "samples", "requests"]


class Change(msgspec.Struct, kw_only=True):
    """
    A difference candidate minus baseline, with its confidence interval.

    ``absolute``, ``low`` and ``high`` are in the unit its holder names; ``relative`` is absolute over baseline, null
    where the baseline is 0. ``p_value`` is two-sided; ``q_value`` is after Benjamini-Hochberg over the whole answer,
    the service's own ``cpu`` excepted, which is one test by itself. ``needs`` says what is missing where the verdict is
    ``not_enough_data``; null where nothing was received that could grow into enough.

    ``low``, ``high``, ``p_value``, ``q_value`` and ``verdict`` are for who looks once. For who looks again and again:
    ``always_low`` and ``always_high`` hold the truth however often one looks (null: not yet bounded), ``anytime_q`` is
    the q-value that holds at any time, and ``is_settled`` says that the finding is one by it too. ``mde`` is the
    smallest change that would be found here four times in five. ``samples``: stack samples or requests behind it.
    """

    baseline: float
    candidate: float
    absolute: float
    low: float
    high: float
    relative: float | None
    p_value: float | None
    q_value: float | None
    verdict: Verdict
    needs: Shortage | None = None
    always_low: float | None = None
    always_high: float | None = None
    anytime_q: float | None = None
    is_settled: bool = False
    mde: float | None = None
    samples: int = 0


class FunctionChange(msgspec.Struct, kw_only=True):
    """One function between two releases: CPU milliseconds per unit of work (see ``denominator``), self and total."""

    function: str
    file: str
    self_cpu: Change
    total_cpu: Change
    price_per_month: float
    price_low: float
    price_high: float


class OperationChange(msgspec.Struct, kw_only=True):
    """One operation between two releases, in milliseconds. The price is that of the request slots held longer."""

    operation: str
    kind: str
    baseline_requests: int
    candidate_requests: int
    mean_ms: Change
    p50_ms: Change
    p95_ms: Change
    p99_ms: Change
    error_rate: Change
    verdict: Verdict
    price_per_month: float
    price_low: float
    price_high: float


class CompareAnswer(msgspec.Struct, kw_only=True):
    """
    Answer of ``/compare``: two releases of a service.

    ``denominator`` is ``request`` (CPU per request, when both releases served requests) or ``second`` (CPU per second
    of observed process time). ``requests_per_second`` is the service's traffic, all releases, that prices assume.
    ``cpu`` is the service as a whole, CPU milliseconds per unit of work. ``assumptions``: what prices rest on, a
    sentence each.
    ``matching``: which moments were held against each other; ``paired``: whether any were.
    Regressions stand first, then improvements, then the rest, each by the size of the price; functions are ordered by
    their own time, so that those which only call a function that changed stand further down.
    """

    range: TimeRange
    service: str
    baseline: str
    candidate: str
    paired: bool
    matching: Matching
    buckets: int
    bucket_s: int
    confidence: float
    denominator: Literal["request", "second"]
    requests_per_second: float
    currency: str
    cpu: Change
    cpu_price_per_month: float
    functions: list[FunctionChange]
    operations: list[OperationChange]
    notes: list[str]
    assumptions: list[str]
