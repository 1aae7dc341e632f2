"""Which parts run, in which order, by which commands: plain data, decided before anything starts."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pyrometer import __version__

LOOPBACK: Final = "127.0.0.1"
# Of one core, for the agent of a demo.
DEMO_BUDGET_PERCENT: Final = "5"
_BUDGET: Final = "PYROMETER_AGENT_BUDGET__CPU_PERCENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """
    One supervised program.

    Attributes:
        name: Short and unique.
        command: What to execute.
        address: Where a person finds it; empty where there is nothing to open.
        ready_urls: It is ready when all of them answer 200; with none, as soon as it runs.
        needs: Names of the parts that must be ready before it is started the first time.
        environment: Added to ours.
        stop_reserve_s: Time to stop that is kept for it when the parts that stop before it are slow.
    """

    name: str
    command: tuple[str, ...]
    address: str = ""
    ready_urls: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_reserve_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """
    What ``pyrometer up`` was asked for.

    Attributes:
        data_directory: Where the collector stores; absolute.
        ports: Part to port, for ``collector``, ``grpc`` (the collector's other one), ``agent``, ``dashboard``, and
            ``demo``: the first of its two.
        demo: Whether the demo runs.
        configs: Part to its config file, where it has one.
    """

    data_directory: Path
    ports: Mapping[str, int]
    demo: bool = False
    configs: Mapping[str, Path] = field(default_factory=dict)


def pyrometer_command(*arguments: str) -> tuple[str, ...]:
    """Return the command that runs this Pyrometer; -P, so that no folder named ``agent`` in sight is imported."""
    return (sys.executable, "-P", "-m", "pyrometer", *arguments)


def plan_up(options: UpOptions) -> tuple[Part, ...]:
    """Return the parts of ``pyrometer up`` in the order they start."""
    parts = [_collector(options), _agent(options), _dashboard(options)]
    if options.demo:
        parts.append(_demo(options))
    return tuple(parts)


def url_of(port: int) -> str:
    """Return the address of a part on this machine."""
    return f"http://{LOOPBACK}:{port}"


def identity(service: str, version: str = __version__) -> dict[str, str]:
    """Return the variables by which OpenTelemetry SDKs, and our agent, know a program and its release."""
    return {"OTEL_SERVICE_NAME": service, "OTEL_RESOURCE_ATTRIBUTES": f"service.version={version}"}


def stop_waves(parts: Iterable[Part]) -> list[list[Part]]:
    """
    Return the parts in the order they are stopped: each wave together, once the wave before has gone.

    A part stops when no part that needs it is left. Within a wave the part that started last comes first.
    """
    left = list(parts)
    waves: list[list[Part]] = []
    while left:
        needed = {name for part in left for name in part.needs}
        wave = [part for part in reversed(left) if part.name not in needed] or list(reversed(left))
        waves.append(wave)
        left = [part for part in left if part not in wave]
    return waves


def stop_deadlines(waves: Sequence[Sequence[Part]], *, now: float, total_s: float) -> list[float]:
    """
    Return by when each wave must have stopped.

    Args:
        waves: In the order they are stopped.
        now: Monotonic seconds.
        total_s: Time for all of them.

    Returns:
        Monotonic seconds, in the same order: each wave may use what is left but for the reserves of those after it.
    """
    deadlines: list[float] = []
    last = now + total_s
    for wave in reversed(waves):
        deadlines.append(max(now, last))
        last -= max(part.stop_reserve_s for part in wave)
    return deadlines[::-1]


def _collector(options: UpOptions) -> Part:
    port = options.ports["collector"]
    return Part(
        name="collector",
        command=pyrometer_command(
            *("collector", "run"),
            *_config(options, "collector"),
            *("--http-address", f"{LOOPBACK}:{port}", "--grpc-address", f"{LOOPBACK}:{options.ports['grpc']}"),
            *("--data-dir", str(options.data_directory)),
        ),
        address=url_of(port),
        ready_urls=(f"{url_of(port)}/readyz",),
        environment=identity("pyrometer-collector"),
        stop_reserve_s=3.0,
    )


def _agent(options: UpOptions) -> Part:
    port = options.ports["agent"]
    return Part(
        name="agent",
        command=pyrometer_command(
            *("agent", "run"),
            *_config(options, "agent"),
            *("--endpoint", url_of(options.ports["collector"]), "--http-address", f"{LOOPBACK}:{port}"),
        ),
        address=url_of(port),
        ready_urls=(f"{url_of(port)}/readyz",),
        needs=("collector",),
        environment=identity("pyrometer-agent")
        | {"PYROMETER_AGENT_EXPORT__SPOOL__DIRECTORY": str(options.data_directory / "agent")}
        | _demo_budget(options),
    )


def _demo_budget(options: UpOptions) -> dict[str, str]:
    """Return a larger budget for the agent of a demo, unless somebody chose one: releases are compared in minutes."""
    if not options.demo or "agent" in options.configs or _BUDGET in os.environ:
        return {}
    return {_BUDGET: DEMO_BUDGET_PERCENT}


def _dashboard(options: UpOptions) -> Part:
    port = options.ports["dashboard"]
    return Part(
        name="dashboard",
        command=pyrometer_command(
            *("dashboard", "run"),
            *_config(options, "dashboard"),
            *("--collector", url_of(options.ports["collector"]), "--address", f"{LOOPBACK}:{port}"),
        ),
        address=url_of(port),
        ready_urls=(f"{url_of(port)}/_stcore/health",),
        needs=("collector",),
        environment=identity("pyrometer-dashboard"),
    )


def _demo(options: UpOptions) -> Part:
    port = options.ports["demo"]
    return Part(
        name="demo",
        command=pyrometer_command(
            *("demo", "run", "--collector", url_of(options.ports["collector"]), "--port-base", str(port)),
        ),
        address=url_of(port),
        ready_urls=(f"{url_of(port)}/healthz", f"{url_of(port + 1)}/healthz"),
        needs=("collector",),
        environment=identity("pyrometer-demo"),
    )


def _config(options: UpOptions, part: str) -> tuple[str, ...]:
    path = options.configs.get(part)
    return ("--config", str(path)) if path else ()
