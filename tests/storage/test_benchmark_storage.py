"""The day that the benchmark of the store generates is what it says it is."""

import time

import pytest

from benchmarks.storage.__main__ import a_context, questions
from benchmarks.storage.engine import Engine
from benchmarks.storage.generate import DAY_S, DEPTH, Day, draw, fill_our_tables
from benchmarks.storage.peers import LAYOUTS, fill_peers, stored_bytes
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate

ROWS, SPANS = 12_000, 1000
# Yesterday: within what the tables keep, and with noon in its middle, so that both releases have their half.
DAY = Day(int(time.time()) // DAY_S * DAY_S, ROWS, SPANS)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    store = EmbeddedStore(tmp_path_factory.mktemp("day"))
    migrate(store)
    engine = Engine(store)
    draw(engine, DAY)
    fill_our_tables(engine, DAY)
    yield engine
    store.close()


def test_all_tables_hold_the_same_time(engine):
    """Samples, functions and services add up to the same nanosecond; every stack has its depth."""
    [sums] = engine.rows(
        "SELECT (SELECT sum(value) FROM samples) AS samples, (SELECT sum(self_ns) FROM function_cost) AS own, "
        "(SELECT sum(total_ns) FROM function_cost) AS total, (SELECT sum(cpu_ns) FROM service_cost) AS service, "
        "(SELECT count() FROM samples) AS rows, (SELECT count() FROM spans) AS spans, "
        "(SELECT sum(count) FROM latency) AS latency, (SELECT max(length(frame_ids)) FROM stacks) AS depth"
    )
    assert sums["samples"] == sums["own"] == sums["service"] == sums["total"] / DEPTH
    assert (sums["rows"], sums["spans"], sums["latency"], sums["depth"]) == (ROWS, SPANS, SPANS, DEPTH)


def test_the_query_api_answers_from_it(engine):
    """Every question finds something, and the flame graph knows all of its frames."""
    answers = {name: ask() for name, ask in questions(a_context(engine.store, DAY), DAY)}
    flame = answers["flame graph of the largest service, 24 h"]
    [value] = engine.rows("SELECT sum(value) AS value FROM drawn WHERE service = 0")
    assert flame.total_value == value["value"] > 0
    assert not any("unknown" in text for text in flame.strings)
    assert answers["function table, 24 h"].functions
    assert answers["p50, p95, p99 by operation, 24 h"].operations


def test_other_layouts_hold_the_same_samples(engine):
    """Their flame graphs have the time, or the samples, that was drawn."""
    fill_peers(engine, ROWS)
    [drawn] = engine.rows("SELECT sum(value) AS value FROM drawn WHERE service = 0")
    for layout in LAYOUTS[1:3]:
        assert sum(row["value"] for row in engine.rows(layout.flamegraph)) == drawn["value"]
    nodes = engine.rows("SELECT sum(NumSamples) AS n FROM peers.gprofiler WHERE CallStackName = 'framework.step_0_0'")
    assert nodes == engine.rows("SELECT sum(samples) AS n FROM drawn")
    assert all(size > 0 for _, size in stored_bytes(engine).values())
