"""Every storage test runs on both engines: embedded in this process, and a real server."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from collector.store.protocol import Store
from collector.store.server import ServerAddress, ServerStore
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


@pytest.fixture
def open_store(engine, request, tmp_path) -> Iterator[Callable[[], Store]]:
    """Opens a store on this test's own database, empty at first; every call opens the same one again."""
    stores: list[Store] = []
    if engine == "server":
        address = ServerAddress.parse(request.getfixturevalue("server_url"))
        database = f"pyrometer_test_{os.getpid()}_{next(_numbers)}"

        def open_it() -> Store:
            stores.append(
                ServerStore(
                    ServerAddress(
                        host=address.host,
                        port=address.port,
                        http_port=address.http_port,
                        database=database,
                        user=address.user,
                        password=address.password,
                        secure=address.secure,
                    )
                )
            )
            return stores[-1]
    else:

        def open_it() -> Store:
            stores.append(EmbeddedStore(tmp_path))
            return stores[-1]

    yield open_it
    if engine == "server" and stores:
        open_it().execute(f"DROP DATABASE IF EXISTS {database}")
    for store in stores:
        store.close()


@pytest.fixture
def empty_store(open_store) -> Store:
    return open_store()


@pytest.fixture
def store(empty_store) -> Store:
    migrate(empty_store)
    return empty_store
