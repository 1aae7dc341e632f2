"""The store inside the collector's own process: chdb, ClickHouse as a library."""

import contextlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import chdb
import pyarrow as pa

from collector.store.columns import ARROW_SETTINGS, arrow_to_table, columns_to_arrow
from collector.store.deduplication import mend_deduplication_logs
from collector.store.pool import Pool
from collector.store.protocol import Parameter, QueryLimits, Signal, StoreError, store_error
from collector.store.statements import literal, otlp_schema_path, parameter_text, query_text, quote_text

_log = logging.getLogger("pyrometer.collector")

DATABASE: Final = "pyrometer"


class EmbeddedStore:
    """
    ClickHouse in this process, its data in one directory.

    A process can have one such directory open at a time. A connection serves one thread at a time, and several run
    side by side, so connections are pooled.

    Args:
        data_dir: Where the directory lies.
        limits: Of each query.
        connections_max: Connections at a time.
        database: Its name, a plain word; each tenant has one of its own.
        runs_already: Another store of this process has the directory open.
        backups_dir: Where backups may be written; None: nowhere.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        limits: QueryLimits | None = None,
        connections_max: int = 8,
        database: str = DATABASE,
        runs_already: bool = False,
        backups_dir: Path | None = None,
    ) -> None:
        self._path = data_dir / "clickhouse"
        self._target = str(self._path)
        if backups_dir is not None:
            self._target += f"?config-file={_write_config(data_dir / 'clickhouse.xml', backups_dir)}"
        self._database = database
        self._path.mkdir(parents=True, exist_ok=True)
        if not runs_already and (missing := mend_deduplication_logs(self._path)):
            _log.warning("a kill cut off %d inserts, which will be repeated: %s", len(missing), ", ".join(missing))
        self._limits = limits or QueryLimits()
        self._types: dict[str, dict[str, str]] = {}
        self._types_lock = threading.Lock()
        self._backups: list[chdb.state.sqlitelike.Connection] = []
        with _errors():
            # Stays open: with its last connection the engine ends.
            self._anchor = chdb.connect(self._target)
            self._anchor.query(f"CREATE DATABASE IF NOT EXISTS {database}")
        # After an error a connection is not used again: chdb may give the rest of the failed answer before the next.
        self._pool: Pool[chdb.state.sqlitelike.Connection] = Pool(
            self._connect, size_max=connections_max, is_broken=lambda _: True
        )

    def query(self, name: str, parameters: Mapping[str, Parameter]) -> list[dict[str, Any]]:
        """Run ``queries/NAME.sql``; see Store."""
        return _rows(self._answer(name, parameters, "JSONCompact", self._limits.settings(name)))

    def query_table(self, name: str, parameters: Mapping[str, Parameter]) -> pa.Table:
        """Run ``queries/NAME.sql`` and return columns; see Store."""
        settings = {**self._limits.settings(name), **ARROW_SETTINGS}
        return arrow_to_table(self._answer(name, parameters, "ArrowStream", settings))

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]], *, token: str) -> int:
        """Insert rows given as columns; see Store."""
        count = len(next(iter(columns.values()), ()))
        if count == 0:
            return 0
        body = columns_to_arrow(columns, self._column_types(table))
        names = ", ".join(columns)
        self._send(f"INSERT INTO {table} ({names}) SETTINGS {_insert_settings(token)}", "ArrowStream", body)
        return count

    def insert_otlp(self, signal: Signal, body: bytes, *, token: str) -> None:
        """Insert raw protobuf; see Store."""
        # By path: a schema given as text is written to a cache in the current directory by the embedded engine.
        settings = (
            f"format_schema = {quote_text(f'{otlp_schema_path(signal)}:Request')}, "
            f"input_format_protobuf_oneof_presence = 1, {_insert_settings(token)}"
        )
        self._send(f"INSERT INTO otlp_{signal} SETTINGS {settings}", "ProtobufSingle", body)

    def define(self, statement: str) -> None:
        """Run one statement of a migration; see Store."""
        self.execute(statement)

    def execute(self, statement: str) -> None:
        """Run one statement; see Store."""
        with self._pool.connection() as connection, _errors():
            connection.query(statement)
        with self._types_lock:
            self._types.clear()

    def begin_backup(self, place: str) -> None:
        """Begin a backup; see Store."""
        if not self.select("SELECT 1 AS one FROM system.backups WHERE status = 'CREATING_BACKUP' LIMIT 1"):
            self._close_backups()
        # The query goes on, and its connection refuses all others until it has ended.
        connection = self._connect()
        self._backups.append(connection)
        with _errors():
            connection.query(f"BACKUP DATABASE {self._database} TO {place} ASYNC")

    def select(self, statement: str) -> list[dict[str, Any]]:
        """Run one fixed SELECT; see Store."""
        with self._pool.connection() as connection, _errors():
            return _rows(connection.query(statement, "JSONCompact").bytes())

    def ping(self) -> str:
        """Return the engine's version."""
        return str(self.select("SELECT version() AS version")[0]["version"])

    def close(self) -> None:
        """Close all connections; with the last one the engine ends."""
        self._pool.close()
        self._close_backups()
        self._anchor.close()

    def _close_backups(self) -> None:
        while self._backups:
            self._backups.pop().close()

    def _answer(
        self, name: str, parameters: Mapping[str, Parameter], output_format: str, settings: Mapping[str, str | int]
    ) -> bytes:
        clause = ", ".join(f"{key} = {literal(value)}" for key, value in settings.items())
        texts = {key: parameter_text(value) for key, value in parameters.items()}
        with self._pool.connection() as connection, _errors(querying=True):
            answer = connection.query(f"{query_text(name)}\nSETTINGS {clause}", output_format, params=texts)
            return bytes(answer.bytes())

    def _connect(self) -> Any:
        with _errors():
            connection = chdb.connect(self._target)
            connection.query(f"USE {self._database}")
        return connection

    def _send(self, statement: str, input_format: str, body: bytes) -> None:
        with self._pool.connection() as connection, _errors():
            inserter = connection.send_insert(statement, input_format)
            try:
                inserter.append(body)  # type: ignore[no-untyped-call]
                inserter.finish()
            except BaseException:
                with contextlib.suppress(RuntimeError):
                    inserter.cancel()  # type: ignore[no-untyped-call]
                raise

    def _column_types(self, table: str) -> dict[str, str]:
        with self._types_lock:
            known = self._types.get(table)
        if known is None:
            rows = self.select(f"DESCRIBE TABLE {table}")
            known = {row["name"]: row["type"] for row in rows}
            with self._types_lock:
                self._types[table] = known
        return known


