"""A scan of a service over time, out of a real store, on both engines."""

import time

import numpy as np
import pyarrow as pa
import pytest

from collector.detect.finding import FindingState, Kind
from collector.detect.scan.folding import fold
from collector.detect.scan.over_time import scan_over_time
from collector.detect.scan.settings import ScanSettings
from collector.store.protocol import StoreError
from tests.storage.history_writer import HOURS, N_STEPS, STEP_S, HistoryWriter, a_step

# Recent: the tables forget what is 90 days old.
START_S = int(time.time()) // 86_400 * 86_400 - 4 * 86_400
END_S = START_S + N_STEPS * STEP_S
FLAT = np.ones(N_STEPS)
HOSTILE = "x'; DROP TABLE samples; -- <b>\t\\"


class Reader:
    """Runs queries as the API does."""

    def __init__(self, store):
        self._store = store

    def rows(self, name, **parameters):
        return self._store.query(name, parameters)

    def table(self, name, **parameters):
        return self._store.query_table(name, parameters)


def scan(store, service="shop", **settings):
    return scan_over_time(
        Reader(store),
        service,
        start_s=START_S,
        end_s=END_S + 10,
        now_s=END_S + 600,
        settings=ScanSettings(**settings),
    )


def told(over_time):
    return {(one.key.kind, one.key.name): one for one in fold(over_time.findings, over_time.load)[0]}


def write_shop(store):
    """A shop in which one function and one operation got slower, code was moved, and the mix of requests changed."""
    day = 1 + 0.3 * np.sin(2 * np.pi * HOURS / 24)
    mix = np.where(np.arange(N_STEPS) >= 700, 2.0, 1.0)
    HistoryWriter(store, START_S).service(
        "shop",
        {
            ("steady", "/app/main.py"): 6 * FLAT,
            ("by_day", "/app/main.py"): 3 * day,
            ("grown", "/app/main.py"): 4 * a_step(600, 1.3),
            (HOSTILE, HOSTILE): 2 * FLAT,
            ("Cart.old", "/app/cart.py"): 5 - 1.5 * (a_step(450, 2) - 1),
            ("Cart.new", "/app/cart.py"): 1 + 1.5 * (a_step(450, 2) - 1),
            ("mixed", "/app/search.py"): 3 * mix,
        },
        {
            "GET /": (200 * (2 - mix) + 100 * mix, 20 * FLAT),
            "GET /slow": (100 * FLAT, 30 * a_step(300, 1.2)),
            "GET /mix": (100 * mix, 5 * FLAT),
        },
    )


def test_what_changed_is_found_and_nothing_else(store):
    """Regressions, and moved cost for what it is; what is steady or follows the day is quiet, and limits are told."""
    write_shop(store)
    over_time = scan(store)
    # The last step ended after what is known.
    assert (N_STEPS - 1, STEP_S) == (over_time.grid.n_steps, over_time.grid.step_s)
    found = told(over_time)
    worse = {name: one for name, one in found.items() if one.state is not FindingState.COST_SHIFT}
    assert {(Kind.FUNCTION_PER_REQUEST, "grown"), (Kind.OPERATION_LATENCY_MEAN, "GET /slow")} == set(worse)
    grown = worse[Kind.FUNCTION_PER_REQUEST, "grown"]
    assert abs(grown.index - 600) <= 12
    assert grown.low < 1.2 < grown.high
    assert 4 == pytest.approx(grown.before, rel=0.03)
    slow = worse[Kind.OPERATION_LATENCY_MEAN, "GET /slow"]
    assert 0.2 == pytest.approx(slow.relative, abs=0.02)
    shifts = {name: one.shift_domain for (_, name), one in found.items() if one.state is FindingState.COST_SHIFT}
    assert {"Cart.old": "class Cart", "Cart.new": "class Cart", "mixed": "requests of GET /mix"} == shifts
    assert 7 + 3 * 5 + 2 == over_time.funnel.series

    # Reading a few functions at a time changes nothing.
    assert over_time.findings == scan(store, cells_max=10_000).findings
    # The functions with the most time are searched, and a note and a setting say that others were not.
    over_time = scan(store, functions_max=3, operations_max=1)
    assert ["detect.functions_max", "detect.operations_max"] == over_time.limits_hit
    limits = ((3, "functions", 7), (1, "operations", 3))
    assert [f"Only the {n} largest {what} of {of} were searched." for n, what, of in limits] == over_time.notes
    assert 3 + 5 + 2 == over_time.funnel.series


