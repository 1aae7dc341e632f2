"""One child process of the supervisor, and the bounded file that its output goes to."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pyrometer.up.processes import end_with_parent, kill_session

LOG_BYTES_MAX: Final = 4 * 1024 * 1024
_TAIL_BYTES: Final = 16_384


class ChildLog:
    """
    The log file of a part: at most ``LOG_BYTES_MAX`` and one older file of the same size.

    The child writes to the file itself, in append mode, so its last words are there however it or we end. A file that
    has grown too long is copied and cut: the child keeps its descriptor and goes on at the new end. Lines written
    between copy and cut are lost.
    """

    def __init__(self, path: Path, *, bytes_max: int = LOG_BYTES_MAX) -> None:
        self.path = path
        self._bytes_max = bytes_max
        self._start = 0

    def open(self) -> int:
        """Return a descriptor for a new child, and remember where its output begins."""
        self.rotate()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._start = os.fstat(descriptor).st_size
        return descriptor

    def rotate(self) -> None:
        """Cut the file where it has grown too long."""
        with suppress(FileNotFoundError):
            if self.path.stat().st_size > self._bytes_max:
                shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
                os.truncate(self.path, 0)
                self._start = 0

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines of the newest child, without control characters: a log is untrusted text."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(min(self._start, size), size - _TAIL_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return []
        lines = ("".join(c if c.isprintable() else " " for c in line).rstrip() for line in text.splitlines())
        return [line for line in lines if line][-count:]


class Child:
    """A running process in its own session; it gets SIGTERM when the thread that made it ends."""

    def __init__(self, command: tuple[str, ...], *, environment: Mapping[str, str], log: ChildLog | None) -> None:
        output = log.open() if log else None
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment},
                start_new_session=True,
                preexec_fn=end_with_parent(),  # noqa: PLW1509  the supervisor has no threads
            )
        finally:
            if output is not None:
                os.close(output)

    @property
    def pid(self) -> int:
        """The process id, which is also that of its session and process group."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return the exit code, the negative signal number where a signal ended it, or None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the process alone: it stops its own children."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process and what is left of its group, and reap it."""
        kill_session(self.pid)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def describe_exit(code: int) -> str:
    """Return how a process ended, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
