"""The one ClickHouse server that everything writes to, and what it spends."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import clickhouse_driver

from benchmarks.clocks import children, process_cpu_ns
from collector.store.address import ServerAddress
from tests.clickhouse_server import clickhouse_server

_SETTLE_TIMEOUT_S: Final = 120
_QUIET_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Database:
    """
    A server.

    Attributes:
        url: As collectors take it.
        pid: Of its process.
        client: A connection.
    """

    url: str
    pid: int
    client: Any

    @property
    def address(self) -> ServerAddress:
        """Return where it is."""
        return ServerAddress.parse(self.url)

    def cpu_ns(self) -> int:
        """Return the CPU time it has used so far."""
        return process_cpu_ns(self.pid)

    def execute(self, statement: str) -> Any:
        """Run one statement and return its rows."""
        return self.client.execute(statement)

    def rows(self, pattern: str) -> int:
        """Return how many rows the tables have whose name, as DATABASE.TABLE, is LIKE the pattern."""
        [[count]] = self.client.execute(
            "SELECT sum(rows) FROM system.parts WHERE active AND concat(database, '.', table) LIKE %(pattern)s",
            {"pattern": pattern},
        )
        return int(count)

    def settle(self) -> None:
        """Wait until no merges run: what an insert causes later is its cost too."""
        deadline = time.monotonic() + _SETTLE_TIMEOUT_S
        quiet_since = time.monotonic()
        while time.monotonic() < min(deadline, quiet_since + _QUIET_S):
            [[merges]] = self.client.execute("SELECT count() FROM system.merges")
            if merges:
                quiet_since = time.monotonic()
            time.sleep(0.1)


@contextlib.contextmanager
def a_database() -> Iterator[Database]:
    """Start a server of its own, whose CPU time nobody else uses."""
    with tempfile.TemporaryDirectory(prefix="pyrometer-ingest-") as folder:
        before = set(children(os.getpid()))
        with clickhouse_server(Path(folder)) as url:
            started = [pid for pid in children(os.getpid()) if pid not in before]
            if len(started) != 1:
                raise SystemExit("the benchmark starts its own server, to count its CPU time: unset CLICKHOUSE_URL")
            address = ServerAddress.parse(url)
            client = clickhouse_driver.Client(address.host, port=address.port)
            try:
                yield Database(url, started[0], client)
            finally:
                client.disconnect()
