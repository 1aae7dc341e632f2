"""
Tells systemd how the agent is doing: ready, reloading, stopping, alive.

Source: sd_notify(3), sd_watchdog_enabled(3). Without systemd the variables are not set, and nothing is sent.
"""

import os
import socket
import time
from collections.abc import Mapping
from typing import Final

_US_PER_S: Final = 1e6
_NS_PER_US: Final = 1000


class Notifier:
    """Sends states to the service manager; a manager that does not listen is no reason to fail."""

    def __init__(self, environment: Mapping[str, str], *, pid: int | None = None) -> None:
        """
        Read where to send.

        Args:
            environment: With NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID where systemd started us.
            pid: Whose watchdog to keep quiet; None for this process.
        """
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog_s = _watchdog_s(environment, os.getpid() if pid is None else pid)

    @property
    def beat_s(self) -> float | None:
        """How often `alive` is to be called; None where nobody waits for it."""
        return self._watchdog_s / 2 if self._watchdog_s else None

    def ready(self, status: str) -> None:
        """Say that starting, or reloading, is done; *status* is what ``systemctl status`` shows."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Say that the settings are being read again; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // _NS_PER_US}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Keep the watchdog quiet."""
        if self._watchdog_s:
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        # A leading @ stands for the zero byte of an abstract socket.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(1.0)
                sender.sendto("\n".join(lines).encode(), address)
        except OSError:
            return


def _watchdog_s(environment: Mapping[str, str], pid: int) -> float | None:
    text, owner = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", str(pid))
    return int(text) / _US_PER_S if text.isascii() and text.isdigit() and int(text) and owner == str(pid) else None
