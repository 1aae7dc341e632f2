"""SQL text from files: queries and migrations as they were shipped, and migrations split into statements."""

import functools
import re
from importlib import resources
from pathlib import Path
from typing import Final

from collector.store.protocol import Parameter

# Quoted text and comments are taken whole, so that a semicolon in them ends nothing.
_TOKEN: Final = re.compile(
    r"""'(?:\\.|''|[^'\\])*'|`(?:\\.|[^`\\])*`|"(?:\\.|[^"\\])*"|--[^\n]*|/\*.*?\*/|;|[^;'`"\-/]+|[-/]""", re.DOTALL
)
_QUERY_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_MIGRATION_FILE: Final = re.compile(r"\d{4}_[a-z0-9_]+\.sql")


# What a parameter's text must escape: ClickHouse reads it as a TSV field.
_TSV_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\0": "\\0", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
)


@functools.cache
def query_text(name: str) -> str:
    """
    Return the SQL of ``queries/NAME.sql``.

    Raises:
        ValueError: If the name is not a query's name.
        FileNotFoundError: If there is no such query.
    """
    if not _QUERY_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a query name")
    text = resources.files("collector.store").joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")
    return text.strip().removesuffix(";")


def query_names() -> list[str]:
    """Return the names of all queries, sorted."""
    folder = resources.files("collector.store").joinpath("queries")
    return sorted(entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name.endswith(".sql"))


def migration_texts() -> list[tuple[str, str]]:
    """Return the name and the text of each migration, in the order of their numbers."""
    folder = resources.files("collector.store").joinpath("migrations")
    files = sorted((entry for entry in folder.iterdir() if _MIGRATION_FILE.fullmatch(entry.name)), key=lambda e: e.name)
    return [(entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8")) for entry in files]


def otlp_schema_path(signal: str) -> Path:
    """Return the file with the protobuf schema by which ClickHouse reads a signal's requests."""
    return Path(str(resources.files("collector.store"))) / f"otlp_{signal}.proto"


@functools.cache
def otlp_schema(signal: str) -> str:
    """Return the text of that file."""
    return otlp_schema_path(signal).read_text(encoding="utf-8")


def split_statements(text: str) -> list[str]:
    """
    Return the statements of an SQL text without comments and closing semicolons.

    Raises:
        ValueError: If a quote is not closed.
    """
    statements: list[str] = []
    parts: list[str] = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise ValueError(f"a quote is not closed at character {position}")
        token = found.group()
        position = found.end()
        if token == ";":  # noqa: S105
            statements.append("".join(parts))
            parts = []
        elif token.startswith(("--", "/*")):
            parts.append(" ")
        else:
            parts.append(token)
    statements.append("".join(parts))
    return [statement.strip() for statement in statements if statement.strip()]


def quote_text(text: str) -> str:
    """Return a text as an SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"


def parameter_text(value: Parameter) -> str:
    """Return a query parameter as ClickHouse reads it: a text escaped as a TSV field, a list as an array literal."""
    if isinstance(value, str):
        return value.translate(_TSV_ESCAPES)
    if isinstance(value, (int, float)):
        return str(int(value)) if isinstance(value, bool) else repr(value)
    return "[" + ",".join(literal(item) for item in value) + "]"


def literal(value: str | int) -> str:
    """Return a text or a number as an SQL literal."""
    return quote_text(value) if isinstance(value, str) else str(value)
