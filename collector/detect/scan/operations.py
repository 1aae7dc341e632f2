"""Latency, errors and traffic of the operations of a service over time, and of the service as a whole."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from collector.detect.finding import Kind, SeriesKey
from collector.detect.scan.functions import ServiceSteps
from collector.detect.scan.grid import Grid
from collector.detect.scan.source import Source, scattered, texts
from collector.detect.windows.panel import FloatArray, Panel
from pyrometer.units import NS_PER_MS

# Of the latency histogram's index: collector/store/migrations/0009_latency.sql.
_LOG_PER_BIN: Final = math.log(2) / 16
_LOG_NS_PER_MS: Final = math.log(NS_PER_MS)
# Fewest requests in a step for a quantile of them to say more than which the slowest one was.
_QUANTILES: Final = (
    (Kind.OPERATION_LATENCY_P50, "p50", 4),
    (Kind.OPERATION_LATENCY_P95, "p95", 40),
    (Kind.OPERATION_LATENCY_P99, "p99", 200),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """
    The operations of a service.

    Attributes:
        names: Name and span kind.
        requests, errors, duration_ns: Shape (n_operations, n_steps).
        quantiles: Of the latency, as a histogram index, by name; same shape.
        n_all: How many there are; above ``len(names)`` where a limit was hit.
    """

    names: list[tuple[str, str]]
    requests: FloatArray
    errors: FloatArray
    duration_ns: FloatArray
    quantiles: dict[str, FloatArray]
    n_all: int


def read_operations(source: Source, service: str, grid: Grid, *, rows_max: int) -> Operations:
    """Return the operations of a service, at most *rows_max*, those with the most requests."""
    parameters = {name: value for name, value in grid.parameters().items() if name != "n_steps"}
    table = source.table("scan_operations", service=service, **parameters, rows_max=rows_max)
    columns = {
        name: scattered(table, name, "steps", grid.n_steps)
        for name in ("requests", "errors", "duration_ns", "p50", "p95", "p99")
    }
    return Operations(
        names=list(zip(texts(table, "operation"), texts(table, "kind"), strict=True)),
        requests=columns["requests"],
        errors=columns["errors"],
        duration_ns=columns["duration_ns"],
        quantiles={name: columns[name] for _, name, _ in _QUANTILES},
        n_all=int(table["all_operations"][0].as_py()) if table.num_rows else 0,
    )


def operation_panels(service: str, grid: Grid, operations: Operations) -> Iterator[Panel]:
    """Yield mean latency, its quantiles, and the error rate of each operation."""
    requests, served = operations.requests, operations.requests > 0
    nothing = np.zeros(len(requests))

    def panel(kind: Kind, values: FloatArray, samples: FloatArray, variance: FloatArray) -> Panel:
        return Panel(
            keys=[SeriesKey(service=service, kind=kind, name=name, detail=detail) for name, detail in operations.names],
            start_s=grid.start_s,
            step_s=grid.step_s,
            values=values,
            samples=samples,
            sample_variance=variance,
            logarithmic=kind is not Kind.OPERATION_ERRORS,
        )

    mean_ms = np.divide(
        operations.duration_ns / NS_PER_MS, requests, out=np.zeros_like(requests), where=operations.duration_ns > 0
    )
    log_mean = np.log(mean_ms, out=np.full_like(mean_ms, np.nan), where=mean_ms > 0)
    yield panel(Kind.OPERATION_LATENCY_MEAN, log_mean, requests, nothing)
    for kind, name, requests_min in _QUANTILES:
        log_ms = (operations.quantiles[name] + 0.5) * _LOG_PER_BIN - _LOG_NS_PER_MS
        yield panel(kind, log_ms, np.where(requests >= requests_min, requests, 0.0), nothing)
    rates = np.divide(operations.errors, requests, out=np.full_like(requests, np.nan), where=served)
    rate = operations.errors.sum(axis=1) / np.maximum(requests.sum(axis=1), 1)
    yield panel(Kind.OPERATION_ERRORS, rates, requests, rate * (1 - rate))


def service_panels(service: str, grid: Grid, steps: ServiceSteps) -> Iterator[Panel]:
    """Yield the CPU of the whole service, of a request where there are requests; and the requests themselves."""
    known = np.where(steps.cpu_ns > 0, np.maximum(steps.samples, 1.0), 0.0)

    def panel(kind: Kind, values: FloatArray, samples: FloatArray, variance: float) -> Panel:
        return Panel(
            keys=[SeriesKey(service=service, kind=kind)],
            start_s=grid.start_s,
            step_s=grid.step_s,
            values=values[None, :],
            samples=samples[None, :],
            sample_variance=np.array([variance]),
        )

    if steps.is_served:
        cost = np.divide(
            steps.cpu_ns / NS_PER_MS, steps.requests, out=np.full_like(known, np.nan), where=steps.requests > 0
        )
        yield panel(Kind.SERVICE_CPU_PER_REQUEST, cost, np.where(steps.requests > 0, known, 0.0), 0.0)
    else:
        yield panel(Kind.SERVICE_CPU, steps.cpu_ns / (grid.step_s * 1e9), known, 0.0)
    if steps.requests.any():
        rate = steps.requests / grid.step_s
        # Requests that come independently of each other: the variance of their number is that number.
        yield panel(Kind.SERVICE_THROUGHPUT, rate, np.maximum(steps.requests, 1.0), float(rate.mean()) ** 2)
