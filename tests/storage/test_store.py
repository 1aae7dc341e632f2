"""The store's promises, on both engines: parameters are data, a token stores once, limits hold, errors have kinds."""

import threading
import time

import pytest

from collector.store import statements
from collector.store.protocol import QueryLimitError, StoreError

HOSTILE = "a'b\\ \n\t\0\r\b<é>\x01`\";-- DROP TABLE samples"


@pytest.fixture
def add_query(monkeypatch):
    texts = {}
    original = statements.query_text
    for module in ("collector.store.embedded", "collector.store.server"):
        monkeypatch.setattr(f"{module}.query_text", lambda name: texts.get(name) or original(name))

    def add(name, text):
        texts[name] = text

    return add


def test_parameters_come_back_as_they_went_in(store, add_query):
    """Texts of any characters, lists of them, and numbers are values, never SQL."""
    add_query(
        "echo",
        "SELECT {x:String} AS x, {n:UInt64} AS n, {f:Float64} AS f, {l:Array(String)} AS l, "
        "{i:Array(UInt64)} AS i, {e:Array(String)} AS e",
    )
    parameters = {"x": HOSTILE, "n": 2**64 - 1, "f": 0.1, "l": [HOSTILE, "", "b"], "i": [1, 2**64 - 1], "e": []}
    assert store.query("echo", parameters) == [parameters]


def test_answers_have_the_same_types_on_both_engines(store, add_query):
    """Whole floats stay floats, not-a-number is None, a Bool is a bool, lists are lists."""
    add_query(
        "types",
        "SELECT 5::Float64 AS f, nan AS n, true AS b, [1.0, 2.0]::Array(Float64) AS l, NULL AS z, "
        "map('a', 'b')::Map(String, String) AS m",
    )
    [row] = store.query("types", {})
    assert row == {"f": 5.0, "n": None, "b": True, "l": [1.0, 2.0], "z": None, "m": {"a": "b"}}
    assert isinstance(row["f"], float)
    assert isinstance(row["l"][0], float)


def test_a_query_cannot_write(store, add_query):
    """Queries run read-only."""
    add_query("writes", "CREATE TABLE t (a Int8) ENGINE = Memory")
    with pytest.raises(StoreError):
        store.query("writes", {})


def test_a_query_that_runs_into_a_limit_says_so(store, add_query):
    """Too many rows are a QueryLimitError, not a cut answer, and the next answer has nothing of them."""
    add_query("many", "SELECT number FROM numbers(3000000)")
    for _ in range(3):
        with pytest.raises(QueryLimitError):
            store.query("many", {})
        assert store.select("SELECT 1 AS one") == [{"one": 1}]


def test_an_unknown_table_is_a_store_error_with_its_code(store):
    """The engine's code and the first line of its text are kept."""
    with pytest.raises(StoreError, match="nothing_here") as caught:
        store.select("SELECT * FROM nothing_here")
    assert caught.value.code == 60


def series_columns(count, now_ms):
    return {
        "series_id": [2**64 - 1 - i for i in range(count)],
        "service": [HOSTILE] * count,
        "version": [""] * count,
        "host": ["é"] * count,
        "pid": list(range(count)),
        "attributes": [{"a\0'": HOSTILE, "": ""}] * count,
        "last_seen": [now_ms] * count,
    }


def test_typed_rows_come_back_as_they_went_in(store):
    """Hostile texts, the largest ids, maps and times keep their values."""
    now_ms = time.time_ns() // 10**6
    assert store.insert("series", series_columns(3, now_ms), token="a") == 3
    rows = store.select(
        "SELECT * EXCEPT last_seen, toUnixTimestamp64Milli(last_seen) AS last_seen FROM series ORDER BY pid"
    )
    expected = series_columns(3, now_ms)
    assert rows == [{name: values[i] for name, values in expected.items()} for i in range(3)]


def test_the_same_token_stores_once(store):
    """A repeated insert, whatever its content, is taken for the first one."""
    now_ms = time.time_ns() // 10**6
    for _ in range(3):
        store.insert("series", series_columns(2, now_ms), token="same")
    store.insert("series", series_columns(1, now_ms), token="same")
    store.insert("series", series_columns(1, now_ms), token="other")
    assert store.select("SELECT count() AS n FROM series") == [{"n": 3}]


def test_no_rows_are_no_insert(store):
    """Empty columns insert nothing and are no error."""
    assert store.insert("series", {name: [] for name in series_columns(0, 0)}, token="a") == 0


def test_a_value_of_the_wrong_type_is_a_store_error(store):
    """A value that does not fit its column is refused, and nothing of the insert is stored."""
    columns = series_columns(2, 0) | {"pid": [1, "x"]}
    with pytest.raises(StoreError):
        store.insert("series", columns, token="a")
    assert store.select("SELECT count() AS n FROM series") == [{"n": 0}]


def test_many_threads_insert_and_query_at_once(store):
    """Every row of eight threads is there afterwards, and none failed."""
    failures = []

    def work(number):
        try:
            for i in range(5):
                columns = series_columns(1, time.time_ns() // 10**6) | {"series_id": [number * 10 + i]}
                store.insert("series", columns, token=f"{number}-{i}")
                store.select("SELECT count() AS n FROM series")
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.select("SELECT count() AS n FROM series") == [{"n": 40}]
