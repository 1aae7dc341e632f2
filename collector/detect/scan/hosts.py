"""The CPU of each host over time, all services of it together; it belongs to the service ``host``, the host's bill."""

import numpy as np

from collector.detect.finding import Kind, SeriesKey
from collector.detect.scan.grid import Grid
from collector.detect.scan.source import Source, matrix, texts
from collector.detect.windows.panel import Panel
from pyrometer.semconv import HOST_SERVICE
from pyrometer.units import NS_PER_S


def host_panel(source: Source, grid: Grid, *, rows_max: int) -> Panel:
    """Return the hosts, at most *rows_max*, those with the most CPU."""
    table = source.table("scan_hosts", **grid.parameters(), rows_max=rows_max)
    cpu_ns = matrix(table, "cpu_ns", grid.n_steps)
    return Panel(
        keys=[SeriesKey(service=HOST_SERVICE, kind=Kind.HOST_CPU, name=host) for host in texts(table, "host")],
        start_s=grid.start_s,
        step_s=grid.step_s,
        values=cpu_ns / (grid.step_s * NS_PER_S),
        samples=np.where(cpu_ns > 0, matrix(table, "windows", grid.n_steps), 0.0),
        sample_variance=np.zeros(len(cpu_ns)),
    )
