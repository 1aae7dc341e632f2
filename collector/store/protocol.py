"""
What the collector needs of a database, whichever engine it is, and the errors an engine answers with.

    PyrometerError
    └── StoreError                  the engine refused: its code and text
        ├── UnreachableStoreError   the engine does not answer, or cannot work for now: the same again may succeed
        └── QueryLimitError         a query ran into one of its limits
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import pyarrow as pa

from pyrometer.errors import PyrometerError

Parameter = str | int | float | Sequence[str] | Sequence[int]
Signal = Literal["traces", "metrics", "logs"]

# The oldest server that parses OTLP as our views need it.
SERVER_VERSION_MIN = (25, 9)

# Source: ClickHouse, src/Common/ErrorCodes.cpp. The engine cannot work now; the content is not at fault.
_CODES_OF_THE_MOMENT = frozenset(
    {
        16,  # NO_SUCH_COLUMN_IN_TABLE
        60,  # UNKNOWN_TABLE: the database is not ours, or not migrated
        81,  # UNKNOWN_DATABASE
        164,  # READONLY
        192,  # UNKNOWN_USER
        193,  # WRONG_PASSWORD
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        218,  # TABLE_IS_DROPPED
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        279,  # ALL_CONNECTION_TRIES_FAILED
        394,  # QUERY_WAS_CANCELLED
        425,  # SYSTEM_ERROR
        439,  # CANNOT_SCHEDULE_TASK
        497,  # ACCESS_DENIED
        516,  # AUTHENTICATION_FAILED
        570,  # DATA_TYPE_INCOMPATIBLE_WITH_PROTOBUF_FIELD: the schema is ours, the tables are of another release
        745,  # SERVER_OVERLOADED
        999,  # KEEPER_EXCEPTION
    }
)
_CODES_OF_QUERY_LIMITS = frozenset(
    {
        158,  # TOO_MANY_ROWS
        159,  # TIMEOUT_EXCEEDED
        160,  # TOO_SLOW
        241,  # MEMORY_LIMIT_EXCEEDED
        307,  # TOO_MANY_BYTES
        396,  # TOO_MANY_ROWS_OR_BYTES
    }
)
# The engine's own words about the operating system: "No space left on device", "Too many open files", …
_WORDS_OF_THE_MOMENT = ("errno: 28", "no space left", "errno: 24", "too many open files", "errno: 5,", "errno: 122")
_TEXT_LENGTH_MAX = 400


class StoreError(PyrometerError):
    """The engine refused a statement. ``code`` is ClickHouse's, 0 where unknown."""

    def __init__(self, message: str, *, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class UnreachableStoreError(StoreError):
    """The engine does not answer or cannot work for now; the same statement may succeed later."""


class QueryLimitError(StoreError):
    """A query ran into one of its limits: time, rows or memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLimits:
    """What one query may use."""

    seconds_max: int = 30
    rows_max: int = 2_000_000
    memory_bytes_max: int = 2 * 1024**3

    def settings(self, name: str) -> dict[str, str | int]:
        """Return them as ClickHouse settings, with the query's name as the comment in the engine's log."""
        return {
            "readonly": 1,
            "max_execution_time": self.seconds_max,
            "max_result_rows": self.rows_max,
            "result_overflow_mode": "throw",
            "max_memory_usage": self.memory_bytes_max,
            "log_comment": name,
        }


class Store(Protocol):
    """A database that holds Pyrometer's tables. Safe to use from many threads at once."""

    def query(self, name: str, parameters: Mapping[str, Parameter]) -> list[dict[str, Any]]:
        """
        Run ``queries/NAME.sql`` read-only, within the limits, and return its rows.

        Queries return times as integers (``toUnixTimestamp64Milli``), so that both engines give the same values.

        Raises:
            StoreError: If the engine refuses it; QueryLimitError where it ran into a limit.
        """

    def query_table(self, name: str, parameters: Mapping[str, Parameter]) -> pa.Table:
        """
        Run ``queries/NAME.sql`` as ``query`` does, and return its rows as columns: for many numbers.

        Texts come as binary, which may hold anything. A query in which they may be long is not for this.

        Raises:
            StoreError: As ``query`` does.
        """

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]], *, token: str) -> int:
        """
        Insert rows given as columns of one length, and return how many; the same token again inserts nothing.

        Times are integers in the column's own unit: milliseconds for DateTime64(3), seconds for DateTime.
        """

    def insert_otlp(self, signal: Signal, body: bytes, *, token: str) -> None:
        """Insert the raw protobuf of one export request, or of many joined; the same token again inserts nothing."""

    def define(self, statement: str) -> None:
        """Run one statement of a migration: on every server, where the database has several."""

    def execute(self, statement: str) -> None:
        """Run one statement without parameters or result."""

    def begin_backup(self, place: str) -> None:
        """
        Begin a backup of this database to a place, in SQL; the engine's table of backups says how it goes.

        Raises:
            StoreError: If this database cannot be backed up as a whole.
        """

    def select(self, statement: str) -> list[dict[str, Any]]:
        """Run one fixed SELECT without parameters: for migrations and tests."""

    def ping(self) -> str:
        """Return the engine's version."""

    def close(self) -> None:
        """Give back all connections."""


def store_error(text: str, *, code: int | None = None, querying: bool = False) -> StoreError:
    """Return the error that stands for an engine's message: the first line of it, and of the kind its code says."""
    if code is None:
        found = re.search(r"Code: (\d+)", text)
        code = int(found.group(1)) if found else 0
    # The engine may append its own stack trace to the message.
    short = " ".join(text.partition("Stack trace:")[0].split())[:_TEXT_LENGTH_MAX].strip()
    if querying and code in _CODES_OF_QUERY_LIMITS:
        return QueryLimitError(short, code=code)
    if code in _CODES_OF_THE_MOMENT or any(word in text.lower() for word in _WORDS_OF_THE_MOMENT):
        return UnreachableStoreError(short, code=code)
    return StoreError(short, code=code)
