"""
Write docs/reference/settings.md from the settings types, so that the page cannot lag behind the code.

    python scripts/settings_reference.py           writes the page
    python scripts/settings_reference.py --check   exits 1 when the page on disk differs
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from agent.settings import AgentSettings
from collector.cost import Prices
from collector.settings import CollectorSettings
from dashboard.settings import DashboardSettings

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "reference" / "settings.md"
PROGRAMS: Final[dict[str, type[msgspec.Struct]]] = {
    "agent": AgentSettings,
    "collector": CollectorSettings,
    "dashboard": DashboardSettings,
    "prices": Prices,
}
HEAD: Final = """# Settings

Defaults < YAML file (`--config`) < environment < flags. An unknown key is an error that names the nearest known one.
This page is written by `scripts/settings_reference.py`; `configs/` holds the same settings as commented files.
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
        return node["$ref"].rpartition("/")[2]
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {node[word]}" for word, sign in words.items() if word in node]
    return " ".join([str(node.get("type", "any")), *bounds])


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for program, root in PROGRAMS.items():
        parts.append(f"\n## `configs/{program}.yaml`\n")
        if program != "prices":
            parts.append(f"Environment: `PYROMETER_{program.upper()}_` and the key in capitals, `__` for each dot.\n")
        parts.append("| Key | Type and rule | Default |\n| --- | --- | --- |")
        for setting in settings_of(root):
            default = msgspec.json.encode(setting.default).decode().replace("|", "\\|")
            rule = setting.rule.replace("|", "\\|")
            parts.append(f"| `{setting.key}` | {rule} | `{default}` |")
    return "\n".join(parts) + "\n"


def main() -> int:
    """Write the page, or say whether it is as it should be."""
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") == text:
            return 0
        sys.stderr.write(f"{PAGE} is behind the code; run: python scripts/settings_reference.py\n")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
