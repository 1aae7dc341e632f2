"""The store on a ClickHouse server: native protocol for queries, rows and DDL; HTTP for raw OTLP bytes."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import clickhouse_driver
import pyarrow as pa
import urllib3
from clickhouse_driver import errors as driver_errors

from collector.store.address import ServerAddress, check_version
from collector.store.cluster import Cluster, cluster_statements
from collector.store.columns import ARROW_SETTINGS, arrow_to_table
from collector.store.pool import Pool
from collector.store.protocol import (
    Parameter,
    QueryLimits,
    Signal,
    StoreError,
    UnreachableStoreError,
    store_error,
)
from collector.store.statements import otlp_schema, parameter_text, query_text
from pyrometer.errors import ConfigError

_CONNECT_TIMEOUT_S: Final = 5
_ANSWER_TIMEOUT_S: Final = 120


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

    def __init__(
        self,
        address: ServerAddress,
        *,
        limits: QueryLimits | None = None,
        connections_max: int = 8,
        cluster: Cluster | None = None,
    ) -> None:
        """
        Connect to nothing yet.

        Args:
            address: Of the server; of a cluster, of any of its servers.
            limits: Of a query.
            connections_max: Most connections at a time.
            cluster: Where the tables are on several servers.
        """
        self._address = address
        self._cluster = cluster
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
        return self._rows(query_text(name), values, self._query_settings(name), querying=True)

    def query_table(self, name: str, parameters: Mapping[str, Parameter]) -> pa.Table:
        """Run ``queries/NAME.sql`` and return columns; see Store. By HTTP: the driver knows no Arrow."""
        self._prepare()
        options = {
            "default_format": "ArrowStream",
            # Else an error after the first rows would come as a part of them.
            "wait_end_of_query": 1,
            **self._query_settings(name),
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

    def define(self, statement: str) -> None:
        """Run one statement of a migration; see Store."""
        if self._cluster is None:
            self.execute(statement)
            return
        self._prepare()
        for one in cluster_statements(statement, self._cluster):
            if self._cluster.keeper or one.startswith("INSERT"):
                self.execute(one)
            else:
                self._execute_on_each_server(one)

    def execute(self, statement: str) -> None:
        """Run one statement; see Store."""
        with self._pool.connection() as client, self._errors():
            client.execute(statement)

    def begin_backup(self, place: str) -> None:
        """Begin a backup; see Store. Of a cluster one server holds only a part."""
        if self._cluster:
            raise StoreError("one server of a cluster holds a part of the data: use ClickHouse's BACKUP ... ON CLUSTER")
        self.execute(f"BACKUP DATABASE {self._address.database} TO {place} ASYNC")

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

    def _query_settings(self, name: str) -> dict[str, str | int]:
        # Each subquery is answered by the whole cluster, and not anew by each shard from its own rows.
        of_cluster = {"distributed_product_mode": "global"} if self._cluster else {}
        return self._limits.settings(name) | of_cluster

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

    def _connect(self, database: str | None = None, *, host: str = "", port: int = 0) -> _Client:
        return _Client(
            host or self._address.host,
            port=port or self._address.port,
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
        everywhere = self._cluster.everywhere() if self._cluster else ""
        statement = f"CREATE DATABASE IF NOT EXISTS {self._address.database}{everywhere}"
        with contextlib.closing(self._connect(database="")) as client, self._errors():
            [[version]] = client.execute("SELECT version()")
            check_version(version)
            if self._cluster is None or self._cluster.keeper:
                client.execute(statement)
                return
        self._execute_on_each_server(statement, database="")

    def _execute_on_each_server(self, statement: str, *, database: str | None = None) -> None:
        for host, port in self._servers():
            with contextlib.closing(self._connect(database, host=host, port=port)) as client, self._errors():
                client.execute(statement)

    def _servers(self) -> list[tuple[str, int]]:
        """Return host and native port of each server of the cluster."""
        cluster = self._cluster.name if self._cluster else ""
        with contextlib.closing(self._connect(database="")) as client, self._errors():
            found = client.execute(
                "SELECT host_name, port FROM system.clusters WHERE cluster = {cluster:String} "
                "ORDER BY shard_num, replica_num",
                {"cluster": cluster},
            )
        if not found:
            raise ConfigError(f"store.cluster = {cluster!r}: {self._address} knows no such cluster; see remote_servers")
        return [(str(host), int(port)) for host, port in found]

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


def _insert_settings(token: str) -> dict[str, str | int]:
    return {
        "insert_deduplication_token": token,
        "insert_deduplicate": 1,
        "deduplicate_blocks_in_dependent_materialized_views": 1,
        "async_insert": 0,
        # On a cluster: an insert is confirmed once every shard that it concerns has it.
        "distributed_foreground_insert": 1,
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
