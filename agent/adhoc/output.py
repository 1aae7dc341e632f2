"""The file a command writes: known to be writable before the work begins, and whole or not there at all."""

import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path

from pyrometer.errors import ConfigError, PyrometerError
from pyrometer.text import printable


class OutputFile:
    """
    A file that will be written once.

    Naming it proves that it can be written, by creating a temporary file beside it; `write` replaces what was there in
    one step. A pipe, a terminal, or ``-`` for the standard output is written to directly.
    """

    def __init__(self, path: str) -> None:
        """
        Check the path; nothing is left there.

        Raises:
            ConfigError: If it cannot be written, with the reason.
        """
        self.path = path
        self._destination = Path(os.path.realpath(path))
        self._is_direct = path == "-"
        if self._is_direct:
            return
        try:
            self._is_direct = self._is_special()
            if not self._is_direct:
                self._check_directory()
                self._create_temporary().unlink()
        except OSError as error:
            raise _cannot_write(path, error) from error

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
            elif self._is_direct:
                self._destination.write_bytes(content)
            else:
                self._replace(content)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise PyrometerError(
                f"cannot write {printable(self.path)}: {error.strerror}; the recording is lost"
            ) from error

    def _replace(self, content: bytes) -> None:
        temporary = self._create_temporary()
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(self._mode())
            temporary.replace(self._destination)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _create_temporary(self) -> Path:
        descriptor, name = tempfile.mkstemp(prefix=".pyrometer-", suffix=".part", dir=self._destination.parent)
        os.close(descriptor)
        return Path(name)

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
        except (FileNotFoundError, NotADirectoryError):
            mode = stat.S_IFDIR if self.path.endswith("/") else 0
        if stat.S_ISDIR(mode):
            raise ConfigError(f"cannot write {printable(self.path)}: it is a directory; name a file in it with -o")
        if stat.S_ISREG(mode):
            # Replacing would work without this right; a file that was made read-only is not ours to replace.
            self._destination.open("ab").close()
        return mode != 0 and not stat.S_ISREG(mode)

    def _check_directory(self) -> None:
        directory = self._destination.parent
        if not directory.is_dir():
            what = "is not a directory" if directory.exists() else "does not exist; create it"
            raise ConfigError(
                f"cannot write {printable(self.path)}: {printable(str(directory))} {what}, or name another with -o"
            )


def _cannot_write(path: str, error: OSError) -> ConfigError:
    return ConfigError(f"cannot write {printable(path)}: {error.strerror}; name a place you may write to with -o")
