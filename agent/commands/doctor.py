"""``pyrometer doctor``: what the agent can see on this host, what it cannot, and how to mend it."""

import os
from collections.abc import Iterator
from pathlib import Path

import click

from agent.commands.options import pid_option
from agent.doctor.delivery import CollectorCheck, check_spool
from agent.doctor.files import HostFiles
from agent.doctor.finding import Finding, exit_code
from agent.doctor.machine import check_machine
from agent.doctor.processes import check_processes, check_pyspy
from agent.doctor.report import findings_to_json, findings_to_text
from agent.doctor.rights import check_perf_events, check_rights
from agent.doctor.target import check_target
from agent.host_identity import read_host_identity
from agent.settings import AgentSettings
from agent.settings_loader import load_agent_settings
from agent.standard_names import with_standard_names


@click.command("doctor")
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The agent's settings.  [default: every default]",
)
@pid_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, *, config: Path | None, pid: int | None, as_json: bool) -> None:
    """
    Say what the agent can see on this host, what it cannot, and how to mend it.

    Run it as the agent runs: rights are those of whoever asks. With -p it looks at one process.

    Exit code 0: nothing the agent cannot do its work without is missing; 3: a right is; 1: something else is.
    """
    environment = with_standard_names(os.environ, endpoint_given=False)
    settings = load_agent_settings(config, environment=environment, flags={})
    files = HostFiles()
    host = read_host_identity(environment)
    if pid is None:
        findings = list(_examine_host(settings, environment, files))
    else:
        findings = list(check_target(pid, settings, host, files))
    click.echo(findings_to_json(findings) if as_json else findings_to_text(findings))
    ctx.exit(exit_code(findings))


def _examine_host(settings: AgentSettings, environment: dict[str, str], files: HostFiles) -> Iterator[Finding]:
    collector = CollectorCheck(settings, environment)
    yield from check_machine(files, settings.targets.targets_max)
    yield from check_rights(files)
    yield check_perf_events()
    yield check_pyspy()
    yield from check_processes(settings, read_host_identity(environment))
    yield from check_spool(settings.export.spool, environment)
    yield from collector.findings()
