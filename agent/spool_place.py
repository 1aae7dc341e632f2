"""Where the spool lies, and that one agent alone uses it."""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agent.settings import SpoolSettings
from pyrometer.errors import ConfigError
from pyrometer.state import home_state_directory, state_directory

_ROOT_STATE: Final = Path("/var/lib/pyrometer")
_MODE: Final = 0o700


def spool_directory(settings: SpoolSettings, environment: Mapping[str, str]) -> Path:
    """Return the directory of the spool: as set, else ``agent/`` in the state directory, which root has in /var/lib."""
    if settings.directory:
        return Path(settings.directory).expanduser().absolute()
    home = _ROOT_STATE if os.geteuid() == 0 else home_state_directory(environment)
    return (state_directory(environment) or home) / "agent"


class SpoolLock:
    """A directory held for this process alone; the lock goes with the process, however it ends."""

    def __init__(self, directory: Path) -> None:
        """
        Make the directory where it is missing, and lock it.

        Raises:
            ConfigError: If another agent holds it.
            OSError: If it cannot be written.
        """
        directory.mkdir(parents=True, exist_ok=True, mode=_MODE)
        self._descriptor = os.open(directory / "spool.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise ConfigError(
                f"another agent uses the spool {directory}; stop it, or choose another with export.spool.directory"
            ) from None

    def release(self) -> None:
        """Let others have it."""
        os.close(self._descriptor)
