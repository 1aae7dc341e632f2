"""``pyrometer demo``: the command line."""

import sys
from typing import Final

import click

from pyrometer.demo.load import CPU_BUDGET_CORES, NOMINAL_RATE, Load
from pyrometer.demo.releases import BASELINE, CANDIDATE, RELEASES, Release
from pyrometer.demo.rollout import tell_of_rollout
from pyrometer.demo.service import serve
from pyrometer.demo.tracing import SERVICE_NAME
from pyrometer.errors import ConfigError
from pyrometer.up.plan import LOOPBACK, Part, identity, pyrometer_command, url_of
from pyrometer.up.ports import free_ports, is_free
from pyrometer.up.report import reporter_for
from pyrometer.up.stopping import stop_requests
from pyrometer.up.supervisor import Supervisor

DEFAULT_COLLECTOR: Final = "http://127.0.0.1:4318"
_STOP_TOTAL_S: Final = 4.0
# One thread each for the libraries under NumPy: the demo promises to use about one core, all in all.
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_RATE = click.FloatRange(0.1, 1_000.0)
_CORES = click.FloatRange(0.05, 64.0)


@click.group("demo", short_help="The demo web service and its load.")
def command() -> None:
    """Run a small web shop in two releases, and load on it: something real to watch."""


@command.command("run")
@click.option("--collector", default=DEFAULT_COLLECTOR, show_default=True, help="Where spans are sent.")
@click.option("--port-base", type=click.IntRange(1, 65_534), help="The first of two ports.  [default: free ones]")
@click.option("--rate", type=_RATE, default=NOMINAL_RATE, show_default=True, help="Requests per second.")
@click.option("--cpu-budget", type=_CORES, default=CPU_BUDGET_CORES, show_default=True, help="In cores.")
def run(*, collector: str, port_base: int | None, rate: float, cpu_budget: float) -> None:
    """Run both releases and the load, until stopped."""
    base = port_base or free_ports(2)
    for port, release in zip((base, base + 1), (BASELINE, CANDIDATE), strict=True):
        if not is_free(port):
            raise ConfigError(f"port {port} (demo, release {release.version}) is taken; choose another --port-base")
    tell_of_rollout(collector)
    parts = plan_demo(collector, base, rate=rate, cpu_budget=cpu_budget)
    sys.exit(Supervisor(parts, reporter=reporter_for(sys.stdout), stop_total_s=_STOP_TOTAL_S).run())


@command.command("service")
@click.option("--release", type=click.Choice(list(RELEASES)), required=True, help="Which release to be.")
@click.option("--port", type=click.IntRange(1, 65_535), required=True, help="Loopback port to listen on.")
def service(*, release: str, port: int) -> None:
    """Run one release of the shop; OTEL_EXPORTER_OTLP_ENDPOINT says where spans are sent."""
    serve(RELEASES[release], LOOPBACK, port)


@command.command("load")
@click.option("--target", "targets", multiple=True, required=True, help="Address of a release; repeat.")
@click.option("--rate", type=_RATE, default=NOMINAL_RATE, show_default=True, help="Requests per second.")
@click.option("--cpu-budget", type=_CORES, default=CPU_BUDGET_CORES, show_default=True, help="In cores.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the random requests.")
def load(*, targets: tuple[str, ...], rate: float, cpu_budget: float, seed: int) -> None:
    """Send requests to the targets, each as many, until stopped."""
    with stop_requests() as request:
        Load(targets, rate=rate, budget_cores=cpu_budget, seed=seed).run(request)
        sys.exit(request.exit_code)


def plan_demo(collector: str, port_base: int, *, rate: float, cpu_budget: float) -> tuple[Part, ...]:
    """Return the parts of the demo: two releases on neighbouring ports, then the load on both."""
    services = (
        _service_part(BASELINE, port_base, collector),
        _service_part(CANDIDATE, port_base + 1, collector),
    )
    load_part = Part(
        name="load",
        command=pyrometer_command(
            *("demo", "load", "--rate", str(rate), "--cpu-budget", str(cpu_budget)),
            *(word for part in services for word in ("--target", part.address)),
        ),
        needs=tuple(part.name for part in services),
        environment=identity(f"{SERVICE_NAME}-load"),
    )
    return (*services, load_part)


def _service_part(release: Release, port: int, collector: str) -> Part:
    return Part(
        name=f"{SERVICE_NAME}-{release.version}",
        command=pyrometer_command("demo", "service", "--release", release.version, "--port", str(port)),
        address=url_of(port),
        ready_urls=(f"{url_of(port)}/healthz",),
        environment={
            **identity(SERVICE_NAME, release.version),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
            **_ONE_THREAD,
        },
    )
