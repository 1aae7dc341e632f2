"""Resource attributes from what is known of a process; an attribute that is not known is left out, never empty."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath

from agent.checkout import Commit
from agent.containers import Placement
from agent.evidence import runtime_version
from agent.host_identity import HostIdentity
from agent.images import split_reference
from agent.procfs import TICKS_PER_S, ProcessStat
from agent.resource_attributes import VALUE_CHARS_MAX, parse_resource_attributes
from pyrometer import __version__, semconv

_NAMESPACE = uuid.UUID("1c1c7f4e-6b0a-5c67-9d0b-6d3a3f0f7d5e")
_REVISION_CHARS = 12
_TAGS_WITHOUT_MEANING = ("", "latest")

Attributes = dict[str, str | int]


def own_attributes(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a process says of itself in the variables of OpenTelemetry; what we know better is left out."""
    attributes = {
        key: value
        for key, value in parse_resource_attributes(environment.get("OTEL_RESOURCE_ATTRIBUTES", "")).items()
        if value and not key.startswith(("process.", "host.", "telemetry."))
    }
    if name := environment.get("OTEL_SERVICE_NAME", "").strip():
        attributes[semconv.SERVICE_NAME] = name[:VALUE_CHARS_MAX]
    return attributes


def release_attributes(commit: Commit | None, image: str) -> dict[str, str]:
    """Return what tells one release from the next where nobody said it: the commit, else the image's tag."""
    tag = split_reference(image)[1]
    found = {semconv.SERVICE_VERSION: "" if tag in _TAGS_WITHOUT_MEANING else tag[:VALUE_CHARS_MAX]}
    if commit:
        found = {
            semconv.SERVICE_VERSION: commit.revision[:_REVISION_CHARS],
            semconv.VCS_REF_HEAD_REVISION: commit.revision,
            semconv.VCS_REF_HEAD_NAME: commit.branch,
        }
    return without_empty(found)


def placement_attributes(placement: Placement, image: str) -> dict[str, str]:
    """Return where a process runs."""
    return without_empty(
        {
            semconv.CONTAINER_ID: placement.container_id,
            semconv.CONTAINER_IMAGE_NAME: split_reference(image)[0],
            semconv.K8S_POD_UID: placement.pod_uid,
            semconv.SYSTEMD_UNIT: placement.systemd_unit,
        }
    )


def process_attributes(stat: ProcessStat, executable: str, host: HostIdentity) -> Attributes:
    """Return what the kernel knows of a process, and who tells it."""
    started = datetime.fromtimestamp(started_unix_s(stat, host), tz=UTC)
    attributes: Attributes = {
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


def started_unix_s(stat: ProcessStat, host: HostIdentity) -> float:
    """Return when a process started, as Unix time in seconds."""
    return host.boot_time_s + stat.start_ticks / TICKS_PER_S


def instance_id(host: HostIdentity, stat: ProcessStat) -> str:
    """Return a name for this process that no other has had, on any host."""
    # The conventions ask for a UUID, and for the same one as long as the instance is the same.
    seed = f"{host.attributes.get(semconv.HOST_ID, '')}/{host.boot_time_s}/{stat.pid}/{stat.start_ticks}"
    return str(uuid.uuid5(_NAMESPACE, seed))


def without_empty(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes that are known."""
    return {key: value for key, value in attributes.items() if value}
