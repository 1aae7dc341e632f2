"""The files the doctor looks at, below a root that a test may choose."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BYTES_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class HostFiles:
    """``/proc`` and ``/sys``."""

    root: Path = Path("/")

    def read(self, name: str) -> str:
        """Return a file's text, without what surrounds it; empty where it is not there or may not be read."""
        try:
            with (self.root / name).open("rb") as file:
                return file.read(_BYTES_MAX).decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def exists(self, name: str) -> bool:
        """Return whether there is such a file or folder."""
        return (self.root / name).exists()

    def link(self, name: str) -> str:
        """Return where a symbolic link leads; empty where it is none."""
        try:
            return str((self.root / name).readlink())
        except OSError:
            return ""

    def field(self, name: str, key: str) -> str:
        """Return the value in a file of lines ``key: value``; empty where it has none."""
        for line in self.read(name).splitlines():
            left, colon, right = line.partition(":")
            if colon and left == key:
                return right.strip()
        return ""
