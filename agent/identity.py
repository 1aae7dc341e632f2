"""Who a process is: resource attributes from its own environment, then the configured rules, then a guess."""

import platform
import pwd
import re
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from agent.command_line import parse_program
from agent.containers import parse_placement
from agent.matching import IdentityRules, ProcessFacts
from agent.procfs import (
    MAPS_BYTES_MAX,
    TICKS_PER_S,
    ProcessStat,
    boot_time_s,
    read_arguments,
    read_cgroup,
    read_environment,
    read_executable,
    read_start,
)
from pyrometer import __version__, semconv

# The only variables of another process's environment that are read.
ENVIRONMENT_NAMES = ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES")
ATTRIBUTES_MAX = 64
KEY_CHARS_MAX = 256
VALUE_CHARS_MAX = 1024

_LIBPYTHON = re.compile(rb"/libpython(\d\.\d+)")
_VERSION = re.compile(r"python(\d\.\d+)")
# Names of machines in the conventions, host.arch.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm32", "i686": "x86"}
_NAMESPACE = uuid.UUID("1c1c7f4e-6b0a-5c67-9d0b-6d3a3f0f7d5e")


@dataclass(frozen=True, slots=True)
class HostIdentity:
    """
    The machine, as resource attributes.

    Attributes:
        attributes: host.* and os.*.
        boot_time_s: Seconds since 1970.
    """

    attributes: Mapping[str, str]
    boot_time_s: int


@dataclass(frozen=True, slots=True)
class Description:
    """
    A process as it will be named, with the facts it was named by.

    Attributes:
        attributes: Resource attributes of its profiles.
        facts: For the allow and deny rules; not to be kept.
    """

    attributes: dict[str, str | int]
    facts: ProcessFacts


def parse_resource_attributes(text: str) -> dict[str, str]:
    """
    Parse ``key=value,key=value``, percent-decoded; entries that are not pairs are left out, the rest is bounded.

    Source: OpenTelemetry specification, resource SDK, "Specifying resource information via an environment variable".
    """
    found: dict[str, str] = {}
    for entry in text.split(","):
        key, separator, value = entry.partition("=")
        name = unquote(key.strip())
        if separator and name and len(name) <= KEY_CHARS_MAX and len(found) < ATTRIBUTES_MAX:
            found[name] = unquote(value.strip())[:VALUE_CHARS_MAX]
    return found


def read_host_identity(environment: Mapping[str, str]) -> HostIdentity:
    """Return what this machine is; host.* in the agent's own OTEL_RESOURCE_ATTRIBUTES has the last word."""
    machine = platform.machine()
    attributes = {
        semconv.HOST_NAME: socket.gethostname(),
        semconv.HOST_ID: read_start("/etc/machine-id", 64).decode("ascii", "replace").strip(),
        semconv.HOST_ARCH: _ARCHITECTURES.get(machine, machine),
        semconv.OS_TYPE: "linux",
    }
    given = parse_resource_attributes(environment.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    attributes |= {key: value for key, value in given.items() if key.startswith("host.") and value}
    return HostIdentity({key: value for key, value in attributes.items() if value}, boot_time_s())


def describe_process(stat: ProcessStat, host: HostIdentity, rules: IdentityRules) -> Description:
    """Return the identity of a process; what cannot be read is left out."""
    pid = stat.pid
    executable = read_executable(pid)
    arguments = read_arguments(pid)
    facts = ProcessFacts(
        executable=executable,
        user=_owner(pid),
        cgroup=read_cgroup(pid),
        command_line=" ".join(arguments),
    )
    own = _own_attributes(read_environment(pid, ENVIRONMENT_NAMES))
    named = rules.find(facts)
    fallbacks = {
        semconv.SERVICE_NAME: named.get("service_name")
        or parse_program(arguments, executable or stat.command).name[:VALUE_CHARS_MAX],
        semconv.SERVICE_VERSION: named.get("service_version", ""),
        semconv.DEPLOYMENT_ENVIRONMENT_NAME: named.get("environment", ""),
        semconv.CONTAINER_ID: parse_placement(facts.cgroup).container_id,
        semconv.SERVICE_INSTANCE_ID: _instance_id(host, stat),
    }
    attributes: dict[str, str | int] = {key: value for key, value in {**fallbacks, **own}.items() if value}
    attributes.update(host.attributes)
    attributes.update(_process_attributes(stat, executable, host))
    service = str(attributes.get(semconv.SERVICE_NAME, ""))
    return Description(
        attributes,
        ProcessFacts(
            executable=executable,
            user=facts.user,
            cgroup=facts.cgroup,
            command_line=facts.command_line,
            service=service,
        ),
    )


def _own_attributes(environment: Mapping[str, str]) -> dict[str, str]:
    attributes = {
        key: value
        for key, value in parse_resource_attributes(environment.get("OTEL_RESOURCE_ATTRIBUTES", "")).items()
        if value and not key.startswith(("process.", "host.", "telemetry."))
    }
    if name := environment.get("OTEL_SERVICE_NAME", "").strip():
        attributes[semconv.SERVICE_NAME] = name[:VALUE_CHARS_MAX]
    return attributes


def _process_attributes(stat: ProcessStat, executable: str, host: HostIdentity) -> dict[str, str | int]:
    started = datetime.fromtimestamp(host.boot_time_s + stat.start_ticks / TICKS_PER_S, tz=UTC)
    attributes: dict[str, str | int] = {
        semconv.PROCESS_PID: stat.pid,
        semconv.PROCESS_CREATION_TIME: started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        semconv.PROCESS_EXECUTABLE_NAME: PurePosixPath(executable).name or stat.command,
        semconv.PROCESS_RUNTIME_NAME: "cpython",
        semconv.TELEMETRY_SDK_NAME: "pyrometer",
        semconv.TELEMETRY_SDK_LANGUAGE: "python",
        semconv.TELEMETRY_SDK_VERSION: __version__,
    }
    if version := runtime_version(stat.pid, executable):
        attributes[semconv.PROCESS_RUNTIME_VERSION] = version
    return attributes


def runtime_version(pid: int, executable: str) -> str:
    """Return major and minor version of the Python in a process, or nothing where no path tells."""
    if match := _VERSION.search(PurePosixPath(executable).name):
        return match.group(1)
    if library := _LIBPYTHON.search(read_start(f"/proc/{pid}/maps", MAPS_BYTES_MAX)):
        return library.group(1).decode()
    return ""


def _instance_id(host: HostIdentity, stat: ProcessStat) -> str:
    # The conventions ask for a UUID, and for the same one as long as the instance is the same.
    seed = f"{host.attributes.get(semconv.HOST_ID, '')}/{host.boot_time_s}/{stat.pid}/{stat.start_ticks}"
    return str(uuid.uuid5(_NAMESPACE, seed))


def _owner(pid: int) -> str:
    try:
        return _user_name(Path(f"/proc/{pid}").stat().st_uid)
    except OSError:
        return ""


@lru_cache(maxsize=1024)
def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_python(stat: ProcessStat, executable: str) -> bool:
    """
    Return whether a process runs CPython: by its program's name, else by libpython among what it has mapped.

    Where the program is hidden from us, the kernel's short name decides: sampling will then say which right is missing.
    """
    if not executable:
        return stat.command.startswith("python")
    if PurePosixPath(executable).name.startswith("python"):
        return True
    return _LIBPYTHON.search(read_start(f"/proc/{stat.pid}/maps", MAPS_BYTES_MAX)) is not None
