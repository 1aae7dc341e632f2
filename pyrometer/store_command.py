"""``pyrometer store``: what the collector's database holds."""

import re
import time
from datetime import UTC, datetime
from typing import Any, Final

import click
import msgspec

from pyrometer.api_store import BACKUP_NAME, Backup
from pyrometer.client import CollectorClient
from pyrometer.client_options import client_of, collector_options
from pyrometer.errors import PyrometerError
from pyrometer.query_command import table_lines
from pyrometer.units import format_bytes

_POLL_S: Final = 0.5
_FORMATS: Final = ("table", "json")


@click.group("store", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Look after what a collector has stored."""


@command.command("stats")
@click.option("--format", "form", type=click.Choice(_FORMATS), default="table", show_default=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Most rows by service.")
@collector_options
def stats(*, form: str, limit: int, **flags: Any) -> None:
    """Print rows, bytes and bytes a row, by table and by service. Asks for a token that may administer, if for any."""
    answer = client_of(**flags).store(limit=limit)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2))
        return
    tables = [
        {
            "table": table.table,
            "rows": table.rows,
            "on disk": format_bytes(table.stored_bytes),
            "bytes a row": round(table.bytes_per_row, 2),
            "uncompressed": format_bytes(table.raw_bytes),
            "parts": table.parts,
        }
        for table in answer.tables
    ]
    services = [
        {"service": row.service, "table": row.table, "rows": row.rows, "about": format_bytes(row.stored_bytes)}
        for row in answer.services
    ]
    lines = [f"{format_bytes(answer.stored_bytes)} on the disk", "", *table_lines(tables), "", *table_lines(services)]
    click.echo("\n".join(lines) if tables else "nothing is stored yet")


@command.command("backup")
@click.argument("name", required=False)
@collector_options
def backup(*, name: str | None, **flags: Any) -> None:
    """
    Have the collector's database write a backup, and wait for it. NAME is the time where it is left out.

    What still waits in the collector's log is not in it. `pyrometer collector restore` brings it back.
    """
    named = name or datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    if not re.fullmatch(BACKUP_NAME, named):
        raise click.UsageError("NAME may have letters, digits and . _ -, at most 100, a letter or digit first")
    client = client_of(**flags)
    client.post_backup(named)
    while (made := _find(client, named)).status == "CREATING_BACKUP":
        time.sleep(_POLL_S)
    if made.status != "BACKUP_CREATED":
        raise PyrometerError(f"the backup {named} was not made: {made.error or made.status}")
    click.echo(f"{named}  {format_bytes(made.stored_bytes)}")


def _find(client: CollectorClient, name: str) -> Backup:
    for made in client.backups().backups:
        if made.name == name:
            return made
    raise PyrometerError(f"the database does not know of the backup {name} any more: was it restarted?")
