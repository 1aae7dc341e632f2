"""What a change of settings means to an agent that runs: which keys changed, and which have to wait for a restart."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from agent.settings import AgentSettings

# Taken once, when the agent starts: its own address, and where its spool lies.
FIXED: Final = ("http", "export.spool.directory")


@dataclass(frozen=True, slots=True)
class Change:
    """
    The way from the settings in force to those just read.

    Attributes:
        settings: To apply: as read, but for what needs a restart.
        applied: Dotted keys that differ and can be applied, ascending.
        waiting: Dotted keys that differ and need a restart, ascending.
    """

    settings: AgentSettings
    applied: tuple[str, ...]
    waiting: tuple[str, ...]


def compare_settings(current: AgentSettings, read: AgentSettings) -> Change:
    """Return what to apply; a key that needs a restart keeps its current value."""
    current_tree, read_tree = msgspec.to_builtins(current), msgspec.to_builtins(read)
    before, after = dict(_leaves(current_tree)), dict(_leaves(read_tree))
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    waiting = tuple(key for key in changed if _lies_in(key, FIXED))
    for section in FIXED:
        _copy(section.split("."), current_tree, read_tree)
    return Change(
        settings=msgspec.convert(read_tree, AgentSettings),
        applied=tuple(key for key in changed if key not in waiting),
        waiting=waiting,
    )


def _lies_in(key: str, sections: tuple[str, ...]) -> bool:
    return any(key == section or key.startswith(f"{section}.") for section in sections)


def _leaves(tree: dict[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{where}{name}.")
        else:
            yield f"{where}{name}", value


def _copy(path: list[str], source: dict[str, Any], destination: dict[str, Any]) -> None:
    for name in path[:-1]:
        source, destination = source[name], destination[name]
    destination[path[-1]] = source[path[-1]]
