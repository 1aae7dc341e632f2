"""
The tables of one server, made into those of a cluster: each statement of a migration, rewritten.

    samples            Distributed: what is inserted into and selected from, as on one server
    samples_local      on each shard: holds the rows

A row's shard follows from its sorting key, so rows that the engine merges are on the same one, and a repeated insert is
cut into the same parts, which each shard then recognises by its token. Tables that keep nothing (engine Null) and the
views that feed from them are on every server: whichever takes a request parses it. Views that feed from stored rows
work on each shard by itself.

Source: https://clickhouse.com/docs/engines/table-engines/special/distributed.
"""

import functools
import re
from dataclasses import dataclass
from typing import Final

from collector.store.statements import migration_texts
from pyrometer.errors import ConfigError

LOCAL: Final = "_local"
# The sorting key may be one name or several in parentheses. See `collector/store/migrations`.
_STORED: Final = re.compile(
    r"CREATE TABLE IF NOT EXISTS (?P<name>\w+)\n(?P<columns>.*)\n"
    r"ENGINE = (?P<family>\w*)MergeTree(?:\((?P<arguments>[^\n]*)\))?\n"
    r"(?P<middle>.*?)ORDER BY \(?(?P<key>[\w, ]+)\)?(?P<rest>\n.*|)",
    re.DOTALL,
)
_OTHER_TABLE: Final = re.compile(r"CREATE TABLE IF NOT EXISTS (?P<name>\w+)\s(?P<rest>.*)", re.DOTALL)
_VIEW: Final = re.compile(
    r"CREATE MATERIALIZED VIEW IF NOT EXISTS (?P<name>\w+) TO (?P<target>\w+) AS(?P<select>\s.*)", re.DOTALL
)
_ALTER: Final = re.compile(r"ALTER TABLE (?P<name>\w+)(?P<change>\s.*)", re.DOTALL)
_FROM: Final = re.compile(r"\bFROM (\w+)\b")
_COLUMNS_CHANGE: Final = re.compile(r"\b(?:ADD|DROP|MODIFY|RENAME) COLUMN\b")
_CODEC: Final = re.compile(r"\s+CODEC\((?:[^()]|\([^()]*\))*\)")
_WINDOW: Final = "non_replicated_deduplication_window"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Cluster:
    """
    Which cluster, of the server's ``remote_servers``, and how its replicas come by their rows.

    Attributes:
        name: As in the server's configuration.
        keeper: Whether there is a Keeper: then tables are Replicated, each statement is handed to all servers by ON
            CLUSTER, and the cluster's ``internal_replication`` must be true. Without one, the server that takes an
            insert writes it to every replica (``internal_replication`` false), and statements are run on each server.
    """

    name: str
    keeper: bool = True

    def __post_init__(self) -> None:
        """Refuse a name that is none."""
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"store.cluster = {self.name!r}: a name is letters, digits and _.- and begins with a letter"
            )

    def everywhere(self) -> str:
        """Return what makes a statement run on all servers; nothing without a Keeper."""
        return f" ON CLUSTER '{self.name}'" if self.keeper else ""


def cluster_statements(statement: str, cluster: Cluster) -> list[str]:
    """
    Return what defines on a cluster what a statement defines on one server, in order.

    Args:
        statement: Of a migration, without comments; others than CREATE and ALTER stay as they are.
        cluster: Which.

    Raises:
        ValueError: If it is of a form that no migration has.
    """
    if found := _STORED.fullmatch(statement):
        return _stored_table(found, cluster)
    if found := _VIEW.fullmatch(statement):
        return [_view(found, cluster)]
    if found := _ALTER.fullmatch(statement):
        return _alter(found["name"], found["change"], cluster)
    if found := _OTHER_TABLE.fullmatch(statement):
        return [f"CREATE TABLE IF NOT EXISTS {found['name']}{cluster.everywhere()} {found['rest']}"]
    if statement.startswith("INSERT INTO "):
        return [statement]
    raise ValueError(f"this statement cannot be made into one for a cluster: {statement[:80]}")


@functools.cache
def stored_tables() -> frozenset[str]:
    """Return the names of the tables that hold rows, of all migrations."""
    texts = (text for _, text in migration_texts())
    return frozenset(
        name
        for text in texts
        for name, engine in re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)\s.*?\nENGINE = (\w+)", text, re.DOTALL)
        if engine.endswith("MergeTree")
    )


def _stored_table(found: re.Match[str], cluster: Cluster) -> list[str]:
    name, key = found["name"], found["key"].strip()
    arguments = [found["arguments"]] if found["arguments"] else []
    family, rest = found["family"], found["rest"]
    if cluster.keeper:
        arguments = ["'/clickhouse/tables/{shard}/{database}/{table}'", "'{replica}'", *arguments]
        family, rest = f"Replicated{family}", rest.replace(_WINDOW, _WINDOW.removeprefix("non_"))
    engine = f"{family}MergeTree({', '.join(arguments)})"
    distributed = f"Distributed('{cluster.name}', currentDatabase(), '{name}{LOCAL}', cityHash64({key}))"
    columns = f"{found['columns']}\nENGINE = {engine}\n{found['middle']}ORDER BY ({key}){rest}"
    return [
        f"CREATE TABLE IF NOT EXISTS {name}{LOCAL}{cluster.everywhere()}\n{columns}",
        f"CREATE TABLE IF NOT EXISTS {name}{cluster.everywhere()} AS {name}{LOCAL} ENGINE = {distributed}",
    ]


def _view(found: re.Match[str], cluster: Cluster) -> str:
    select, target = _local_source(found["select"]), found["target"]
    if select != found["select"]:
        target += LOCAL
    return f"CREATE MATERIALIZED VIEW IF NOT EXISTS {found['name']}{cluster.everywhere()} TO {target} AS{select}"


def _local_source(select: str) -> str:
    """Return a view's SELECT, fed from the rows of the shard it is on where it feeds from stored rows."""

    def local(found: re.Match[str]) -> str:
        name = found[1]
        return f"FROM {name}{LOCAL} AS {name}" if name in stored_tables() else found[0]

    return _FROM.sub(local, select)


def _alter(name: str, change: str, cluster: Cluster) -> list[str]:
    if name not in stored_tables():
        return [f"ALTER TABLE {name}{cluster.everywhere()}{_local_source(change)}"]
    statements = [f"ALTER TABLE {name}{LOCAL}{cluster.everywhere()}{change}"]
    if _COLUMNS_CHANGE.search(change):
        statements.append(f"ALTER TABLE {name}{cluster.everywhere()}{_CODEC.sub('', change)}")
    return statements
