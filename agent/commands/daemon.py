"""``pyrometer agent``: the daemon's command line."""

import logging
import os
import sys
from pathlib import Path

import click

from agent.settings import AgentSettings
from agent.settings_loader import load_agent_settings
from agent.standard_names import standard_log_level, with_standard_names

_LOG_LEVELS = {
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}


@click.group("agent", short_help="The agent that watches this host.")
def command() -> None:
    """Watch this host: sample its Python processes, read its metrics, send both to a collector."""


@command.command()
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file; configs/agent.yaml shows every setting.",
)
@click.option("--endpoint", metavar="URL", help="The collector, such as http://127.0.0.1:4318.")
@click.option("--http-address", metavar="HOST:PORT", help="Where the agent's /metrics and /readyz are.")
@click.option("-r", "--rate", type=int, metavar="HZ", help="Samples a second of each process.")
@click.option("--window", type=float, metavar="SECONDS", help="How long a process is sampled before it is reported.")
@click.option(
    "--log-level", type=click.Choice(list(_LOG_LEVELS)), help="Least to log. Default: OTEL_LOG_LEVEL, else info"
)
@click.pass_context
def run(
    ctx: click.Context,
    *,
    config: Path | None,
    endpoint: str | None,
    http_address: str | None,
    rate: int | None,
    window: float | None,
    log_level: str | None,
) -> None:
    """
    Run the agent until SIGTERM (exit code 0) or Ctrl-C (130); SIGHUP reads the settings again.

    Settings come from the config file, then the environment (PYROMETER_AGENT_..., and OTEL_EXPORTER_OTLP_... as usual),
    then these flags. The collector need not be up: batches wait for it.
    """
    _set_up_logging(_LOG_LEVELS[log_level or standard_log_level(os.environ, known=_LOG_LEVELS)])
    flags = {
        "export.endpoint": endpoint,
        "http.address": http_address,
        "sampling.rate_hz": rate,
        "sampling.window_s": window,
    }

    def read_settings() -> AgentSettings:
        environment = with_standard_names(os.environ, endpoint_given=endpoint is not None)
        return load_agent_settings(config, environment=environment, flags=flags)

    settings = read_settings()
    from agent.daemon import run_agent  # noqa: PLC0415 (a wrong setting is told before the slow imports)

    ctx.exit(run_agent(settings, os.environ, read_settings))


def _set_up_logging(level: int) -> None:
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Libraries speak up only about what is broken: the sender itself says when the collector comes and goes.
    for library in ("opentelemetry", "urllib3"):
        logging.getLogger(library).setLevel(max(level, logging.ERROR))
