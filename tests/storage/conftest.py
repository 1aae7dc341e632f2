"""Every storage test runs on both engines: embedded in this process, and a real server."""

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.store.address import ServerAddress
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from collector.store.protocol import Store
from collector.store.server import ServerStore
from tests.clickhouse_server import clickhouse_server

_numbers = itertools.count()


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.storage)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory) -> Iterator[str]:
    with clickhouse_server(tmp_path_factory.mktemp("clickhouse")) as url:
        yield url


@pytest.fixture(scope="session", params=["embedded", "server"])
def engine(request) -> str:
    return request.param


@contextlib.contextmanager
def _opener(engine: str, request, folder: Path) -> Iterator[Callable[[], Store]]:
    """Opens stores on one database of its own, empty at first; every call opens the same one again."""
    stores: list[Store] = []
    if engine == "server":
        address = ServerAddress.parse(request.getfixturevalue("server_url"))
        address = dataclasses.replace(address, database=f"pyrometer_test_{os.getpid()}_{next(_numbers)}")

        def open_it() -> Store:
            stores.append(ServerStore(address))
            return stores[-1]
    else:

        def open_it() -> Store:
            stores.append(EmbeddedStore(folder))
            return stores[-1]

    try:
        yield open_it
    finally:
        if engine == "server" and stores:
            open_it().execute(f"DROP DATABASE IF EXISTS {address.database}")
        for store in stores:
            store.close()


@pytest.fixture
def open_store(engine, request, tmp_path) -> Iterator[Callable[[], Store]]:
    with _opener(engine, request, tmp_path) as open_it:
        yield open_it


@pytest.fixture
def empty_store(open_store) -> Store:
    return open_store()


@pytest.fixture(scope="module")
def migrated_store(engine, request, tmp_path_factory) -> Iterator[Store]:
    """One for all tests of a module, because a process can have one embedded database open at a time."""
    with _opener(engine, request, tmp_path_factory.mktemp("store")) as open_it:
        store = open_it()
        migrate(store)
        yield store


@pytest.fixture
def store(migrated_store) -> Store:
    """All tables are there and empty; tokens of earlier tests are forgotten."""
    tables = migrated_store.select(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' "
        "AND name != 'migrations' AND total_rows > 0"
    )
    for table in tables:
        migrated_store.execute(f"TRUNCATE TABLE {table['name']}")
    return migrated_store
