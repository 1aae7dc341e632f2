"""Whether a function's change is a cost shift: the module, class, service or requests that explain it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from collector.detect.finding import Kind
from collector.detect.scan.functions import ServiceSteps
from collector.detect.scan.operations import Operations
from collector.detect.windows.changes import WindowChange
from collector.detect.windows.panel import FloatArray, Panel
from collector.detect.windows.shifts import Levels, explained_by_mix, levels_around, shifted_within


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the functions of a service are a part of."""

    steps: ServiceSteps
    operations: Operations

    def where_from(self, change: WindowChange, panel: Panel) -> str | None:
        """
        Return what kept its cost while a function changed, for a person; None where the change is one of cost.

        Args:
            change: Of a function.
            panel: Holds that function and all others of its file.
        """
        domain = shifted_within(change.after - change.before, self._domains(change, panel))
        if domain is not None or change.key.kind is not Kind.FUNCTION_PER_REQUEST:
            return domain
        cost = Levels(before=change.before, after=change.after, error=change.standard_error)
        operation = explained_by_mix(cost, self._mix(change))
        return None if operation is None else f"requests of {operation}"

    def _domains(self, change: WindowChange, panel: Panel) -> Iterator[tuple[str, Levels]]:
        row = panel.keys.index(change.key)
        in_file = [i for i, key in enumerate(panel.keys) if key.detail == change.key.detail and i != row]
        class_name, dot, _ = change.key.name.rpartition(".")
        if dot:
            in_class = [i for i in in_file if panel.keys[i].name.startswith(f"{class_name}.")]
            yield from _levels(f"class {class_name}", panel.values[in_class].sum(axis=0), change, len(in_class))
        yield from _levels(f"module {change.key.detail}", panel.values[in_file].sum(axis=0), change, len(in_file))
        if change.key.kind is Kind.FUNCTION_PER_REQUEST:
            cost = self.steps.cost
            yield from _levels(
                f"service {change.key.service}", np.where(cost > 0, cost, np.nan), change, len(panel.keys)
            )

    def _mix(self, change: WindowChange) -> Iterator[tuple[str, Levels]]:
        requests = self.operations.requests
        whole = requests.sum(axis=0)
        for (name, _), of_operation in zip(self.operations.names, requests, strict=True):
            share = np.divide(of_operation, whole, out=np.full_like(whole, np.nan), where=whole > 0)
            yield from _levels(name, share, change)


def _levels(name: str, values: FloatArray, change: WindowChange, n_members: int = 1) -> Iterator[tuple[str, Levels]]:
    at = {"start_s": change.start_s, "step_s": change.step_s}
    levels = levels_around(values, change.index, **at) if n_members else None
    if levels is not None:
        yield name, levels
