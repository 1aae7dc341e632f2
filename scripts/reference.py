"""
Write the settings, metrics and commands pages of docs/reference from the code, so that they cannot lag behind it.

    python scripts/reference.py           writes the pages
    python scripts/reference.py --check   exits 1 when a page on disk differs
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from prometheus_client import CollectorRegistry

from agent.selfmetrics import SelfMetrics
from agent.settings import AgentSettings
from collector.api.metrics import ApiMetrics
from collector.cost import Prices
from collector.metrics import CollectorMetrics
from collector.settings import CollectorSettings
from dashboard.settings import DashboardSettings
from pyrometer import semconv
from pyrometer.cli import root

PAGES: Final = Path(__file__).resolve().parent.parent / "docs" / "reference"
PROGRAMS: Final[dict[str, type[msgspec.Struct]]] = {
    "agent": AgentSettings,
    "collector": CollectorSettings,
    "dashboard": DashboardSettings,
    "prices": Prices,
}
SETTINGS_HEAD: Final = """# Settings

Defaults < YAML file (`--config`) < environment < flags. An unknown key is an error that names the nearest known one.
This page is written by `scripts/reference.py`; `configs/` holds the same settings as commented files.
"""
COMMANDS_HEAD: Final = """# Commands

The help of every command, as `--help` prints it. This page is written by `scripts/reference.py`.
"""
# The width and the flags of the help must not depend on the terminal that this runs in.
HELP_CONTEXT: Final[dict[str, Any]] = {
    "terminal_width": 100,
    "max_content_width": 100,
    "help_option_names": ["-h", "--help"],
}
METRICS_HEAD: Final = """# Metrics of Pyrometer itself

Each program serves them at `/metrics` in Prometheus text form, beside the `process_` and `python_` metrics of its
client library. Labels come from closed sets, never from what is received. The agent also sends its own as OTLP, under
the names with dots. This page is written by `scripts/reference.py`.
"""
HOST_METRICS_HEAD: Final = """# Metrics of hosts and processes

What the agent reads at an interval (`metrics.interval_s`) and sends as OTLP, under the names of OpenTelemetry's
semantic conventions, or in their style where they have none. A host that lacks a file (a kernel without pressure stall
information, a container without disks) sends no points of that metric. This page is written by `scripts/reference.py`;
what a report costs: `python -m benchmarks.host_metrics`.

The host, its systemd units and its containers are reported by the resource of the agent. Units and containers are read
from version 2 of cgroups; where the controllers are still version 1 (hybrid), they have their CPU time at most. The
busiest `metrics.cgroups_max` are sent.

