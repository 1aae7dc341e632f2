"""Queries read, within limits, whatever they say."""

from dataclasses import replace

import pytest

from collector.store import embedded, server
from collector.store.embedded import EmbeddedStore
from collector.store.protocol import QueryLimitError, QueryLimits, StoreError
from collector.store.server import ServerStore


@pytest.fixture
def statement(monkeypatch):
    """Lets a test run a statement as if it lay in queries/; gives the function that sets it."""

    def set_it(text):
        for module in (embedded, server):
            monkeypatch.setattr(module, "query_text", lambda _name: text)

    return set_it


@pytest.mark.parametrize(
    "text",
    ["INSERT INTO frames (frame_id) VALUES (1)", "DROP TABLE frames", "TRUNCATE TABLE frames", "CREATE DATABASE x"],
)
def test_a_query_cannot_write(store, statement, text):
    """A statement that writes is refused, even if it came to lie among the queries."""
    statement(text)
    with pytest.raises(StoreError):
        store.query("any", {})
    assert [{"rows": 0}] == [{"rows": int(row["rows"])} for row in store.select("SELECT count() AS rows FROM frames")]


def test_a_query_has_limits(store, statement):
    """Time, memory and rows are bounded on both engines: each limit ends the query with an error of its kind."""
    narrow = QueryLimits(seconds_max=1, rows_max=1000, memory_bytes_max=50 * 1024**2)
    limits, store._limits = store._limits, narrow
    try:
        for text in (
            "SELECT number FROM system.numbers LIMIT 2000",
            "SELECT groupArray(number) AS all FROM system.numbers LIMIT 1",
        ):
            statement(text)
            with pytest.raises(QueryLimitError):
                store.query("any", {})
    finally:
        store._limits = limits


def another_database(store):
    if isinstance(store, EmbeddedStore):
        return EmbeddedStore(store._path.parent, database="pyrometer_other", runs_already=True)
    return ServerStore(replace(store._address, database=f"{store._address.database}_other"))


def test_tenants_of_one_engine_do_not_meet(store, statement):
    """Two databases of one engine: what is in one is not in the other, for the same query and token."""
    other = another_database(store)
    try:
        for one, value in ((store, 1), (other, 2)):
            one.execute("CREATE TABLE IF NOT EXISTS whose (value UInt8) ENGINE = MergeTree ORDER BY value")
            one.insert("whose", {"value": [value]}, token="same")
        statement("SELECT value FROM whose")
        assert [[{"value": 1}], [{"value": 2}]] == [one.query("any", {}) for one in (store, other)]
    finally:
        for one in (store, other):
            one.execute("DROP TABLE IF EXISTS whose")
        if isinstance(other, ServerStore):
            other.execute(f"DROP DATABASE {other._address.database}")
        other.close()
