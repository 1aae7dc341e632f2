"""Which machine this is, as resource attributes."""

import platform
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from agent.cloud import read_cloud
from agent.procfs import boot_time_s, read_start
from agent.resource_attributes import parse_resource_attributes
from pyrometer import semconv

# Names of machines in the conventions, host.arch.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm32", "i686": "x86"}


@dataclass(frozen=True, slots=True)
class HostIdentity:
    """
    The machine, as resource attributes.

    Attributes:
        attributes: host.*, os.*, and cloud.* where it is known.
        boot_time_s: Seconds since 1970.
    """

    attributes: Mapping[str, str]
    boot_time_s: int


def read_host_identity(environment: Mapping[str, str]) -> HostIdentity:
    """
    Return what this machine is, and what cloud it is rented from.

    host.* and cloud.* in the agent's own OTEL_RESOURCE_ATTRIBUTES have the last word.
    """
    machine = platform.machine()
    attributes = {
        semconv.HOST_NAME: socket.gethostname(),
        semconv.HOST_ID: read_start("/etc/machine-id", 64).decode("ascii", "replace").strip(),
        semconv.HOST_ARCH: _ARCHITECTURES.get(machine, machine),
        semconv.OS_TYPE: "linux",
        **read_cloud(),
    }
    given = parse_resource_attributes(environment.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    attributes |= {key: value for key, value in given.items() if key.startswith(("host.", "cloud.")) and value}
    return HostIdentity({key: value for key, value in attributes.items() if value}, boot_time_s())
