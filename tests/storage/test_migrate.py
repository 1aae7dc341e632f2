"""Migrations: each once, in order, and never changed afterwards."""

import pytest

from collector.store.migrate import Migration, migrate, pending_migrations, shipped_migrations
from collector.store.statements import split_statements
from pyrometer.errors import ConfigError


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