def test_what_was_not_sampled_does_not_look_like_less_use(store):
    """From the middle on half of the CPU has no stacks: functions seem to use half, and nothing is reported."""
    rng = np.random.default_rng(3)
    seen = np.where(np.arange(N_STEPS) >= 450, 0.5, 1.0)
    counts = {(f"f{i}", "a.py"): rng.poisson((40 + 10 * i) * seen) for i in range(5)}
    counts["[not sampled]", ""] = rng.poisson(300 * (1 - seen))
    HistoryWriter(store, START_S).functions("batch", counts)
    over_time = scan(store, "batch")
    assert [] == over_time.findings
    # No requests: its functions, and the CPU of the whole.
    assert 5 + 1 == over_time.funnel.series


def test_without_requests_functions_are_shares(store):
    """A service that serves nothing: what a function takes of its CPU."""
    rng = np.random.default_rng(4)
    counts = {(f"f{i}", f"{i}.py"): rng.poisson(60 * (a_step(600, 1.5) if i == 0 else FLAT)) for i in range(6)}
    HistoryWriter(store, START_S).functions("batch", counts)
    found = told(scan(store, "batch"))
    one = found[Kind.FUNCTION_SHARE, "f0"]
    assert (1 / 6, 1.5 / 6.5) == (pytest.approx(one.before, rel=0.03), pytest.approx(one.after, rel=0.03))


def test_a_host_that_is_busier_is_told_under_the_service_host(store):
    """All services of a host together: half as much again from two thirds on, and where the bill lies."""
    rng = np.random.default_rng(5)
    busier = a_step(600, 1.5)
    for service in ("a", "host"):
        HistoryWriter(store, START_S).functions(service, {("f", "a.py"): rng.poisson(300 * busier)})
    found = told(scan(store, "host"))
    one = found[Kind.HOST_CPU, "alpha"]
    # Two services of 300 samples of 10 ms in 300 s.
    assert (0.02, 0.03) == (pytest.approx(one.before, rel=0.03), pytest.approx(one.after, rel=0.03))
    assert (Kind.HOST_CPU, "alpha") not in told(scan(store, "a"))


def test_a_service_that_nobody_knows_or_that_is_young_has_a_state(store):
    """No history: everything is counted as too little data, and a note says why."""
    nothing = scan(store, HOSTILE)
    assert ([], ["It sent nothing in this range."]) == (nothing.findings, nothing.notes)
    HistoryWriter(store, START_S).functions("young", {("f", "a.py"): np.arange(30)})
    young = scan(store, "young")
    assert ([], None, 3) == (young.findings, young.grid, young.funnel.not_enough_data)
    assert "under 6 hours of history" in young.notes[0]


def test_columns_come_with_the_same_values_as_rows(store):
    """Both ways to ask, hostile texts included; an unknown query and a wrong parameter raise the same errors."""
    HistoryWriter(store, START_S).functions(HOSTILE, {(HOSTILE, HOSTILE): np.arange(30)})
    asked = {"service": HOSTILE, "start_s": START_S, "end_s": END_S, "step_s": STEP_S, "n_steps": N_STEPS}
    asked |= {"parts": 1, "part": 0, "self_ns_min": 0}
    table = store.query_table("scan_functions", asked)
    (row,) = store.query("scan_functions", asked)
    assert isinstance(table, pa.Table)
    assert [HOSTILE.encode()] == table["function"].to_pylist()
    assert row["self_ns"] == table["self_ns"].to_pylist()[0]
    with pytest.raises(StoreError):
        store.query_table("scan_functions", {**asked, "parts": "many"})