Each watched process, the busiest `metrics.processes_max` of them, is a resource of its own: it has the attributes that
its profiles have. Context switches are read when a process has used CPU time since they were last read.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One leaf of a settings tree: its dotted key, its type and rule as JSON Schema says it, and its default."""

    key: str
    rule: str
    default: Any


def settings_of(root: type[msgspec.Struct]) -> Iterator[Setting]:
    """Return every leaf of a settings tree, in the order of the type."""
    schema = msgspec.json.schema(root)
    yield from _leaves(schema, schema["$defs"], "", msgspec.to_builtins(_defaults(root)))


def _defaults(root: type[msgspec.Struct]) -> Any:
    try:
        return root()
    except TypeError:  # a setting without a default: prices have none
        return {}


def _leaves(schema: dict[str, Any], definitions: dict[str, Any], where: str, defaults: Any) -> Iterator[Setting]:
    node = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "properties" not in node:
        yield Setting(where, _rule(node), defaults)
        return
    for name, below in node["properties"].items():
        inner = defaults.get(name) if isinstance(defaults, dict) else None
        yield from _leaves(below, definitions, f"{where}.{name}".lstrip("."), inner)


def _rule(node: dict[str, Any]) -> str:
    if "anyOf" in node:
        return " or ".join(_rule(choice) for choice in node["anyOf"])
    if "enum" in node:
        return "one of " + ", ".join(str(value) for value in node["enum"])
    if "$ref" in node:
        return str(node["$ref"]).rpartition("/")[2]
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {node[word]}" for word, sign in words.items() if word in node]
    return " ".join([str(node.get("type", "any")), *bounds])


def settings_page() -> str:
    """Return the page of settings."""
    parts = [SETTINGS_HEAD]
    for program, settings_type in PROGRAMS.items():
        parts.append(f"\n## `configs/{program}.yaml`\n")
        if program != "prices":
            parts.append(f"Environment: `PYROMETER_{program.upper()}_` and the key in capitals, `__` for each dot.\n")
        parts.append("| Key | Type and rule | Default |\n| --- | --- | --- |")
        for setting in settings_of(settings_type):
            default = msgspec.json.encode(setting.default).decode().replace("|", "\\|")
            rule = setting.rule.replace("|", "\\|")
            parts.append(f"| `{setting.key}` | {rule} | `{default}` |")
    return "\n".join(parts) + "\n"


def metrics_page() -> str:
    """Return the page of self-metrics."""
    registry = CollectorRegistry()
    ApiMetrics(registry)
    sources: dict[str, list[SelfMetrics | CollectorRegistry]] = {
        "Agent": [SelfMetrics()],
        "Collector": [CollectorMetrics().registry, registry],
    }
    parts = [METRICS_HEAD]
    for program, collectors in sources.items():
        parts.append(f"\n## {program}\n\n| Metric | Kind | What it says |\n| --- | --- | --- |")
        families = {family.name: family for source in collectors for family in source.collect()}
        for name in sorted(name for name in families if name.startswith("pyrometer_")):
            suffix = "_total" if families[name].type == "counter" else ""
            parts.append(f"| `{name}{suffix}` | {families[name].type} | {families[name].documentation} |")
    return "\n".join(parts) + "\n"


def host_metrics_page() -> str:
    """Return the page of the metrics that the agent sends of hosts and processes."""
    parts = [HOST_METRICS_HEAD]
    units = tuple(metric for metric in semconv.HOST_METRICS if metric.name.startswith("linux.cgroup."))
    host = tuple(metric for metric in semconv.HOST_METRICS if metric not in units)
    kinds = {"counter": "counter", "updown": "up-down counter", "gauge": "gauge"}
    tables = {"Host": host, "systemd units and containers": units, "Watched processes": semconv.PROCESS_METRICS}
    for title, metrics in tables.items():
        parts.append(
            f"\n## {title}\n\n| Metric | Unit | Kind | Attributes | What it says |\n| --- | --- | --- | --- | --- |"
        )
        for metric in sorted(metrics, key=lambda metric: metric.name):
            attributes = ", ".join(f"`{attribute}`" for attribute in metric.attributes)
            parts.append(
                f"| `{metric.name}` | `{metric.unit}` | {kinds[metric.kind]} | {attributes} | {metric.summary} |"
            )
    return "\n".join(parts) + "\n"


def commands_page() -> str:
    """Return the page with the help of every command."""
    return "\n".join([COMMANDS_HEAD, *_help_of(root, click.Context(root, info_name="pyrometer", **HELP_CONTEXT))])


def _help_of(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## `{context.command_path}`\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _help_of(inner, click.Context(inner, info_name=name, parent=context, **HELP_CONTEXT))


def main() -> int:
    """Write the pages, or say whether they are as they should be."""
    behind = False
    pages = {
        "settings.md": settings_page(),
        "self-metrics.md": metrics_page(),
        "host-metrics.md": host_metrics_page(),
        "commands.md": commands_page(),
    }
    for name, text in pages.items():
        path = PAGES / name
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"{path} is behind the code; run: python scripts/reference.py\n")
            behind = True
    return int(behind)


if __name__ == "__main__":
    sys.exit(main())
