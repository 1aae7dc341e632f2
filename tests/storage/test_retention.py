"""How long rows are kept, on both engines."""

import time

import pytest

from collector.store.migrate import migrate, shipped_migrations
from collector.store.migrate_report import dry_run, run, status
from collector.store.retention import RetentionSettings, apply_retention, retention_changes


@pytest.fixture(scope="module")
def kept(migrated_store):
    """A database whose tables keep rows for other times than the defaults; at the end they are as they were."""
    yield migrated_store
    apply_retention(migrated_store, RetentionSettings())


def test_the_settings_defaults_are_what_migrations_make(kept):
    """A database that was just made needs no change, and every table of a tier is there."""
    assert retention_changes(kept, RetentionSettings()) == []
    rows = kept.select(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine_full LIKE '%toIntervalDay%'"
    )
    assert set(RetentionSettings().by_table()) <= {row["name"] for row in rows}


def test_a_change_is_made_once(kept):
    """Each table of the tier follows, what it refers to outlives it, and a second time there is nothing to do."""
    retention = RetentionSettings(samples_days=3, rollups_days=30)
    changed = {change.table: (change.days_before, change.days) for change in apply_retention(kept, retention)}
    assert changed["samples"] == (14, 3)
    assert changed["stacks"] == changed["frames"] == changed["series"] == (30, 19)
    assert changed["latency"] == changed["function_cost"] == (90, 30)
    assert "spans" not in changed
    assert apply_retention(kept, retention) == []
    assert migrate(kept) == []


def test_rows_beyond_the_days_are_dropped(kept):
    """A row that was kept before the change is gone after it."""
    now_s = int(time.time())
    columns = {
        "service": ["a", "a"],
        "version": ["1", "1"],
        "host": ["h", "h"],
        "bucket": [now_s, now_s - 9 * 86_400],
        "cpu_ns": [1, 2],
        "samples": [1, 1],
        "observed_ns": [1, 1],
        "windows": [1, 1],
    }
    apply_retention(kept, RetentionSettings())
    kept.insert("service_cost", columns, token="retention")
    assert sorted(row["cpu_ns"] for row in kept.select("SELECT cpu_ns FROM service_cost")) == [1, 2]
    apply_retention(kept, RetentionSettings(rollups_days=5))
    deadline = time.monotonic() + 30
    while len(kept.select("SELECT cpu_ns FROM service_cost")) > 1:
        assert time.monotonic() < deadline
        kept.execute("OPTIMIZE TABLE service_cost FINAL")
    assert kept.select("SELECT cpu_ns FROM service_cost") == [{"cpu_ns": 1}]


def test_what_migrate_says(kept):
    """The status and the dry run change nothing and name what a run then does."""
    retention = RetentionSettings(logs_days=7)
    apply_retention(kept, RetentionSettings())
    line = "logs is kept 7 days, not 14"
    assert [*dry_run(kept, retention)] == [f"would apply  {line}"]
    assert [*status(kept, retention)] == [
        *(f"applied  {migration.name}" for migration in shipped_migrations()),
        f"pending  {line}",
    ]
    assert [*run(kept, retention)] == [f"applied  {line}"]
    assert [*run(kept, retention)] == [*dry_run(kept, retention)] == ["nothing to apply"]
