"""The store on a ClickHouse server: native protocol for queries, rows and DDL; HTTP for raw OTLP bytes."""

import contextlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import clickhouse_driver
import pyarrow as pa
import urllib3
from clickhouse_driver import errors as driver_errors

from collector.store.columns import ARROW_SETTINGS, arrow_to_table
from collector.store.pool import Pool
from collector.store.protocol import (
    SERVER_VERSION_MIN,
    Parameter,
    QueryLimits,
    Signal,
    StoreError,
    UnreachableStoreError,
    store_error,
)
from collector.store.statements import otlp_schema, parameter_text, query_text
from pyrometer.errors import ConfigError

_URL_FORM: Final = "clickhouse://USER:PASSWORD@HOST:PORT/DATABASE?http_port=PORT"
_URL_OPTIONS: Final = frozenset({"http_port", "secure"})
_CONNECT_TIMEOUT_S: Final = 5
_ANSWER_TIMEOUT_S: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Where a server is and who we are there."""

    host: str
    port: int = 9000
    http_port: int = 8123
    database: str = "pyrometer"
    user: str = "default"
    password: str = field(default="", repr=False)
    secure: bool = False

    @staticmethod
    def parse(url: str) -> "ServerAddress":
        """
        Read a URL of the form ``clickhouse://USER:PASSWORD@HOST:PORT/DATABASE?http_port=PORT[&secure=true]``.

        Raises:
            ConfigError: If it has another form. The text never holds the password.
        """
        try:
            parts = urlsplit(url)
            options = {
                key: values[-1] for key, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()
            }
            secure = options.get("secure", "false") in {"1", "true"}
            address = ServerAddress(
                host=parts.hostname or "",
                port=parts.port or (9440 if secure else 9000),
                http_port=int(options.get("http_port", "8443" if secure else "8123")),
                database=unquote(parts.path.strip("/")) or "pyrometer",
                user=unquote(parts.username or "default"),
                password=unquote(parts.password or ""),
                secure=secure,
            )
        except ValueError as error:
            raise ConfigError(f"the database URL cannot be read: {error}; write {_URL_FORM}") from error
        unknown = sorted(set(options) - _URL_OPTIONS)
        if parts.scheme != "clickhouse" or not address.host or unknown:
            reason = f"unknown option {unknown[0]}" if unknown else "it needs the scheme clickhouse and a host"
            raise ConfigError(f"the database URL is wrong: {reason}; write {_URL_FORM}")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", address.database):
            raise ConfigError(f"the database name {address.database!r} must be letters, digits and underscores")
        return address

    def __str__(self) -> str:
        """Return it without the password."""
        return f"{self.host}:{self.port}/{self.database}"


class _Client(clickhouse_driver.Client):  # type: ignore[misc]
    """The driver's client, with the end that a pool expects."""

    def close(self) -> None:
        """Close its socket."""
        self.disconnect()


