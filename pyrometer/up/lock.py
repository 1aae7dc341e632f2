"""One ``up`` for one data directory: a lock that the kernel releases however its holder ends."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyrometer.errors import ConfigError


class DataDirectoryLock:
    """The held lock; its file tells others who holds it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def publish(self, addresses: Mapping[str, str]) -> None:
        """Write who we are and where our parts answer, for those who find the lock held."""
        text = json.dumps({"pid": os.getpid(), "addresses": dict(addresses)}) + "\n"
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)


@contextmanager
def lock_data_directory(directory: Path) -> Iterator[DataDirectoryLock]:
    """
    Hold the lock of *directory*, which must exist.

    Raises:
        ConfigError: If another process holds it, naming that process and its addresses, or the file cannot be made.
    """
    path = directory / "up.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; choose another directory with --data-dir") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(_describe_holder(descriptor, directory)) from error
        lock = DataDirectoryLock(descriptor)
        lock.publish({})
        yield lock
        os.ftruncate(descriptor, 0)
    finally:
        # The file stays: removing it would let a third process lock a new file of the same name beside a waiting one.
        os.close(descriptor)


def _describe_holder(descriptor: int, directory: Path) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 65_536, 0))
        pid, addresses = holder["pid"], ", ".join(f"{name} {url}" for name, url in holder["addresses"].items())
    except (ValueError, KeyError, TypeError, AttributeError):
        pid, addresses = "unknown", ""  # caught between taking the lock and writing the file
    where = f" ({addresses})" if addresses else ""
    return (
        f"another `pyrometer up` already runs on {directory}: pid {pid}{where}; "
        "use it, stop it, or choose another directory with --data-dir"
    )
