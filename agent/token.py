"""The bearer token, given as it is or in a file that may change while the agent runs."""

import logging
import os
from pathlib import Path
from typing import Final

from pyrometer.errors import ConfigError

_LOG = logging.getLogger(__name__)
_BYTES_MAX: Final = 65_536


class Token:
    """What is sent as ``Authorization: Bearer``; it never shows in a log or an error."""

    def __init__(self, text: str = "", *, path: Path | None = None) -> None:
        """
        Take the token, or read it.

        Args:
            text: As given in the settings.
            path: The file that holds it; read again when it is another, or was written.

        Raises:
            ConfigError: If the file cannot be read, or what it holds is no token.
        """
        self._path = path
        self._text = text
        self._seen: tuple[int, int, int] | None = None
        if path is not None:
            try:
                self._read(path)
            except (OSError, ValueError) as error:
                raise ConfigError(f"export.token_file = {str(path)!r}: cannot be read: {_reason(error)}") from error
        elif not _is_token(text):
            raise ConfigError("export.token: must be printable ASCII without spaces")

    @property
    def can_change(self) -> bool:
        """Whether another token may be there at the next attempt."""
        return self._path is not None

    def value(self) -> str:
        """Return the token of now; the last one where its file cannot be read."""
        if self._path is not None:
            try:
                self._read(self._path)
            except (OSError, ValueError) as error:
                if self._seen is not None:
                    _LOG.warning("%s: %s; the token read before is sent", self._path, _reason(error))
                self._seen = None
        return self._text

    def _read(self, path: Path) -> None:
        status = os.stat(path)  # noqa: PTH116 (one call, before each attempt)
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen == self._seen:
            return
        with path.open("rb") as file:
            text = file.read(_BYTES_MAX).decode("ascii").strip()
        if not _is_token(text):
            raise ValueError("it holds no token: printable ASCII without spaces is wanted")
        self._text, self._seen = text, seen


def _is_token(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _reason(error: Exception) -> str:
    # The text of a decoding error would show the token.
    if isinstance(error, UnicodeDecodeError):
        return "it is not ASCII text"
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
