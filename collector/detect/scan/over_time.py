"""All series of a service searched for changes over time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from collector.detect.finding import Finding, FindingState, SeriesKey
from collector.detect.scan.functions import function_panels, read_service
from collector.detect.scan.grid import Grid, choose_grid
from collector.detect.scan.hosts import host_panel
from collector.detect.scan.load import Load, load_over_time
from collector.detect.scan.moved import Surroundings
from collector.detect.scan.operations import operation_panels, read_operations, service_panels
from collector.detect.scan.settings import ScanSettings
from collector.detect.scan.source import Source
from collector.detect.windows.changes import Funnel, WindowChange
from collector.detect.windows.panel import Panel
from collector.detect.windows.search import search
from collector.detect.windows.verdicts import to_findings
from pyrometer.semconv import HOST_SERVICE

# Mean, three quantiles and error rate of each operation; CPU and traffic of the service.
_PER_OPERATION: Final = 5
_PER_SERVICE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTime:
    """
    What a scan over time found.

    Attributes:
        findings: By series and time; cost shifts are among them.
        funnel: What became of all series.
        load: Of the service.
        grid: None where there is too little history.
        notes: What a reader should know, one sentence each.
        limits_hit: Names of the settings that cut it short.
    """

    findings: list[Finding]
    funnel: Funnel
    load: Load
    grid: Grid | None
    notes: list[str]
    limits_hit: list[str]


def scan_over_time(
    source: Source, service: str, *, start_s: int, end_s: int, now_s: float, settings: ScanSettings
) -> OverTime:
    """
    Search the own CPU of each function, latency and errors of each operation, and the whole service.

    The false discovery rate is controlled within the service, so that no other service changes what is found in it.
    Memory is bounded by ``cells_max``.

    Args:
        source: Where series are read from.
        service: Its name.
        start_s: Start of the range, Unix seconds.
        end_s: Its end; both whole buckets of 10 s.
        now_s: Wall time.
        settings: See there.
    """
    size = _size(source, service, start_s, end_s, settings)
    functions, operations = size["functions"], size["operations"]
    funnel = Funnel()
    grid = choose_grid(size["first_s"], min(size["last_s"], end_s), now_s=now_s, settings=settings)
    if grid is None:
        funnel.series = funnel.not_enough_data = functions + _PER_OPERATION * operations + _PER_SERVICE
        hours = settings.history_hours_min
        note = (
            f"There are under {hours:g} hours of history: nothing is said about changes over time."
            if size["last_s"]
            else "It sent nothing in this range."
        )
        return OverTime(findings=[], funnel=funnel, load=Load(), grid=None, notes=[note], limits_hit=[])
    notes, limits_hit = [], []
    for name, limit, number in (
        ("functions", settings.functions_max, functions),
        ("operations", settings.operations_max, operations),
    ):
        if number > limit:
            limits_hit.append(f"detect.{name}_max")
            notes.append(f"Only the {limit} largest {name} of {number} were searched.")
            # A function's place among the largest is that in the grid.
            size = _size(source, service, grid.start_s, grid.end_s, settings)
    parts = -(-max(min(functions, settings.functions_max), 1) * grid.n_steps // settings.cells_max)
    self_ns_min = max(int(size["self_ns_min"]), 1)
    findings, load = _search_all(source, service, grid, settings, funnel, parts=parts, self_ns_min=self_ns_min)
    return OverTime(findings=findings, funnel=funnel, load=load, grid=grid, notes=notes, limits_hit=limits_hit)


def _size(source: Source, service: str, start_s: int, end_s: int, settings: ScanSettings) -> dict[str, Any]:
    limits = {"functions_max": settings.functions_max}
    return source.rows("scan_size", service=service, start_s=start_s, end_s=end_s, **limits)[0]


def _search_all(
    source: Source, service: str, grid: Grid, settings: ScanSettings, funnel: Funnel, *, parts: int, self_ns_min: int
) -> tuple[list[Finding], Load]:
    steps = read_service(source, service, grid)
    operations = read_operations(source, service, grid, rows_max=settings.operations_max)
    around = Surroundings(steps=steps, operations=operations)
    changes: list[WindowChange] = []
    origins: dict[tuple[SeriesKey, int], str] = {}

    def look(panels: Sequence[Panel]) -> list[WindowChange]:
        found = search(panels, settings.windows, funnel)
        changes.extend(found)
        return found

    for panel in function_panels(source, service, grid, steps, parts=parts, self_ns_min=self_ns_min):
        for change in look([panel]):
            origin = around.where_from(change, panel)
            if origin is not None:
                origins[change.key, change.index] = origin
    look([*operation_panels(service, grid, operations), *service_panels(service, grid, steps)])
    if service == HOST_SERVICE:
        look([host_panel(source, grid, rows_max=settings.operations_max)])
    findings = to_findings(changes, settings.windows, funnel)
    shifts = [origins.get((one.key, one.index)) for one in findings]
    funnel.shifts += sum(origin is not None for origin in shifts)
    marked = [
        one if origin is None else replace(one, state=FindingState.COST_SHIFT, shift_domain=origin)
        for one, origin in zip(findings, shifts, strict=True)
    ]
    return marked, load_over_time(grid, steps, operations)
