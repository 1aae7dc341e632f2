"""The flags of every command that asks a collector."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from pyrometer.client import CollectorClient, Credentials

DEFAULT_URL: Final = "http://127.0.0.1:4318"
_FILE: Final = click.Path(path_type=Path)
_OPTIONS: Final = (
    click.option("--collector", "url", metavar="URL", envvar="PYROMETER_URL", default=DEFAULT_URL),
    click.option(
        "--token-file", metavar="FILE", envvar="PYROMETER_TOKEN_FILE", type=_FILE, help="Holds a token to send."
    ),
    click.option(
        "--ca-file", metavar="FILE", envvar="PYROMETER_CA_FILE", type=_FILE, help="PEM: authorities to trust."
    ),
    click.option(
        "--certificate-file", metavar="FILE", type=_FILE, help="PEM: our certificate and key, if one is asked for."
    ),
    click.option("--timeout", "timeout_s", metavar="SECONDS", type=click.FloatRange(0.1, 3600), default=60.0),
)


def collector_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that ``client_of`` takes: url, token_file, ca_file, certificate_file, timeout_s."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def client_of(
    *, url: str, token_file: Path | None, ca_file: Path | None, certificate_file: Path | None, timeout_s: float
) -> CollectorClient:
    """
    Return a client of the collector that the flags name.

    Raises:
        ConfigError: If a file of theirs cannot be used.
    """
    credentials = Credentials(token_file=token_file, ca_file=ca_file, certificate_file=certificate_file)
    return CollectorClient(url, timeout_s, credentials=credentials)
