"""Which ports are free, who holds the others, and which to take instead."""

import random
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import psutil

from pyrometer.errors import ConfigError

# Below the range from which Linux takes the local ports of outgoing connections, so that a port found free here is not
# taken by a connection before the part binds it.
_FREE_RANGE: Final = range(20_000, 32_000)
_TRIES_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class PortWish:
    """
    A port that a part wants.

    Attributes:
        part: Name of the part, for messages.
        flag: The flag that changes the port.
        port: The wish; 0 for any free one.
    """

    part: str
    flag: str
    port: int


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a server could listen on *port* now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            # Two sockets with SO_REUSEADDR may bind the same port; only one may listen.
            probe.listen(1)
        except OSError:
            return False
    return True


def free_ports(count: int, *, taken: Iterable[int] = ()) -> int:
    """
    Return the first of *count* neighbouring ports that are all free.

    Args:
        count: How many neighbours are wanted.
        taken: Ports that are spoken for though nobody listens on them yet.

    Raises:
        ConfigError: If none were found.
    """
    spoken_for = set(taken)
    for _ in range(_TRIES_MAX):
        first = random.choice(_FREE_RANGE)  # noqa: S311  two starting at once should not try the same
        wanted = range(first, first + count)
        if spoken_for.isdisjoint(wanted) and all(is_free(port) for port in wanted):
            return first
    raise ConfigError(f"found no {count} free ports in {_FREE_RANGE.start}-{_FREE_RANGE.stop}; name free ones by flags")


def choose_ports(wishes: Iterable[PortWish], *, automatic: bool) -> dict[str, int]:
    """
    Return a port for each part that nobody listens on.

    Args:
        wishes: What each part would like; the same port twice counts as taken.
        automatic: Whether to replace a taken port by a free one.

    Raises:
        ConfigError: If a port is taken and *automatic* is off. The text has one line for each taken port.
    """
    chosen: dict[str, int] = {}
    complaints: list[str] = []
    for wish in wishes:
        if wish.port and wish.port not in chosen.values() and is_free(wish.port):
            chosen[wish.part] = wish.port
        elif automatic or not wish.port:
            chosen[wish.part] = free_ports(1, taken=chosen.values())
        else:
            twin = next((part for part, port in chosen.items() if port == wish.port), None)
            holder = f"also asked for by {twin}" if twin else f"taken by {_describe_holder(wish.port)}"
            complaints.append(
                f"port {wish.port} ({wish.part}) is {holder}; choose another with {wish.flag}, or use --auto-ports"
            )
    if complaints:
        raise ConfigError("\n".join(complaints))
    return chosen


def _describe_holder(port: int) -> str:
    """Return ``pid N NAME`` of who listens on *port*, as far as this user may see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        connections = []
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            if connection.pid is None:
                return "a process of another user"
            try:
                return f"pid {connection.pid} {psutil.Process(connection.pid).name()}"
            except psutil.Error:
                return f"pid {connection.pid}"
    return "another process"
