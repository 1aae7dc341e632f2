"""Reads the token file again when it has changed: a new token counts, and one taken out does not, without a restart."""

import logging
from pathlib import Path
from typing import Final

from collector.auth.guard import Guard
from collector.auth.settings import AuthSettings
from collector.background import Background
from pyrometer.errors import ConfigError

_log = logging.getLogger("pyrometer.collector")

INTERVAL_S: Final = 2.0


class TokenWatch(Background):
    """
    Looks at the token file, within its block from a thread of its own.

    A file that cannot be read, or holds no token, changes nothing: whoever had a token keeps it. A token of a tenant
    that was not there at the start is left out, as that tenant's database is made at a start.

    Args:
        settings: Name the file, and hold the tokens beside it.
        guard: Is told of the tokens.
    """

    def __init__(self, settings: AuthSettings, guard: Guard) -> None:
        super().__init__("tokens")
        self._settings = settings
        self._guard = guard
        self._path = Path(settings.tokens_file) if settings.tokens_file else None
        self._tenants = guard.tenants
        # As if it had changed at once: it may have since the guard was told of it.
        self._seen: tuple[int, int, int] | None = None
        self._taken: object = None

    def look(self) -> bool:
        """Take the file's tokens if it has changed since the last look, and tell whether they are others now."""
        state = self._state()
        if state == self._seen:
            return False
        self._seen = state
        try:
            entries = self._settings.entries()
            ours = [entry for entry in entries if entry.tenant in self._tenants]
            self._guard.replace(ours)
        except ConfigError as error:
            _log.error("the tokens stay as they were: %s", error)
            return False
        if ours == self._taken:
            return False
        self._taken = ours
        new = sorted({entry.tenant for entry in entries} - self._tenants)
        _log.info("%d tokens count from now on", len(ours))
        if new:
            _log.warning("tokens of a tenant that is new count after a restart: %s", ", ".join(new))
        return True

    def _is_needed(self) -> bool:
        return self._path is not None and self._guard.asks_for_tokens

    def _state(self) -> tuple[int, int, int] | None:
        """Return what differs once the file is written or replaced; None where it cannot be looked at."""
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            return None
        return (found.st_ino, found.st_size, found.st_mtime_ns) if found else None

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL_S):
            self.look()
