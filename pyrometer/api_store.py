"""The store's own size in the query API."""

from typing import Annotated

import msgspec
from msgspec import Meta

BACKUP_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


class StoreTable(msgspec.Struct, kw_only=True, frozen=True):
    """One table: its rows, and what they take on the disk, compressed and whole."""

    table: str
    rows: int
    stored_bytes: int
    bytes_per_row: float
    raw_bytes: int
    parts: int


class StoreService(msgspec.Struct, kw_only=True, frozen=True):
    """One service's rows of one large table, and what they take if each takes as much as the table's others."""

    service: str
    table: str
    rows: int
    stored_bytes: int


class StoreAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """Answer of ``/store``: of the tenant that asks."""

    stored_bytes: int
    tables: list[StoreTable]
    services: list[StoreService]


class BackupBody(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What ``POST /store/backups`` takes, and answers once the backup has begun."""

    name: Annotated[str, Meta(pattern=f"^{BACKUP_NAME}$")]


class Backup(msgspec.Struct, kw_only=True, frozen=True):
    """One backup: ``status`` is CREATING_BACKUP, BACKUP_CREATED, BACKUP_FAILED (``error`` says why) or _CANCELLED."""

    name: str
    status: str
    error: str
    stored_bytes: int
    started: str


class BackupsAnswer(msgspec.Struct, kw_only=True, frozen=True):
    """Answer of ``/store/backups``: since the database was started, the newest first."""

    backups: list[Backup]
