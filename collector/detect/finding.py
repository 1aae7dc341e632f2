"""What a scan finds in one series: the value that the scan, the stored regressions, the API and the prices share."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Direction = Literal["up", "down"]


class Kind(StrEnum):
    """What a series measures. Its unit is in ``UNITS``; more is worse for all but throughput."""

    FUNCTION_SHARE = "function.share"
    FUNCTION_PER_REQUEST = "function.per_request"
    FUNCTION_CPU = "function.cpu"
    SERVICE_CPU = "service.cpu"
    SERVICE_CPU_PER_REQUEST = "service.cpu_per_request"
    SERVICE_THROUGHPUT = "service.throughput"
    OPERATION_LATENCY_MEAN = "operation.latency_mean"
    OPERATION_LATENCY_P50 = "operation.latency_p50"
    OPERATION_LATENCY_P95 = "operation.latency_p95"
    OPERATION_LATENCY_P99 = "operation.latency_p99"
    OPERATION_ERRORS = "operation.errors"
    HOST_CPU = "host.cpu"


UNITS: dict[Kind, str] = {
    Kind.FUNCTION_SHARE: "share of the service's CPU",
    Kind.FUNCTION_PER_REQUEST: "CPU ms per request",
    Kind.FUNCTION_CPU: "cores",
    Kind.SERVICE_CPU: "cores",
    Kind.SERVICE_CPU_PER_REQUEST: "CPU ms per request",
    Kind.SERVICE_THROUGHPUT: "requests per second",
    Kind.OPERATION_LATENCY_MEAN: "ms",
    Kind.OPERATION_LATENCY_P50: "ms",
    Kind.OPERATION_LATENCY_P95: "ms",
    Kind.OPERATION_LATENCY_P99: "ms",
    Kind.OPERATION_ERRORS: "share of requests",
    Kind.HOST_CPU: "cores",
}


class FindingState(StrEnum):
    """What the scan makes of a change."""

    PROVISIONAL = "provisional"
    CONFIRMED = "confirmed"
    GONE = "gone"
    COST_SHIFT = "cost_shift"
    NOT_ENOUGH_DATA = "not_enough_data"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SeriesKey:
    """
    Which series this is.

    Attributes:
        tenant: Whose data it is; empty where there is one tenant.
        service: ``service.name``; for a host's series its name.
        environment: ``deployment.environment.name``; empty where none was sent.
        kind: What is measured.
        name: The function or operation; empty for a series of the whole service or host.
        detail: The function's file, or the operation's span kind; empty else.
    """

    tenant: str = ""
    service: str
    environment: str = ""
    kind: Kind
    name: str = ""
    detail: str = ""

    @property
    def unit(self) -> str:
        """The unit of the series' values."""
        return UNITS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One change of one series.

    Attributes:
        key: Which series.
        index: Of the first bucket after the change, from 0 at the start of the scan.
        time_s: When that bucket starts, Unix seconds.
        step_s: Length of a bucket, seconds.
        before, after: Mean levels, in the series' unit; for a creep those of its two ends.
        low, high: 95% interval of after minus before.
        p_value: Probability that chance makes such a change, corrected for all places and series searched.
        mde: The smallest change that this series would most likely have shown, in its unit.
        samples: Behind the level after the change: stack samples or requests.
        direction: Whether the level went up or down.
        state: What the scan makes of it.
        shape: A step, or a slow climb.
        baseline_version, candidate_version: Set where two releases that ran side by side were compared.
        shift_domain: Of a cost shift: what kept its cost while parts of it changed, such as ``module /app/cart.py``.
        needs: Samples missing before this can be judged; 0 unless the state is "not enough data".
    """

    key: SeriesKey
    index: int
    time_s: int
    step_s: int
    before: float
    after: float
    low: float
    high: float
    p_value: float
    mde: float
    samples: int
    direction: Direction
    state: FindingState
    shape: Literal["step", "creep"] = "step"
    baseline_version: str | None = None
    candidate_version: str | None = None
    shift_domain: str | None = None
    needs: int = 0

    @property
    def effect(self) -> float:
        """The change, after minus before, in the series' unit."""
        return self.after - self.before

    @property
    def relative(self) -> float | None:
        """The change as a share of the level before; None where that is 0."""
        return self.effect / abs(self.before) if self.before else None

    @property
    def is_worse(self) -> bool:
        """Whether the change is for the worse: up, or down for throughput."""
        return (self.direction == "down") == (self.key.kind is Kind.SERVICE_THROUGHPUT)
