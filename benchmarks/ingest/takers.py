"""The programs that are compared, each a process of its own that takes OTLP over HTTP and writes to the server."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.ingest.database import Database
from benchmarks.ingest.otel_tables import OTEL_TABLES
from benchmarks.scratch import find_interpreters, scratch_python
from collector.store.migrate import migrate
from collector.store.server import ServerStore

# The wheel holds the program; it has no profiles.
ROTEL: Final = "rotel==0.0.1a15"
BATCH_ROWS: Final = 50_000
_START_TIMEOUT_S: Final = 60
_END_TIMEOUT_S: Final = 60


@dataclass(frozen=True, slots=True)
class Taker:
    """
    A running program.

    Attributes:
        port: Where it takes OTLP over HTTP.
        pid: Of its process.
        tables: Where rows arrive, by signal, as DATABASE.TABLE, a pattern of LIKE.
    """

    port: int
    pid: int
    tables: Mapping[str, str]


@contextlib.contextmanager
def pyrometer(database: Database) -> Iterator[Taker]:
    """Run our collector with its defaults."""
    name = "ours"
    with _tables_of_ours(database, name) as url, tempfile.TemporaryDirectory(prefix="pyrometer-ingest-") as folder:
        port = _free_port()
        command = [sys.executable, "-m", "pyrometer", "collector", "run", "--http-address", f"127.0.0.1:{port}"]
        command += ["--data-dir", folder, "--log-level", "warn"]
        more = {"PYROMETER_COLLECTOR_STORE__URL": url, "PYROMETER_COLLECTOR_GRPC__ADDRESS": '""'}
        with _running(command, port, more) as pid:
            yield Taker(port, pid, _our_tables(name))


@contextlib.contextmanager
def python_decoder(database: Database) -> Iterator[Taker]:
    """Run what one would write without ClickHouse's parser: protobuf to Python, rows through clickhouse-driver."""
    name = "decoded"
    with _tables_of_ours(database, name) as url:
        port = _free_port()
        command = [sys.executable, "-m", "benchmarks.ingest.python_collector", str(port), url, str(BATCH_ROWS)]
        with _running(command, port, {}) as pid:
            tables = _our_tables(name)
            yield Taker(port, pid, {signal: tables[signal] for signal in ("traces", "metrics")})


@contextlib.contextmanager
def rotel(database: Database) -> Iterator[Taker]:
    """Run rotel with its ClickHouse exporter and tables, as it is shipped."""
    with _rotel(database, ["--batch-max-size", "8192"]) as taker:
        yield taker


@contextlib.contextmanager
def rotel_large_batches(database: Database) -> Iterator[Taker]:
    """Run rotel with batches as large as ours, which the server does not gather again."""
    options = ["--batch-max-size", str(BATCH_ROWS), "--batch-timeout", "1s"]
    with _rotel(database, [*options, "--clickhouse-exporter-async-insert", "false"]) as taker:
        yield taker


@contextlib.contextmanager
def _rotel(database: Database, options: Sequence[str]) -> Iterator[Taker]:
    program = rotel_program()
    name = "otel"
    database.execute(f"CREATE DATABASE {name}")
    try:
        for statement in OTEL_TABLES:
            database.execute(statement)
        port, grpc_port = _free_port(), _free_port()
        command = [str(program), "start", "--otlp-http-endpoint", f"127.0.0.1:{port}"]
        command += ["--otlp-grpc-endpoint", f"127.0.0.1:{grpc_port}"]
        command += ["--exporter", "clickhouse", "--clickhouse-exporter-database", name, *options]
        command += ["--clickhouse-exporter-endpoint", f"http://{database.address.host}:{database.address.http_port}"]
        with _running(command, port, {}) as pid:
            yield Taker(port, pid, {"traces": f"{name}.otel_traces", "metrics": f"{name}.otel_metrics_%"})
    finally:
        database.execute(f"DROP DATABASE {name} SYNC")


def rotel_program() -> Path:
    """Return the program of the pinned rotel, installed where it is missing; raises UnavailableError."""
    interpreter = find_interpreters()[0]
    python = scratch_python(interpreter, ROTEL)
    program = python.parent.parent / "lib" / f"python{interpreter.version}" / "site-packages" / "rotel" / "rotel-agent"
    program.chmod(0o755)
    return program


@contextlib.contextmanager
def _tables_of_ours(database: Database, name: str) -> Iterator[str]:
    """Make our tables in a database of their own, and give its URL."""
    store = ServerStore(replace(database.address, database=name))
    try:
        migrate(store)
        yield database.url.replace("/pyrometer?", f"/{name}?")
    finally:
        store.execute(f"DROP DATABASE {name} SYNC")
        store.close()


def _our_tables(name: str) -> dict[str, str]:
    return {"traces": f"{name}.spans", "metrics": f"{name}.metric_points", "profiles": f"{name}.samples"}


@contextlib.contextmanager
def _running(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Iterator[int]:
    process = subprocess.Popen(
        command, env=os.environ | environment, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {process.returncode}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
