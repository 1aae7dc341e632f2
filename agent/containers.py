"""Where a process runs, as its cgroup paths tell: container, Kubernetes pod, systemd unit. No runtime is asked."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# A container's id at the end of a part of a path: alone (cgroupfs driver) or behind the runtime's name (systemd driver:
# docker-ID.scope, cri-containerd-ID.scope, crio-ID.scope, libpod-ID.scope, nerdctl-ID.scope, libpod-payload-ID).
_CONTAINER = re.compile(r"(?:[a-z][a-z0-9_.]*-)*([0-9a-f]{64})(?:\.scope)?")
# What Amazon ECS names a task's containers on Fargate, and Cloud Foundry's garden an instance.
_OTHER_CONTAINER = re.compile(r"([0-9a-f]{32}-\d{6,12}|[0-9a-f]{8}(?:-[0-9a-f]{4}){4})")
_OTHER_PARENTS = ("ecs", "garden")
# The uid is a UUID, its dashes written as underscores in a slice's name; that of a static pod is a hash.
_POD = re.compile(r"(?:.*-)?pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?")
_UNIT_CHARS_MAX = 255  # systemd's own limit of a unit's name
_USER_MANAGER = re.compile(r"user@\d+\.service")
# Units that containers lie under where the runtime starts them in its own group: the container says it better.
_RUNTIMES = frozenset(
    {"containerd.service", "crio.service", "docker.service", "kubelet.service", "podman.service", "k3s.service"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """
    What a process runs in; empty where it does not, or where the paths do not tell.

    Attributes:
        container_id: As the runtime shows it, in full.
        pod_uid: Kubernetes' uid of the pod, with dashes.
        systemd_unit: The innermost service, escaped as systemd writes it.
    """

    container_id: str = ""
    pod_uid: str = ""
    systemd_unit: str = ""


def parse_placement(cgroup: str) -> Placement:
    """
    Read the lines of ``/proc/PID/cgroup``, of version 1, version 2 or both.

    Source: cgroups(7); the innermost name counts, so that a container within a container is the inner one.
    """
    paths = [_parts(path) for path in _paths(cgroup)]
    container_id = _first(_container(parts) for parts in paths)
    unit = _first(_unit(parts) for parts in paths)
    if container_id and unit in _RUNTIMES:
        unit = ""
    return Placement(container_id=container_id, pod_uid=_first(_pod(parts) for parts in paths), systemd_unit=unit)


def _paths(cgroup: str) -> list[str]:
    """Return the path of each line, those of systemd's own hierarchy and of version 2 first."""
    lines = [fields for line in cgroup.splitlines() if len(fields := line.split(":", 2)) == 3]  # noqa: PLR2004
    lines.sort(key=lambda fields: fields[1] not in ("", "name=systemd"))
    return [fields[2] for fields in lines]


def _parts(path: str) -> list[str]:
    # containerd writes SLICE:cri-containerd:ID where the two sides disagree about who drives cgroups.
    return [part for part in re.split("[/:]", path) if part]


def _container(parts: list[str]) -> str:
    for index in reversed(range(len(parts))):
        if "conmon" in parts[index]:  # Podman's and CRI-O's monitor of a container runs beside it, not in it
            return ""
        if match := _CONTAINER.fullmatch(parts[index]):
            return match.group(1)
        if (match := _OTHER_CONTAINER.fullmatch(parts[index])) and parts[0] in _OTHER_PARENTS and index:
            return match.group(1)
    return ""


def _pod(parts: list[str]) -> str:
    return _first(match.group(1).replace("_", "-") for part in reversed(parts) if (match := _POD.fullmatch(part)))


def _unit(parts: list[str]) -> str:
    return _first(
        part
        for part in reversed(parts)
        if part.endswith(".service") and len(part) <= _UNIT_CHARS_MAX and not _USER_MANAGER.fullmatch(part)
    )


def _first(found: Iterable[str]) -> str:
    return next((text for text in found if text), "")
