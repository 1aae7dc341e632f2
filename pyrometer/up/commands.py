"""``pyrometer up``: the command line."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click

from pyrometer.errors import ConfigError
from pyrometer.up.lock import lock_data_directory
from pyrometer.up.plan import Part, UpOptions, plan_up, url_of
from pyrometer.up.ports import PortWish, choose_ports, free_ports
from pyrometer.up.processes import MARK_VARIABLE
from pyrometer.up.report import reporter_for
from pyrometer.up.supervisor import Supervisor

COLLECTOR_PORT: Final = 4318
GRPC_PORT: Final = 4317
DASHBOARD_PORT: Final = 8501
AGENT_PORT: Final = 7072

_PORT = click.IntRange(0, 65_535)
_FILE = click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path)


def default_data_directory() -> Path:
    """Return ``$XDG_STATE_HOME/pyrometer``. Source: XDG Base Directory Specification."""
    state_home = os.environ.get("XDG_STATE_HOME", "")
    # The specification: a relative path is invalid and must be ignored.
    base = Path(state_home) if state_home.startswith("/") else Path.home() / ".local" / "state"
    return base / "pyrometer"


@click.command("up", short_help="Start collector, agent and dashboard on this machine.")
@click.option("--demo", is_flag=True, help="Also start the demo: a web service in two releases, and load.")
@click.option("--auto-ports", is_flag=True, help="Where a port is taken, choose a free one.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where data and logs are kept.  [default: $XDG_STATE_HOME/pyrometer]",
)
@click.option("--http-port", type=_PORT, default=COLLECTOR_PORT, show_default=True, help="OTLP/HTTP and API; 0: any.")
@click.option("--grpc-port", type=_PORT, default=GRPC_PORT, show_default=True, help="OTLP over gRPC; 0: any.")
@click.option("--dashboard-port", type=_PORT, default=DASHBOARD_PORT, show_default=True, help="The pages; 0: any.")
@click.option("--agent-port", type=_PORT, default=AGENT_PORT, show_default=True, help="The agent's state; 0: any.")
@click.option("--collector-config", type=_FILE, help="The collector's config file.")
@click.option("--agent-config", type=_FILE, help="The agent's config file.")
@click.option("--dashboard-config", type=_FILE, help="The dashboard's config file.")
def command(
    *,
    demo: bool,
    auto_ports: bool,
    data_dir: Path | None,
    http_port: int,
    grpc_port: int,
    dashboard_port: int,
    agent_port: int,
    collector_config: Path | None,
    agent_config: Path | None,
    dashboard_config: Path | None,
) -> None:
    """
    Start collector, agent and dashboard on this machine, and keep them running.

    Prints one line for each part when it is ready. Ctrl-C stops everything.
    """
    wishes = (
        PortWish("collector", "--http-port", http_port),
        PortWish("grpc", "--grpc-port", grpc_port),
        PortWish("agent", "--agent-port", agent_port),
        PortWish("dashboard", "--dashboard-port", dashboard_port),
    )
    configs = {"collector": collector_config, "agent": agent_config, "dashboard": dashboard_config}
    with ExitStack() as stack:
        directory = _make_directory(data_dir or default_data_directory())
        lock = stack.enter_context(lock_data_directory(directory))
        ports = choose_ports(wishes, automatic=auto_ports)
        if demo:
            ports["demo"] = free_ports(2, taken=ports.values())
        options = UpOptions(
            data_directory=directory,
            ports=ports,
            demo=demo,
            configs={name: path for name, path in configs.items() if path},
        )
        parts = plan_up(options)
        lock.publish({part.name: part.address for part in parts})
        code = _supervise(parts, directory, dashboard_url=url_of(ports["dashboard"]))
    sys.exit(code)


def _supervise(parts: tuple[Part, ...], directory: Path, *, dashboard_url: str) -> int:
    logs = _make_directory(directory / "logs")
    reporter = reporter_for(sys.stdout)
    # The mark of an `up` that happens to be among our ancestors is not ours.
    os.environ.pop(MARK_VARIABLE, None)
    reporter.line(f"data in {directory}, logs in {logs}")
    return Supervisor(
        parts,
        reporter=reporter,
        log_directory=logs,
        when_ready=lambda: reporter.line(f"all ready: open {dashboard_url} (Ctrl-C stops everything)"),
    ).run()


def _make_directory(path: Path) -> Path:
    path = path.expanduser().absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot make the directory {path}: {error.strerror}; choose another with --data-dir"
        ) from error
    return path
