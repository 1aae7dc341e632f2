"""The embedded engine's deduplication after a kill in the middle of an insert."""

import shutil
import time

import pytest

from collector.store.deduplication import mend_deduplication_logs
from collector.store.embedded import EmbeddedStore

TABLE = (
    "CREATE TABLE IF NOT EXISTS kept (a UInt64, day UInt16) ENGINE = MergeTree PARTITION BY day ORDER BY a "
    "SETTINGS non_replicated_deduplication_window = 100"
)


@pytest.fixture
def open_embedded(tmp_path):
    stores = []

    def open_it():
        stores.append(EmbeddedStore(tmp_path))
        stores[-1].execute(TABLE)
        return stores[-1]

    yield open_it
    for store in stores:
        store.close()


def insert(store, number):
    store.insert("kept", {"a": [number], "day": [20_000]}, token=f"t{number}")


def values(store):
    return [row["a"] for row in store.select("SELECT a FROM kept ORDER BY a")]


def part_folders(store):
    return [row["path"] for row in store.select("SELECT path FROM system.parts WHERE table = 'kept' ORDER BY name")]


def test_a_token_without_its_rows_is_forgotten(open_embedded, tmp_path):
    """An insert of which a kill left only the token is stored when it is repeated; the others are not stored twice."""
    first = open_embedded()
    for number in range(3):
        insert(first, number)
    last = part_folders(first)[-1]
    first.close()
    shutil.rmtree(last)
    second = open_embedded()
    assert values(second) == [0, 1]
    for number in range(3):
        insert(second, number)
    assert values(second) == [0, 1, 2]


def test_tokens_of_merged_rows_are_kept(open_embedded, tmp_path):
    """Rows that were merged into another part are there; their tokens still hold."""
    first = open_embedded()
    for number in range(5):
        insert(first, number)
    first.execute("OPTIMIZE TABLE kept FINAL")
    deadline = time.monotonic() + 30
    while first.select("SELECT count() AS n FROM system.parts WHERE table = 'kept' AND active") != [{"n": 1}]:
        assert time.monotonic() < deadline
    first.close()
    assert mend_deduplication_logs(tmp_path / "clickhouse") == []
    second = open_embedded()
    for number in range(5):
        insert(second, number)
    assert values(second) == [0, 1, 2, 3, 4]


def test_logs_that_are_whole_are_not_touched(open_embedded, tmp_path):
    """Closing in order leaves nothing to mend, also with tables that were never written."""
    store = open_embedded()
    insert(store, 1)
    store.close()
    assert mend_deduplication_logs(tmp_path / "clickhouse") == []
    assert mend_deduplication_logs(tmp_path / "nothing") == []


def test_a_line_that_was_cut_off_is_removed(open_embedded, tmp_path):
    """The engine can read its log again, and every whole line still holds."""
    store = open_embedded()
    insert(store, 1)
    store.close()
    logs = [path for path in (tmp_path / "clickhouse").glob("store/*/*/deduplication_logs/*") if path.stat().st_size]
    [log] = logs
    log.write_bytes(log.read_bytes() + b"1\t20000_9")
    second = open_embedded()
    insert(second, 1)
    insert(second, 2)
    assert values(second) == [1, 2]
