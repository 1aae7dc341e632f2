"""The parts of a scan that need no store: the grid, the last two releases, and one finding for each cause."""

import numpy as np
import pytest

from collector.detect.finding import Finding, FindingState, Kind, SeriesKey
from collector.detect.scan.folding import fold
from collector.detect.scan.grid import choose_grid
from collector.detect.scan.load import Load
from collector.detect.scan.releases import last_two
from collector.detect.scan.settings import ScanSettings
from collector.detect.windows.shifts import Levels, explained_by_mix, levels_around, shifted_within

HOUR = 3600
DAY = 24 * HOUR
T0 = 1_760_000_400
LOAD = Load(operations={"GET /a": 20.0, "GET /b": 80.0})


def a_finding(kind, name="", before=10.0, after=12.0, *, detail="server", time_s=T0, **changes):
    values = {
        "key": SeriesKey(service="shop", kind=kind, name=name, detail=detail),
        "index": 5,
        "time_s": time_s,
        "step_s": 600,
        "before": before,
        "after": after,
        "low": after - before - 1,
        "high": after - before + 1,
        "p_value": 1e-6,
        "mde": 1.0,
        "samples": 1000,
        "direction": "up" if after > before else "down",
        "state": FindingState.CONFIRMED,
    }
    return Finding(**{**values, **changes})


def a_function(name="f", cpu_ms=2.0, **changes):
    return a_finding(Kind.FUNCTION_PER_REQUEST, name, 10.0, 10.0 + cpu_ms, detail="a.py", **changes)


def around(series, index, start_s=T0):
    return levels_around(series, index, start_s=start_s, step_s=600)


def kept(*findings):
    found, merged = fold(findings, LOAD)
    assert len(findings) == len(found) + merged
    return [(one.key.kind, one.key.name) for one in found]


def latency(name, detail="server", time_s=T0, **after):
    # What was found of an operation whose latencies were all 10 ms.
    kinds = {"mean": Kind.OPERATION_LATENCY_MEAN, "p50": Kind.OPERATION_LATENCY_P50}
    kinds |= {"p95": Kind.OPERATION_LATENCY_P95, "p99": Kind.OPERATION_LATENCY_P99}
    return [a_finding(kinds[which], name, 10.0, value, detail=detail, time_s=time_s) for which, value in after.items()]


@pytest.mark.parametrize(
    ("days", "step_s"), [(0.2, None), (0.5, 60), (1.3, 60), (3, 300), (14, 600), (15, 1800), (90, 7200)]
)
def test_the_step_follows_from_the_range(days, step_s):
    """The finest that keeps a series short; None with under six hours."""
    grid = choose_grid(T0, T0 + int(days * DAY), now_s=T0 + 100 * DAY, settings=ScanSettings())
    assert step_s == (grid.step_s if grid else None)
    assert grid is None or (grid.start_s % grid.step_s == 0 and T0 <= grid.start_s and grid.n_steps <= 2016)


def test_what_is_young_is_left_out():
    """Data of the last minute may still be on its way."""
    grid = choose_grid(T0, T0 + DAY, now_s=T0 + DAY, settings=ScanSettings(settle_s=600))
    assert grid.end_s <= T0 + DAY - 600


def test_the_last_two_releases_are_those_that_came_last():
    """Ordered by when they came; those that came together by their numbers; without a name they are none."""
    rows = [{"version": v, "first_s": s} for v, s in (("1.9", 300), ("1.10", 290), ("", 280), ("1.8", 0))]
    pair = last_two(rows)
    assert ("1.9", "1.10") == (pair.baseline, pair.candidate)
    rows[0]["first_s"] = 3000
    pair = last_two(rows)
    assert ("1.10", "1.9", 3000) == (pair.baseline, pair.candidate, pair.since_s)
    assert last_two(rows[:1]) is None
    # Whatever a version may be.
    odd = [{"version": v, "first_s": 0} for v in ("1." * 5000, "9" * 5000)]
    assert {pair["version"] for pair in odd} == {last_two(odd).baseline, last_two(odd).candidate}
    assert last_two(rows[2:]) is None


def test_a_release_stands_for_the_same_series_over_time():
    """And so does a function for the CPU of the whole service."""
    over_time = a_function(time_s=T0 + 600)
    released = a_function(candidate_version="2", baseline_version="1")
    whole = a_finding(Kind.SERVICE_CPU_PER_REQUEST, detail="")
    found, merged = fold([over_time, released, whole], LOAD)
    assert ([released], 2) == (found, merged)


def test_changes_of_another_time_or_direction_are_told_apart():
    """A day later, or for the better: no effect of the same cause."""
    later = a_finding(Kind.SERVICE_CPU_PER_REQUEST, detail="", time_s=T0 + DAY)
    better = a_finding(Kind.SERVICE_CPU_PER_REQUEST, before=10.0, after=9.0, detail="")
    assert 3 == len(kept(a_function(), later, better))


