"""``pyrometer dashboard``: checks the settings, then becomes the page server."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Final, NoReturn

import click

from dashboard.settings import PROGRAM, DashboardSettings, settings_to_environment
from pyrometer.addresses import bind, parse_listen_address
from pyrometer.config import load_settings

_HERE: Final = Path(__file__).resolve().parent


@click.group("dashboard", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Serve the web pages."""


@command.command("run")
@click.option("--collector", metavar="URL", help="Address of the collector. Default: http://127.0.0.1:4318")
@click.option("--address", metavar="HOST:PORT", help="Where to serve the pages. Default: 127.0.0.1:8501")
@click.option(
    "-c", "--config", "config_path", metavar="FILE", type=click.Path(path_type=Path), help="Settings, a YAML file."
)
def run(collector: str | None, address: str | None, config_path: Path | None) -> NoReturn:
    """Serve the pages until SIGTERM or Ctrl-C. Ready when GET /_stcore/health answers 200."""
    settings = load_settings(
        DashboardSettings,
        program=PROGRAM,
        path=config_path,
        environment=os.environ,
        flags={"collector": collector, "address": address},
    )
    if importlib.util.find_spec("streamlit") is None:
        raise ModuleNotFoundError("streamlit is not installed", name="streamlit")
    host, port = parse_listen_address(settings.address, key="address", insecure=settings.insecure_listen, port_min=1)
    # Bound for a moment, because the server itself would only say that a port is not available.
    bind(host, port, flag="--address").close()
    arguments = server_arguments(host, port)
    click.echo(f"dashboard on http://{settings.address}, reading from {settings.collector}", err=True)
    os.execve(  # noqa: S606
        sys.executable, arguments, {**os.environ, **settings_to_environment(settings)}
    )


def server_arguments(host: str, port: int) -> list[str]:
    """Return the command line of the page server: no telemetry, no prompts, no file watching, our theme."""
    options = {
        "server.address": host,
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": "false",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": "false",
        "runner.magicEnabled": "false",
        "logger.level": "warning",
        "theme.base": _HERE / "theme.toml",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-P", "-m", "streamlit", "run", str(_HERE / "app.py"), *flags]
