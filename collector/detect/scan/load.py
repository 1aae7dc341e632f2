"""The load of a service during a scan: what prices assume to stay as it is, and what makes up its requests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from collector.detect.scan.functions import ServiceSteps
from collector.detect.scan.grid import Grid
from collector.detect.scan.operations import Operations
from pyrometer.api import CompareAnswer
from pyrometer.units import NS_PER_S

_MS_PER_S: Final = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """
    The load of one service.

    Attributes:
        cores: CPU seconds per second.
        operations: Requests per second of each operation that serves requests.
    """

    cores: float = 0.0
    operations: Mapping[str, float] = field(default_factory=dict)

    @property
    def requests_per_second(self) -> float:
        """Requests of all operations."""
        return sum(self.operations.values())

    def share(self, operation: str) -> float:
        """Return which part of the requests an operation is; 0 where that is unknown."""
        whole = self.requests_per_second
        return self.operations.get(operation, 0.0) / whole if whole else 0.0


def load_over_time(grid: Grid, steps: ServiceSteps, operations: Operations) -> Load:
    """Return the load over all steps in which anything was seen."""
    seen = (steps.cpu_ns > 0) | (steps.requests > 0)
    seconds = max(int(seen.sum()), 1) * grid.step_s
    served = zip(operations.names, operations.requests.sum(axis=1), strict=True)
    return Load(
        cores=float(steps.cpu_ns.sum()) / NS_PER_S / seconds,
        operations={name: float(number) / seconds for (name, kind), number in served if kind == "server"},
    )


def load_of_releases(answer: CompareAnswer) -> Load:
    """Return the load that a comparison of releases saw."""
    served = {
        row.operation: row.baseline_requests + row.candidate_requests
        for row in answer.operations
        if row.kind == "server"
    }
    whole = max(sum(served.values()), 1)
    return Load(
        cores=answer.cpu.candidate * answer.requests_per_second / _MS_PER_S if answer.denominator == "request" else 0.0,
        operations={name: number / whole * answer.requests_per_second for name, number in served.items()},
    )
