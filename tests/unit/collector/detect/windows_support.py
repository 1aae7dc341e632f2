"""Panels for the tests of window scans."""

import numpy as np

from collector.detect.finding import Kind, SeriesKey
from collector.detect.windows.changes import Funnel
from collector.detect.windows.panel import Panel
from collector.detect.windows.search import search
from collector.detect.windows.settings import WindowSettings
from collector.detect.windows.verdicts import to_findings

N_TIMES = 864
MIDNIGHT_S = 19_700 * 86_400


def a_key(name="f"):
    return SeriesKey(service="shop", kind=Kind.FUNCTION_PER_REQUEST, name=name)


def a_panel(*rows, samples=None, names=None, start_s=MIDNIGHT_S, step_s=600, **changes):
    values = np.array(rows, dtype=np.float64)
    return Panel(
        keys=[a_key(name) for name in names or map(str, range(len(rows)))],
        start_s=start_s,
        step_s=step_s,
        values=values,
        samples=np.full(values.shape, 1000.0) if samples is None else samples,
        sample_variance=np.zeros(len(rows)),
        **changes,
    )


def noise(seed, n_times=N_TIMES, phi=0.0):
    rng = np.random.default_rng(seed)
    series = rng.standard_normal(n_times)
    for i in range(1, n_times if phi else 0):
        series[i] = phi * series[i - 1] + np.sqrt(1 - phi**2) * series[i]
    return series


def a_step(place, height=1.0, n_times=N_TIMES):
    return height * (np.arange(n_times) >= place)


def scan(*panels, **settings):
    funnel = Funnel()
    chosen = WindowSettings(**{"young_effect_min": 0.0, "effect_min": 0.0, **settings})
    return to_findings(search(panels, chosen, funnel), chosen, funnel), funnel
