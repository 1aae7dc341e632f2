"""``pyrometer collector token``: makes tokens, and lists what is kept of them."""

import os
from pathlib import Path
from typing import Final

import click

from collector.auth.tokens import DEFAULT_TENANT, Role, add_token, new_token, read_tokens
from collector.settings import CollectorSettings
from pyrometer.config import load_settings
from pyrometer.errors import ConfigError

_CONFIG_OPTION: Final = click.option(
    "-c", "--config", "config_path", metavar="FILE", type=click.Path(path_type=Path), help="Settings, a YAML file."
)
_FILE_OPTION: Final = click.option("--tokens-file", metavar="FILE", help="Instead of auth.tokens_file of the settings.")


@click.group("token")
def token() -> None:
    """Make and list the tokens of agents and readers."""


@token.command("create")
@_CONFIG_OPTION
@_FILE_OPTION
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="What it is for.")
@click.option("--tenant", metavar="NAME", default=DEFAULT_TENANT, show_default=True, help="Whose data it is for.")
@click.option("--name", metavar="TEXT", default="", help="Who will have it; for the list.")
def create(config_path: Path | None, tokens_file: str | None, role: str, tenant: str, name: str) -> None:
    """Print a new token, once: only its hash is kept. A running collector knows it within seconds."""
    settings = _load(config_path, tokens_file)
    if not settings.auth.tokens_file:
        raise ConfigError("there is no file to keep it in: set auth.tokens_file, or give --tokens-file FILE")
    text, entry = new_token(Role(role), tenant=tenant, name=name)
    add_token(Path(settings.auth.tokens_file), entry)
    click.echo(text)


@token.command("list")
@_CONFIG_OPTION
@_FILE_OPTION
def list_tokens(config_path: Path | None, tokens_file: str | None) -> None:
    """Print id, role, tenant, day and name of each token, separated by tabs; to revoke one, remove it from its file."""
    auth = _load(config_path, tokens_file).auth
    entries = [*auth.tokens, *(read_tokens(Path(auth.tokens_file)) if auth.tokens_file else ())]
    for entry in entries:
        click.echo(f"{entry.id}\t{entry.role}\t{entry.tenant}\t{entry.created}\t{entry.name}")


def _load(config_path: Path | None, tokens_file: str | None) -> CollectorSettings:
    flags = {"auth.tokens_file": tokens_file}
    return load_settings(CollectorSettings, program="collector", path=config_path, environment=os.environ, flags=flags)