def _write_config(path: Path, backups_dir: Path) -> Path:
    """Write the engine's configuration, which says nothing but where backups may lie, and return its path."""
    allowed = escape(str(backups_dir))
    text = f"<clickhouse><backups><allowed_path>{allowed}</allowed_path></backups></clickhouse>\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path


def _insert_settings(token: str) -> str:
    return (
        f"insert_deduplication_token = {quote_text(token)}, insert_deduplicate = 1, "
        "deduplicate_blocks_in_dependent_materialized_views = 1, async_insert = 0, "
        "throw_on_max_partitions_per_insert_block = 0"
    )


def _rows(answer: bytes) -> list[dict[str, Any]]:
    if not answer:
        return []
    table = json.loads(answer)
    names = [column["name"] for column in table["meta"]]
    rows = [dict(zip(names, row, strict=True)) for row in table["data"]]
    for name in (column["name"] for column in table["meta"] if "Float" in column["type"]):
        for row in rows:
            row[name] = _floats(row[name])
    return rows


def _floats(value: Any) -> Any:
    """JSON writes a whole float without a point: make it a float again, as the native protocol gives it."""
    if isinstance(value, int):
        return float(value)
    return [_floats(item) for item in value] if isinstance(value, list) else value


@contextlib.contextmanager
def _errors(*, querying: bool = False) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except RuntimeError as error:  # chdb raises ChdbError, and bare RuntimeError from inserts
        raise store_error(str(error), querying=querying) from error
