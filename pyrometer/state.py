"""Where a program keeps what must outlive it, if no setting says otherwise."""

from collections.abc import Mapping
from pathlib import Path


def state_directory(environment: Mapping[str, str]) -> Path | None:
    """
    Return the directory the environment names: systemd's ``$STATE_DIRECTORY``, else ``$XDG_STATE_HOME/pyrometer``.

    Returns:
        None where it names none.
    """
    if state := environment.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0])
    if state_home := environment.get("XDG_STATE_HOME"):
        return Path(state_home) / "pyrometer"
    return None


def home_state_directory(environment: Mapping[str, str]) -> Path:
    """Return ``~/.local/state/pyrometer``."""
    return Path(environment.get("HOME", "~")).expanduser() / ".local/state/pyrometer"
