"""What the comparison of two releases asks for before it says that something changed."""

from typing import Annotated

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(gt=0, lt=1)]


class CompareSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """
    Thresholds and limits of ``/compare``.

    Attributes:
        confidence: Of every interval.
        false_discovery_rate: Expected share of wrong findings among the findings of one answer.
        effect_min: A smaller relative change is no finding, however certain it is.
        error_rate_change_min: The same for error rates, in points of the rate (0.001 is one request in 1,000).
        latency_change_min_ms: The same for latencies, in milliseconds.
        buckets_min: Fewer time buckets of a release than this are not enough data.
        samples_min: Fewer samples of a function, both releases together, are not enough data.
        requests_min: Per release, for the mean and the median of an operation, and for CPU per request.
        requests_p95_min: Per release, for the 95th percentile and the error rate.
        requests_p99_min: Per release, for the 99th percentile.
        resamples: Bootstrap resamples per operation.
        functions_max: Functions tested, the largest by CPU first; the others are not tested.
        operations_max: Operations tested, those with the most requests first.
    """

    confidence: Share = 0.95
    false_discovery_rate: Share = 0.05
    effect_min: Annotated[float, Meta(ge=0)] = 0.02
    error_rate_change_min: Annotated[float, Meta(ge=0)] = 0.001
    latency_change_min_ms: Annotated[float, Meta(ge=0)] = 0.1
    buckets_min: Annotated[int, Meta(ge=3)] = 6
    samples_min: Annotated[int, Meta(ge=1)] = 20
    requests_min: Annotated[int, Meta(ge=1)] = 30
    requests_p95_min: Annotated[int, Meta(ge=1)] = 100
    requests_p99_min: Annotated[int, Meta(ge=1)] = 300
    resamples: Annotated[int, Meta(ge=200, le=20_000)] = 1000
    functions_max: Annotated[int, Meta(ge=1, le=10_000)] = 5000
    operations_max: Annotated[int, Meta(ge=1, le=1000)] = 50
