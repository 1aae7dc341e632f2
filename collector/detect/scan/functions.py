"""The own CPU of each function over time: of a request where there are requests, else as a share of the service."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from collector.detect.finding import Kind, SeriesKey
from collector.detect.scan.grid import Grid
from collector.detect.scan.source import Source, matrix, texts
from collector.detect.windows.panel import BoolArray, FloatArray, Panel
from pyrometer.units import NS_PER_MS

# The share of the steps with CPU that must also have requests, for CPU to be told per request.
_SERVED_SHARE_MIN: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSteps:
    """
    A service step by step, all of shape (n_steps,).

    Attributes:
        cpu_ns: As accounted.
        unsampled_ns: The part of it that no stack stands for.
        samples: Stacks seen.
        requests: Server spans.
    """

    cpu_ns: FloatArray
    unsampled_ns: FloatArray
    samples: FloatArray
    requests: FloatArray

    @property
    def sampled_ns(self) -> FloatArray:
        """CPU that stacks stand for: what functions' shares are of."""
        return np.maximum(self.cpu_ns - self.unsampled_ns, 0.0)

    @property
    def sampled(self) -> BoolArray:
        """Steps in which something is known of functions."""
        return np.asarray((self.samples > 0) & (self.sampled_ns > 0))

    @property
    def is_served(self) -> bool:
        """Whether CPU can be told per request."""
        sampled = self.sampled
        return bool(sampled.any()) and float((self.requests[sampled] > 0).mean()) >= _SERVED_SHARE_MIN

    @property
    def kind(self) -> Kind:
        """What is told of functions."""
        return Kind.FUNCTION_PER_REQUEST if self.is_served else Kind.FUNCTION_SHARE

    @property
    def cost(self) -> FloatArray:
        """
        The whole service's CPU in each step, in the unit of that kind: ms per request, or 1; 0 where it is unknown.

        What was not sampled is taken to have been like what was: it widens the error of a function's part of this,
        and does not bias it.
        """
        if not self.is_served:
            return self.sampled.astype(np.float64)
        known = self.sampled & (self.requests > 0)
        return np.divide(self.cpu_ns / NS_PER_MS, self.requests, out=np.zeros_like(self.cpu_ns), where=known)


def read_service(source: Source, service: str, grid: Grid) -> ServiceSteps:
    """Return a service step by step."""
    table = source.table("scan_service", service=service, **grid.parameters())
    names = ("cpu_ns", "unsampled_ns", "samples", "requests")
    return ServiceSteps(**{name: matrix(table, name, grid.n_steps)[0] for name in names})


def function_panels(
    source: Source, service: str, grid: Grid, steps: ServiceSteps, *, parts: int, self_ns_min: int
) -> Iterator[Panel]:
    """Yield the functions of a service, a part of them at a time; all functions of a file are in one part."""
    kind, cost, sampled_ns = steps.kind, steps.cost, steps.sampled_ns
    samples = np.where(cost > 0, steps.samples, 0.0)
    mean_cost = float(cost[cost > 0].mean()) if (cost > 0).any() else 0.0
    # Of what a function used: its part of the cost.
    factor = np.divide(cost, sampled_ns, out=np.full_like(cost, np.nan), where=cost > 0)
    for part in range(parts):
        table = source.table(
            "scan_functions",
            service=service,
            **grid.parameters(),
            parts=parts,
            part=part,
            self_ns_min=self_ns_min,
        )
        self_ns = matrix(table, "self_ns", grid.n_steps)
        share = np.clip(self_ns[:, cost > 0].sum(axis=1) / max(sampled_ns[cost > 0].sum(), 1.0), 0.0, 1.0)
        names = zip(texts(table, "function"), texts(table, "file"), strict=True)
        yield Panel(
            keys=[SeriesKey(service=service, kind=kind, name=name, detail=file) for name, file in names],
            start_s=grid.start_s,
            step_s=grid.step_s,
            values=self_ns * factor,
            samples=np.broadcast_to(samples, self_ns.shape),
            sample_variance=mean_cost**2 * share * (1 - share),
        )