def test_an_operation_is_told_by_one_quantity():
    """The mean where the median moved too, else the furthest tail; errors only when they are alone."""
    assert [(Kind.OPERATION_LATENCY_MEAN, "x")] == kept(*latency("x", mean=15.0, p50=14.0, p99=18.0))
    assert [(Kind.OPERATION_LATENCY_P99, "x")] == kept(*latency("x", mean=11.0, p95=15.0, p99=60.0))
    errors = a_finding(Kind.OPERATION_ERRORS, "x", 0.01, 0.2)
    assert [(Kind.OPERATION_ERRORS, "x")] == kept(errors)


def test_cpu_explains_the_latency_of_those_that_use_it_and_of_those_that_wait():
    """2 ms per request are 10 ms of each fifth one; a tail that is much longer has another cause."""
    slow, waiting = latency("GET /a", mean=21.0, p50=20.0, p95=40.0), latency("GET /b", p95=25.0)
    assert [(Kind.FUNCTION_PER_REQUEST, "f")] == kept(a_function(), *slow, *waiting)
    tail = latency("GET /b", mean=15.0, p99=260.0)
    assert (Kind.OPERATION_LATENCY_P99, "GET /b") in kept(a_function(), *slow, *tail)
    much = latency("GET /b", mean=60.0, p50=55.0)
    assert (Kind.OPERATION_LATENCY_MEAN, "GET /b") in kept(a_function(), *slow, *much)


def test_spans_inside_are_told_when_nothing_else_is():
    """An inner span is merged into its request, and reported where no request changed."""
    inner = latency("query", detail="internal", p99=90.0)
    assert [(Kind.OPERATION_LATENCY_P99, "GET /b")] == kept(*inner, *latency("GET /b", p99=90.0))
    assert [(Kind.OPERATION_LATENCY_P99, "query")] == kept(*inner)


def test_cost_shifts_stay_and_explain_the_service():
    """Cost that came with other requests is no regression of the service either."""
    shift = a_function(state=FindingState.COST_SHIFT, shift_domain="requests of GET /a")
    whole = a_finding(Kind.SERVICE_CPU_PER_REQUEST, detail="")
    assert [(Kind.FUNCTION_PER_REQUEST, "f")] == kept(shift, whole)


def test_the_order_of_findings_does_not_matter():
    """The same causes, in the same order."""
    findings = [a_function("g"), a_function("f"), *latency("GET /b", p50=80.0, p99=200.0), *latency("GET /a", p50=20.0)]
    expected = fold(findings, LOAD)
    for _ in range(5):
        findings = [findings[i] for i in np.random.default_rng(len(findings)).permutation(len(findings))]
        assert expected == fold(findings, LOAD)


def test_levels_and_their_error_are_those_of_the_series():
    """Means around a point; the error grows with noise that resembles itself; a side without values has none."""
    rng = np.random.default_rng(1)
    series = rng.standard_normal(600) + 3.0 * (np.arange(600) >= 400)
    series[10:20] = np.nan
    levels = around(series, 400)
    assert 3.0 == pytest.approx(levels.effect, abs=4 * levels.error)
    assert 0.087 == pytest.approx(levels.error, rel=0.3)
    slow = np.repeat(rng.standard_normal(50), 12)
    assert around(slow, 400).error > 2 * around(rng.permutation(slow), 400).error
    assert around(np.full(600, np.nan), 400) is None
    assert around(series, 600) is None


def test_cost_that_moved_is_told_from_cost_that_came():
    """A module whose rest lost what the function gained had it; one as noisy as the change is says nothing."""
    lost, kept_it, noisy = (Levels(before=9.0, after=a, error=e) for a, e in ((8.05, 0.05), (9.0, 0.05), (8.0, 0.6)))
    assert "b" == shifted_within(1.0, [("a", kept_it), ("b", lost)])
    assert shifted_within(1.0, [("a", noisy), ("b", kept_it)]) is None
    assert shifted_within(-1.0, [("b", lost)]) is None
    # Something else got better in the same moment: that does not explain what the function gained.
    assert shifted_within(0.3, [("b", lost)]) is None


def test_requests_explain_what_grew_with_them():
    """Twice the share of requests, twice the cost; a share that has not surely changed explains nothing."""
    doubled, unsure = Levels(before=0.1, after=0.2, error=0.001), Levels(before=0.1, after=0.2, error=0.05)

    def explained(before, after, levels, error=0.05):
        return explained_by_mix(Levels(before=before, after=after, error=error), [("x", levels)])

    assert "x" == explained(1.0, 2.1, doubled)
    assert explained(1.0, 3.0, doubled) is None
    assert explained(1.0, 2.0, unsure) is None
    assert explained(0.0, 2.0, doubled) is None
    # A cost that is not known well may be explained by a mix that is not quite alike.
    assert ("x", None) == (explained(1.0, 2.6, doubled, error=0.12), explained(1.0, 2.6, doubled, error=0.01))
