"""The file a command writes: known to be writable before the work begins, and whole or not there at all."""

import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from pyrometer.errors import ConfigError, PyrometerError
from pyrometer.text import printable


class OutputFile:
    """
    A file that will be written once.

    Opening it proves that it can be written, by creating a temporary file beside it; `write` replaces what was there
    in one step. A pipe, a terminal or ``-`` for the standard output is written to directly.
    """

    def __init__(self, path: str) -> None:
        """
        Check the path, and reserve the place beside it.

        Raises:
            ConfigError: If it cannot be written, with the reason.
        """
        self.path = path
        self._temporary: Path | None = None
        if path == "-":
            return
        self._destination = Path(os.path.realpath(path))
        try:
            if self._is_special():
                return
            self._check_directory()
            descriptor, name = tempfile.mkstemp(prefix=".pyrometer-", suffix=".part", dir=self._destination.parent)
            os.close(descriptor)
            self._temporary = Path(name)
        except OSError as error:
            raise _cannot_write(path, error) from error

    def __enter__(self) -> Self:
        """Return the file; the end of the block removes what was reserved and not written."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the temporary file, if it is still there."""
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)

    def write(self, content: bytes) -> None:
        """
        Write the whole file.

        Raises:
            PyrometerError: If the disk is full, or the like.
        """
        try:
            if self.path == "-":
                sys.stdout.buffer.write(content)
                sys.stdout.buffer.flush()
            elif self._temporary is None:
                self._destination.write_bytes(content)
            else:
                self._replace(self._temporary, content)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise PyrometerError(
                f"cannot write {printable(self.path)}: {error.strerror}; the recording is lost"
            ) from error

    def _replace(self, temporary: Path, content: bytes) -> None:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(self._mode())
        temporary.replace(self._destination)
        self._temporary = None

    def _mode(self) -> int:
        # A file that was there keeps its permissions; a new one gets what any other program would give it.
        with contextlib.suppress(OSError):
            return stat.S_IMODE(self._destination.stat().st_mode)
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask

    def _is_special(self) -> bool:
        try:
            mode = self._destination.stat().st_mode
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(mode):
            raise ConfigError(f"cannot write {printable(self.path)}: it is a directory; name a file in it with -o")
        if stat.S_ISREG(mode):
            # Replacing would work without this right; a file that was made read-only is not ours to replace.
            with self._destination.open("ab"):
                return False
        return True

    def _check_directory(self) -> None:
        directory = self._destination.parent
        if not directory.is_dir():
            what = "is not a directory" if directory.exists() else "does not exist; create it"
            raise ConfigError(
                f"cannot write {printable(self.path)}: {printable(str(directory))} {what}, or name another with -o"
            )


def _cannot_write(path: str, error: OSError) -> ConfigError:
    return ConfigError(f"cannot write {printable(path)}: {error.strerror}; name a place you may write to with -o")
