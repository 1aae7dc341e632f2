"""
Backups: copies that the engine makes of a database while it goes on, and brings back into an empty one.

A backup is a folder DATABASE/NAME under the folder that the engine allows for them: of a server
``backups.allowed_path`` of its configuration, of the embedded engine ``store.backups_dir`` of ours. What still waits in
the write-ahead log is not in it.
"""

import re

from collector.store.protocol import Store
from collector.store.statements import quote_text
from pyrometer.api_store import BACKUP_NAME
from pyrometer.errors import ConfigError


def begin_backup(store: Store, name: str) -> None:
    """
    Have the engine begin a backup; ``queries/store_backups.sql`` says how it goes.

    Raises:
        ConfigError: If the name is none.
        StoreError: If the engine refuses.
    """
    store.begin_backup(_place(_database(store), name))


def restore_backup(store: Store, name: str) -> None:
    """
    Bring a backup back. The database must hold no rows; other collectors must not use it.

    Raises:
        ConfigError: If the name is none, or the database holds rows.
        StoreError: If there is no such backup, or the engine refuses it; the database is empty then.
    """
    database = _database(store)
    place = _place(database, name)
    rows = store.select(
        "SELECT sum(total_rows) AS n FROM system.tables WHERE database = currentDatabase() AND name != 'migrations'"
    )
    if int(rows[0]["n"] or 0):
        raise ConfigError(
            f"the database {database} holds rows already: restore into an empty one (--data-dir, store.url)"
        )
    # Its tables, empty as they are, would stand in the way.
    store.execute(f"DROP DATABASE IF EXISTS {database} SYNC")
    store.execute(f"CREATE DATABASE {database}")
    store.execute(f"RESTORE DATABASE {database} FROM {place}")


def _database(store: Store) -> str:
    return str(store.select("SELECT currentDatabase() AS name")[0]["name"])


def _place(database: str, name: str) -> str:
    if not re.fullmatch(BACKUP_NAME, name):
        raise ConfigError(f"{name[:100]!r} is no name for a backup: letters, digits and . _ - are, at most 100")
    return f"File({quote_text(f'{database}/{name}')})"
