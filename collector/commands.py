"""``pyrometer collector``: runs the collector, and brings its database to the current tables."""

import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import Any, Final

import click

from collector.auth.commands import token
from collector.auth.guard import Guard
from collector.logs import FORMATS, LEVELS, set_up_logs
from collector.settings import CollectorSettings, data_directory
from pyrometer.config import load_settings

_CONFIG_OPTION: Final = click.option(
    "-c", "--config", "config_path", metavar="FILE", type=click.Path(path_type=Path), help="Settings, a YAML file."
)
_DATA_DIR_OPTION: Final = click.option(
    "--data-dir", metavar="DIR", help="Where data lies. Default: $XDG_STATE_HOME/pyrometer"
)
_LOG_LEVEL_OPTION: Final = click.option(
    "--log-level", type=click.Choice(LEVELS), help="How much to say on stderr. Default: info"
)


@click.group("collector", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Receive telemetry, store it, and answer queries about it."""


command.add_command(token)


@command.command("run")
@_CONFIG_OPTION
@click.option("--http-address", metavar="HOST:PORT", help="Where to listen. Default: 127.0.0.1:4318")
@click.option("--grpc-address", metavar="HOST:PORT", help="The same for gRPC; empty: nowhere. Default: 127.0.0.1:4317")
@_DATA_DIR_OPTION
@_LOG_LEVEL_OPTION
@click.option("--log-format", type=click.Choice(FORMATS), help="Lines for people or for machines. Default: console")
def run(  # noqa: PLR0917 - click passes options by name
    config_path: Path | None,
    http_address: str | None,
    grpc_address: str | None,
    data_dir: str | None,
    log_level: str | None,
    log_format: str | None,
) -> None:
    """Run the collector until SIGTERM or Ctrl-C. Ready when GET /readyz answers 200."""
    flags = {"http.address": http_address, "grpc.address": grpc_address, "data_dir": data_dir}
    settings = _load(config_path, flags | {"log_level": log_level, "log_format": log_format})
    from collector import app  # noqa: PLC0415 - the engine takes a moment to load: not for a wrong setting

    app.run(settings)
    logging.shutdown()
    sys.stderr.flush()


@command.command("migrate")
@_CONFIG_OPTION
@_DATA_DIR_OPTION
@click.option("--status", is_flag=True, help="Only say what is applied and what is not.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def migrate(config_path: Path | None, data_dir: str | None, status: bool, dry_run: bool) -> None:  # noqa: FBT001
    """
    Bring the database to the tables of this release, and to the days that rows are kept (retention).

    The collector does so itself when it starts.
    """
    if status and dry_run:
        raise click.UsageError("--status and --dry-run are both given: keep one")
    settings = _load(config_path, {"data_dir": data_dir})
    from collector import app  # noqa: PLC0415
    from collector.store import migrate_report  # noqa: PLC0415

    directory = data_directory(settings)
    report = migrate_report.status if status else migrate_report.dry_run if dry_run else migrate_report.run
    with contextlib.ExitStack() as stack:
        stack.enter_context(app.locked_directory(directory))
        tenants = Guard(settings.auth.entries()).tenants
        for tenant, store in app.open_stores(settings, directory, tenants):
            stack.enter_context(contextlib.closing(store))
            of_whom = "" if len(tenants) == 1 else f"  tenant {tenant}"
            for line in report(store, settings.retention):
                click.echo(f"{line}{of_whom}")


@command.command("restore")
@click.argument("name")
@_CONFIG_OPTION
@_DATA_DIR_OPTION
@click.option("--tenant", metavar="NAME", default="default", show_default=True, help="Whose database.")
def restore(name: str, config_path: Path | None, data_dir: str | None, tenant: str) -> None:
    """
    Bring the backup NAME back into a database that holds no rows, while no collector runs on it.

    The backup must lie where backups are written: in DATA_DIR/backups, or where the settings say.
    """
    settings = _load(config_path, {"data_dir": data_dir})
    from collector import app  # noqa: PLC0415
    from collector.store.backup import restore_backup  # noqa: PLC0415

    directory = data_directory(settings)
    tenants = Guard(settings.auth.entries()).tenants
    if tenant not in tenants:
        raise click.UsageError(f"there is no tenant {tenant!r}; there are {', '.join(sorted(tenants))}")
    with contextlib.ExitStack() as stack:
        stack.enter_context(app.locked_directory(directory))
        for found, store in app.open_stores(settings, directory, tenants):
            stack.enter_context(contextlib.closing(store))
            if found == tenant:
                restore_backup(store, name)
    click.echo(f"restored {name}; start the collector")


def _load(config_path: Path | None, flags: dict[str, Any]) -> CollectorSettings:
    settings = load_settings(
        CollectorSettings, program="collector", path=config_path, environment=os.environ, flags=flags
    )
    set_up_logs(settings.log_level, settings.log_format)
    return settings
