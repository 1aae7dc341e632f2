"""
Brings a database to the current tables: numbered files, each applied once and recorded with its checksum.

Other collectors write while one migrates. So a migration never drops or recreates a table that something writes to, nor
a view that feeds from one: an insert between two statements would go to a table without its views, and succeed with
nothing stored. It changes the targets first (``ADD COLUMN``), then the views (``MODIFY QUERY``), or makes a new table
with all its views before anything writes to it.
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Final

from collector.store.protocol import Store
from collector.store.statements import migration_texts, split_statements
from pyrometer.errors import ConfigError

_RECORD_TABLE: Final = """
CREATE TABLE IF NOT EXISTS migrations
(
    name String,
    checksum String,
    applied DateTime('UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY name
SETTINGS non_replicated_deduplication_window = 1000
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file of statements."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Return what the file's text is recognised by."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def shipped_migrations() -> list[Migration]:
    """Return all migrations in the order of their numbers."""
    return [Migration(name, text) for name, text in migration_texts()]


def pending_migrations(store: Store, migrations: list[Migration] | None = None) -> list[Migration]:
    """
    Return the migrations that the database lacks.

    Raises:
        ConfigError: If an applied migration has another text now, or the database knows one that this release does not.
    """
    shipped = shipped_migrations() if migrations is None else migrations
    applied = _applied(store)
    for migration in shipped:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise ConfigError(
                f"migration {migration.name} was applied to this database with another text; "
                "an applied migration must not be changed: add a new one instead"
            )
    unknown = sorted(set(applied) - {migration.name for migration in shipped})
    if unknown:
        raise ConfigError(
            f"the database has the migration {unknown[-1]}, which this release does not know: "
            "it was used by a newer release; run that one, or point to another data directory or database"
        )
    return [migration for migration in shipped if migration.name not in applied]


def migrate(store: Store, migrations: list[Migration] | None = None) -> list[str]:
    """Apply what is pending, in order, and return the names of what was applied."""
    store.define(_RECORD_TABLE.strip())
    done = []
    for migration in pending_migrations(store, migrations):
        for statement in split_statements(migration.text):
            store.define(statement)
        store.insert(
            "migrations",
            {"name": [migration.name], "checksum": [migration.checksum], "applied": [int(time.time())]},
            token=f"{migration.name}-{migration.checksum}",
        )
        done.append(migration.name)
    return done


def _applied(store: Store) -> dict[str, str]:
    exists = store.select(
        "SELECT count() AS tables FROM system.tables WHERE database = currentDatabase() AND name = 'migrations'"
    )
    if int(exists[0]["tables"]) == 0:
        return {}
    rows = store.select("SELECT name, any(checksum) AS checksum FROM migrations GROUP BY name")
    return {row["name"]: row["checksum"] for row in rows}
