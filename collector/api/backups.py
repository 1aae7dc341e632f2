"""``/store/backups``: copies of the database that the engine makes while it goes on."""

from http import HTTPStatus
from typing import Any

from collector.api.context import Context
from collector.api.parameters import NoQuery, StoreQuery
from collector.api.posted import Posted
from collector.api.problems import ProblemError
from collector.store.backup import begin_backup
from collector.store.protocol import StoreError, UnreachableStoreError
from pyrometer.api_store import Backup, BackupBody, BackupsAnswer
from pyrometer.errors import ConfigError
from pyrometer.units import NS_PER_MS, format_time


def backups(context: Context, query: StoreQuery) -> BackupsAnswer:
    """Answer ``GET /store/backups``."""
    rows = context.rows("store_backups", rows_max=min(query.limit, context.limits.rows_max))
    return BackupsAnswer(backups=[_backup(row) for row in rows])


def post_backup(context: Context, _: NoQuery, posted: Posted) -> BackupBody:
    """
    Answer ``POST /store/backups``: it has begun.

    Raises:
        ProblemError: If the engine refuses.
    """
    body: BackupBody = posted.content
    try:
        begin_backup(context.store, body.name)
    except UnreachableStoreError:
        raise
    except (ConfigError, StoreError) as error:
        raise ProblemError(HTTPStatus.CONFLICT, f"no backup can be made: {error}") from error
    return body


def _backup(row: dict[str, Any]) -> Backup:
    return Backup(
        name=row["name"],
        status=row["status"],
        # The engine appends its own stack trace.
        error=row["error"].partition("Stack trace")[0].strip(" ,")[:1000],
        stored_bytes=row["stored_bytes"],
        started=format_time(row["started_ms"] * NS_PER_MS),
    )
