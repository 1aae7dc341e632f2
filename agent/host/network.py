"""Network interfaces, and connections as far as counters of the kernel tell; sockets are never listed."""

from collections.abc import Iterator
from typing import Final

import psutil

from agent.host.readings import Reading, limited
from agent.procfs import read_start
from agent.selfmetrics import SelfMetrics
from pyrometer import semconv

_DIRECTIONS: Final = {"transmit": ("sent", "out"), "receive": ("recv", "in")}


def read_interfaces(metrics: SelfMetrics, *, devices_max: int) -> Iterator[Reading]:
    """Yield bytes, packets, errors and drops of each interface, by direction."""
    counters = psutil.net_io_counters(pernic=True, nowrap=False)
    for name in limited(counters, devices_max, metrics):
        nic = counters[name]
        for direction, (moved, failed) in _DIRECTIONS.items():
            labels = {semconv.NETWORK_INTERFACE_NAME: name, semconv.NETWORK_IO_DIRECTION: direction}
            yield Reading(semconv.SYSTEM_NETWORK_IO, getattr(nic, f"bytes_{moved}"), labels)
            yield Reading(semconv.SYSTEM_NETWORK_PACKET_COUNT, getattr(nic, f"packets_{moved}"), labels)
            yield Reading(semconv.SYSTEM_NETWORK_ERRORS, getattr(nic, f"err{failed}"), labels)
            yield Reading(semconv.SYSTEM_NETWORK_PACKET_DROPPED, getattr(nic, f"drop{failed}"), labels)


def read_connections(proc: str = "/proc") -> Iterator[Reading]:
    """
    Yield connections of this network namespace: TCP that are established or wait for their end, and UDP sockets.

    Source: net/ipv4/proc.c: ``tw`` of sockstat and ``CurrEstab`` of snmp (it includes those in CLOSE-WAIT) count both
    versions of IP.
    """
    sockets = _pairs(read_start(f"{proc}/net/sockstat", 4096)) | _pairs(read_start(f"{proc}/net/sockstat6", 4096))
    lines = [line.split() for line in read_start(f"{proc}/net/snmp", 16_384).splitlines() if line.startswith(b"Tcp: ")]
    tcp = dict(zip(*lines, strict=False)) if len(lines) == 2 else {}  # noqa: PLR2004 (names, then values)
    if (established := tcp.get(b"CurrEstab", b"")).isdigit():
        yield _connections("tcp", int(established), "established")
    if ("TCP", "tw") in sockets:
        yield _connections("tcp", sockets["TCP", "tw"], "time_wait")
    if ("UDP", "inuse") in sockets:
        yield _connections("udp", sockets["UDP", "inuse"] + sockets.get(("UDP6", "inuse"), 0))


def _connections(transport: str, count: int, state: str = "") -> Reading:
    labels = {semconv.NETWORK_TRANSPORT: transport}
    if state:
        labels[semconv.NETWORK_CONNECTION_STATE] = state
    return Reading(semconv.SYSTEM_NETWORK_CONNECTION_COUNT, count, labels)


def _pairs(text: bytes) -> dict[tuple[str, str], int]:
    """Parse lines such as ``TCP: inuse 4 orphan 0 tw 1``."""
    found: dict[tuple[str, str], int] = {}
    for line in text.decode("ascii", "replace").splitlines():
        protocol, _, rest = line.partition(":")
        fields = rest.split()
        for name, value in zip(fields[::2], fields[1::2], strict=False):
            if value.isdecimal():
                found[protocol, name] = int(value)
    return found