class ServerStore:
    """
    A database on a ClickHouse server; it is created where it is missing.

    The server is not asked for before the first use, which raises UnreachableStoreError where it does not answer, and
    ConfigError where it is older than SERVER_VERSION_MIN.
    """

    def __init__(self, address: ServerAddress, *, limits: QueryLimits | None = None, connections_max: int = 8) -> None:
        self._address = address
        self._limits = limits or QueryLimits()
        self._is_prepared = False
        self._pool: Pool[_Client] = Pool(self._connect_prepared, size_max=connections_max, is_broken=_is_broken)
        self._http = urllib3.PoolManager(
            maxsize=connections_max,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(connect=_CONNECT_TIMEOUT_S, read=_ANSWER_TIMEOUT_S),
        )

    def query(self, name: str, parameters: Mapping[str, Parameter]) -> list[dict[str, Any]]:
        """Run ``queries/NAME.sql``; see Store."""
        values = {key: v if isinstance(v, (str, int, float)) else list(v) for key, v in parameters.items()}
        return self._rows(query_text(name), values, self._limits.settings(name), querying=True)

    def query_table(self, name: str, parameters: Mapping[str, Parameter]) -> pa.Table:
        """Run ``queries/NAME.sql`` and return columns; see Store. By HTTP: the driver knows no Arrow."""
        self._prepare()
        options = {
            "default_format": "ArrowStream",
            # Else an error after the first rows would come as a part of them.
            "wait_end_of_query": 1,
            **self._limits.settings(name),
            **ARROW_SETTINGS,
            **{f"param_{key}": parameter_text(value) for key, value in parameters.items()},
        }
        return arrow_to_table(self._post(options, query_text(name).encode(), querying=True))

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]], *, token: str) -> int:
        """Insert rows given as columns; see Store."""
        count = len(next(iter(columns.values()), ()))
        if count == 0:
            return 0
        with self._pool.connection() as client, self._errors():
            client.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES",
                [list(values) for values in columns.values()],
                columnar=True,
                types_check=True,
                settings=_insert_settings(token),
            )
        return count

    def insert_otlp(self, signal: Signal, body: bytes, *, token: str) -> None:
        """Insert raw protobuf; see Store."""
        options = {
            "query": f"INSERT INTO otlp_{signal} FORMAT ProtobufSingle",
            "format_schema_source": "string",
            "format_schema": otlp_schema(signal),
            "format_schema_message_name": "Request",
            "input_format_protobuf_oneof_presence": 1,
            **_insert_settings(token),
        }
        self._post(options, body)

    def execute(self, statement: str) -> None:
        """Run one statement; see Store."""
        with self._pool.connection() as client, self._errors():
            client.execute(statement)

    def select(self, statement: str) -> list[dict[str, Any]]:
        """Run one fixed SELECT; see Store."""
        return self._rows(statement, {}, {})

    def ping(self) -> str:
        """Return the server's version."""
        return str(self.select("SELECT version() AS version")[0]["version"])

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()
        self._http.clear()

    def _rows(
        self, statement: str, parameters: dict[str, Any], settings: dict[str, str | int], *, querying: bool = False
    ) -> list[dict[str, Any]]:
        with self._pool.connection() as client, self._errors(querying=querying):
            rows, columns = client.execute(statement, parameters, with_column_types=True, settings=settings)
        names = [name for name, _ in columns]
        convert = [_CONVERSIONS.get(type_name, _plain) for _, type_name in columns]
        return [{name: f(value) for name, f, value in zip(names, convert, row, strict=True)} for row in rows]

    def _post(self, options: Mapping[str, str | int], body: bytes, *, querying: bool = False) -> bytes:
        """Return the answer of the HTTP interface to a body, with options in the address."""
        scheme = "https" if self._address.secure else "http"
        where = urlencode({"database": self._address.database, **options})
        try:
            answer = self._http.request(
                "POST",
                f"{scheme}://{self._address.host}:{self._address.http_port}/?{where}",
                body=body,
                headers={"X-ClickHouse-User": self._address.user, "X-ClickHouse-Key": self._address.password},
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableStoreError(
                f"the database's HTTP port {self._address.host}:{self._address.http_port} does not answer: {error}"
            ) from error
        if answer.status != 200:  # noqa: PLR2004
            raise store_error(answer.data.decode(errors="replace"), querying=querying)
        return answer.data

    def _connect_prepared(self) -> _Client:
        self._prepare()
        return self._connect()

    def _prepare(self) -> None:
        if not self._is_prepared:  # twice at the same time does no harm
            self._prepare_database()
            self._is_prepared = True

    def _connect(self, database: str | None = None) -> _Client:
        return _Client(
            self._address.host,
            port=self._address.port,
            database=self._address.database if database is None else database,
            user=self._address.user,
            password=self._address.password,
            secure=self._address.secure,
            connect_timeout=_CONNECT_TIMEOUT_S,
            send_receive_timeout=_ANSWER_TIMEOUT_S,
            client_name="pyrometer",
            settings={"server_side_params": True},
        )

    def _prepare_database(self) -> None:
        client = self._connect(database="")
        try:
            with self._errors():
                [[version]] = client.execute("SELECT version()")
                check_version(version)
                client.execute(f"CREATE DATABASE IF NOT EXISTS {self._address.database}")
        finally:
            client.close()

    @contextlib.contextmanager
    def _errors(self, *, querying: bool = False) -> Iterator[None]:
        try:
            yield
        except driver_errors.ServerException as error:
            raise store_error(str(error), code=error.code, querying=querying) from error
        except (driver_errors.NetworkError, driver_errors.SocketTimeoutError, EOFError, OSError) as error:
            raise UnreachableStoreError(f"the database {self._address} does not answer: {error}") from error
        except driver_errors.Error as error:
            raise StoreError(f"the database {self._address}: {error}") from error


def check_version(version: str) -> None:
    """
    Check that a server is new enough.

    Raises:
        ConfigError: With both versions.
    """
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or (int(found.group(1)), int(found.group(2))) < SERVER_VERSION_MIN:
        needed = ".".join(map(str, SERVER_VERSION_MIN))
        raise ConfigError(f"the ClickHouse server is version {version}; Pyrometer needs {needed} or newer: upgrade it")


def _insert_settings(token: str) -> dict[str, str | int]:
    return {
        "insert_deduplication_token": token,
        "insert_deduplicate": 1,
        "deduplicate_blocks_in_dependent_materialized_views": 1,
        "async_insert": 0,
        "throw_on_max_partitions_per_insert_block": 0,
    }


def _is_broken(error: BaseException) -> bool:
    """Tell whether a connection may be in the middle of an answer: after anything but the engine's own refusal."""
    return isinstance(error, UnreachableStoreError) or not isinstance(error, StoreError)


def _plain_float(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """Return a value as the embedded engine's JSON gives it: NaN and infinities are None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


# The driver gives the integer 0 for a default value in a column that the server sends sparse.
_CONVERSIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "Bool": bool,
    "Float32": _plain_float,
    "Float64": _plain_float,
}
