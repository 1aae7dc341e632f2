"""Addresses to listen on: HOST:PORT, whether it is reached from this machine alone, and whether it can be had."""

import errno
import ipaddress
import socket

from pyrometer.errors import ConfigError

_PORT_MAX = 65_535


def parse_address(address: str, *, key: str, port_min: int = 0) -> tuple[str, int]:
    """
    Return host and port of ``HOST:PORT`` or ``[IPV6]:PORT``; port 0 means any free one.

    Args:
        address: The text.
        key: The setting that holds it, for the error.
        port_min: 1 where a port must be named.

    Raises:
        ConfigError: If it is neither.
    """
    host, colon, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    is_host = bool(bare) and (":" not in bare or host == f"[{bare}]") and not any(c.isspace() for c in bare)
    is_port = port.isascii() and port.isdigit() and port_min <= int(port) <= _PORT_MAX
    if not colon or not is_host or not is_port:
        raise ConfigError(
            f"{key} = {address!r}: must be HOST:PORT with a port from {port_min} to {_PORT_MAX}, such as 127.0.0.1:4318"
        )
    return bare, int(port)


def parse_listen_address(
    address: str, *, key: str, insecure: bool, port_min: int = 0, hint: str = ""
) -> tuple[str, int]:
    """
    Return host and port to listen on, which must be a loopback address unless *insecure* says otherwise.

    Args:
        address: The text.
        key: The setting that holds it, for the error.
        insecure: Whether another address than loopback is wanted.
        port_min: 1 where a port must be named.
        hint: What else the error may advise.

    Raises:
        ConfigError: If it is no address, or would serve the network without a word.
    """
    host, port = parse_address(address, key=key, port_min=port_min)
    if not insecure and not is_loopback(host):
        section = key.rpartition(".")[0]
        switch = f"{section}.insecure_listen" if section else "insecure_listen"
        raise ConfigError(
            f"{key} = {address!r}: is not a loopback address, and there is no login: whoever reaches it may use it; "
            f"{hint}set {switch}: true to allow that"
        )
    return host, port


def is_loopback(host: str) -> bool:
    """Tell whether a host, by number or name, is this machine and nothing else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bind(host: str, port: int, *, flag: str) -> socket.socket:
    """
    Return a TCP socket bound to an address.

    Args:
        host: By number or name.
        port: 0 means any free one.
        flag: The command's flag that chooses another, for the error.

    Raises:
        ConfigError: If the address is taken or is not ours.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise taken_error(host, port, error, flag=flag) from error
    return bound


def taken_error(host: str, port: int, error: OSError, *, flag: str) -> ConfigError:
    """Return the error for an address that cannot be listened on."""
    why = "is taken by another program" if error.errno == errno.EADDRINUSE else f"cannot be bound: {error.strerror}"
    return ConfigError(f"port {port} on {host} {why}; choose another with {flag} HOST:PORT")
