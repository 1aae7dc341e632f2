"""Migrations: each once, in order, and never changed afterwards."""

import contextlib
import time

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.store.migrate import Migration, migrate, pending_migrations, shipped_migrations
from collector.store.protocol import UnreachableStoreError
from collector.store.statements import split_statements
from pyrometer.errors import ConfigError

FIRST_OTLP_MIGRATIONS = 14  # from here on there are tables that collectors write to while others migrate


def test_all_migrations_apply_once(empty_store):
    """The first run applies every file in the order of its number, the second none."""
    names = [migration.name for migration in shipped_migrations()]
    assert names == sorted(names)
    assert migrate(empty_store) == names
    assert migrate(empty_store) == []
    assert pending_migrations(empty_store) == []


def test_statements_are_idempotent(empty_store):
    """A run that was killed between a statement and its record can be repeated."""
    migrate(empty_store)
    for migration in shipped_migrations():
        for statement in split_statements(migration.text):
            empty_store.execute(statement)


def test_a_changed_migration_is_refused(empty_store):
    """An applied file with another text is an error that names it, and nothing is applied."""
    first = Migration("0001_a", "CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = MergeTree ORDER BY x")
    migrate(empty_store, [first])
    changed = Migration("0001_a", first.text.replace("Int8", "Int16"))
    with pytest.raises(ConfigError, match="0001_a"):
        migrate(empty_store, [changed, Migration("0002_b", "CREATE TABLE b (x Int8) ENGINE = Memory")])
    assert empty_store.select(
        "SELECT count() AS n FROM system.tables WHERE database = currentDatabase() AND name = 'b'"
    ) == [{"n": 0}]


def test_a_database_of_a_newer_release_is_refused(empty_store):
    """A migration that this release does not know is an error that names it."""
    first = Migration("0001_a", "SELECT 1")
    migrate(empty_store, [first, Migration("0002_b", "SELECT 1")])
    with pytest.raises(ConfigError, match="0002_b"):
        migrate(empty_store, [first])


def test_a_failing_migration_is_not_recorded(empty_store):
    """A statement that the engine refuses stops the run; the files before it stay applied."""
    first, broken = Migration("0001_a", "SELECT 1"), Migration("0002_b", "SELECT 1; SELECT nothing_here")
    with pytest.raises(Exception, match="nothing_here"):
        migrate(empty_store, [first, broken])
    assert pending_migrations(empty_store, [first, broken]) == [broken]


def test_data_is_still_there_after_closing(open_store):
    """What was inserted is on disk when the store is closed and opened again."""
    first = open_store()
    first.execute(
        "CREATE TABLE kept (a String) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 10"
    )
    first.insert("kept", {"a": ["x"]}, token="t")
    first.close()
    second = open_store()
    second.insert("kept", {"a": ["x"]}, token="t")
    assert second.select("SELECT a FROM kept") == [{"a": "x"}]


def test_what_comes_during_a_migration_is_stored_or_repeated(open_store):
    """After each statement an insert stores all its spans and points, or fails so that the collector repeats it."""
    store, stored = open_store(), {"traces": 0, "metrics": 0}
    migrations = shipped_migrations()
    migrate(store, migrations[:FIRST_OTLP_MIGRATIONS])
    bodies = {"traces": a_span().SerializeToString(), "metrics": a_gauge().SerializeToString()}
    for migration in migrations[FIRST_OTLP_MIGRATIONS:]:
        for number, statement in enumerate(split_statements(migration.text)):
            store.execute(statement)
            for signal, body in bodies.items():
                with contextlib.suppress(UnreachableStoreError):
                    store.insert_otlp(signal, body, token=f"{migration.name}-{number}")
                    stored[signal] += 1
    assert store.select(
        "SELECT (SELECT count() FROM spans) AS traces, (SELECT count() FROM metric_points) AS metrics"
    ) == [stored]
    assert store.select("SELECT count() AS n FROM span_details") == [{"n": stored["traces"]}]
    store.close()
    reopened = open_store()
    reopened.insert_otlp("metrics", bodies["metrics"], token="again")
    assert reopened.select("SELECT description, scope_name FROM metric_series FINAL WHERE description != ''") == [
        {"description": "how full", "scope_name": "s"}
    ]


def a_span():
    request = ExportTraceServiceRequest()
    now_ns = time.time_ns()
    request.resource_spans.add().scope_spans.add().spans.add(
        trace_id=bytes(15) + b"a", span_id=bytes(7) + b"b", start_time_unix_nano=now_ns, end_time_unix_nano=now_ns + 1
    )
    return request


def a_gauge():
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    scope.scope.name = "s"
    metric = scope.metrics.add(name="fill", description="how full", unit="1")
    metric.gauge.data_points.add(time_unix_nano=time.time_ns(), as_double=0.5)
    return request
