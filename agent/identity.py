"""Who a process is: resource attributes from its own environment, the configured rules, its tree, and then a guess."""

import dataclasses
import os
import pwd
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import PurePosixPath

from agent.checkout import Commit, CommitReader
from agent.command_line import Program, Role, parse_program
from agent.containers import Placement, parse_placement
from agent.evidence import is_python_by_name, runtime_version
from agent.host_identity import HostIdentity
from agent.images import find_image, split_reference
from agent.matching import IdentityRules, ProcessFacts
from agent.procfs import (
    TICKS_PER_S,
    ProcessStat,
    read_arguments,
    read_cgroup,
    read_environment,
    read_executable,
    read_folder,
    read_stat,
)
from agent.resource_attributes import VALUE_CHARS_MAX, parse_resource_attributes
from agent.settings import IdentitySettings
from pyrometer import __version__, semconv

# The only variables of another process's environment that are read.
ENVIRONMENT_NAMES = ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES")
# Processes above one that are asked for its service, and those remembered for the next of their children.
ANCESTORS_MAX = 8
PARENTS_MAX = 512

_NAMESPACE = uuid.UUID("1c1c7f4e-6b0a-5c67-9d0b-6d3a3f0f7d5e")
# What a process that does not name itself has from the one that started it.
_INHERITED = (
    semconv.SERVICE_NAME,
    semconv.SERVICE_VERSION,
    semconv.SERVICE_NAMESPACE,
    semconv.DEPLOYMENT_ENVIRONMENT_NAME,
)
_REVISION_CHARS = 12
_TAGS_WITHOUT_MEANING = ("", "latest")

Attributes = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Description:
    """
    A process as it will be named, with the facts it was named by.

    Attributes:
        attributes: Resource attributes of its profiles.
        facts: For the allow and deny rules; not to be kept.
    """

    attributes: Attributes
    facts: ProcessFacts


@dataclass(frozen=True, slots=True)
class _Seen:
    """A process read once: its description is made of these. It holds the command line: not to be kept."""

    facts: ProcessFacts
    program: Program
    own: Mapping[str, str]
    placement: Placement


class Identifier:
    """Says who a process is. Not thread-safe."""

    def __init__(
        self,
        host: HostIdentity,
        settings: IdentitySettings,
        *,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        """
        Know nobody yet.

        Args:
            host: The machine.
            settings: Rules, and what may be read.
            count: Told the reason where something could not be found out in time.
        """
        self._host = host
        self._rules = IdentityRules(settings.rules)
        self._commits = CommitReader() if settings.git else None
        self._count = count
        self._parents: OrderedDict[tuple[int, int, tuple[str, str, str]], Attributes] = OrderedDict()

    def describe(self, stat: ProcessStat) -> Description:
        """Return the identity of a process; what cannot be read is left out."""
        return self._describe(stat, ANCESTORS_MAX)

    def _describe(self, stat: ProcessStat, ancestors: int) -> Description:
        seen = _read(stat)
        named = self._rules.find(seen.facts)
        parent = self._find_parent(stat, seen.facts.executable, ancestors)
        knows_itself = seen.program.names_itself or semconv.SERVICE_NAME in seen.own or "service_name" in named
        inherited = {} if knows_itself or parent is None else {key: parent[key] for key in _INHERITED if key in parent}
        commit = self._read_commit(stat)
        fallbacks = {
            **inherited,
            **_without_empty(
                {
                    semconv.SERVICE_NAME: named.get("service_name", ""),
                    semconv.SERVICE_VERSION: named.get("service_version", ""),
                    semconv.DEPLOYMENT_ENVIRONMENT_NAME: named.get("environment", ""),
                    semconv.SERVICE_INSTANCE_ID: _instance_id(self._host, stat),
                }
            ),
            **seen.own,
        }
        attributes: Attributes = {
            semconv.SERVICE_NAME: seen.program.name[:VALUE_CHARS_MAX],
            **_release(commit, seen.facts.image),
            **fallbacks,
            **_placement_attributes(seen.placement, seen.facts.image),
            **self._host.attributes,
            **_process_attributes(stat, seen.facts.executable, self._host),
        }
        attributes[semconv.PROCESS_ROLE] = _role(seen.program, attributes, parent)
        service = str(attributes[semconv.SERVICE_NAME])
        return Description(attributes, dataclasses.replace(seen.facts, service=service))

    def _find_parent(self, stat: ProcessStat, executable: str, ancestors: int) -> Attributes | None:
        """Return who started a process, where that is of the same kind: Python, or the same program."""
        if not ancestors or stat.parent_pid in (0, os.getpid()):
            return None
        parent = read_stat(stat.parent_pid)
        if parent is None or parent.start_ticks > stat.start_ticks:  # its pid has been taken by another since
            return None
        path = read_executable(parent.pid)
        if not is_python_by_name(parent, path) and (not path or path != executable):
            return None
        key = (parent.pid, parent.start_ticks, parent.image)
        found = self._parents.get(key)
        if found is None:
            found = self._parents[key] = self._describe(parent, ancestors - 1).attributes
            while len(self._parents) > PARENTS_MAX:
                self._parents.popitem(last=False)
        self._parents.move_to_end(key)
        return found

    def _read_commit(self, stat: ProcessStat) -> Commit | None:
        if self._commits is None:
            return None
        try:
            return self._commits.read(stat.pid, _started_unix_s(stat, self._host))
        except TimeoutError:
            self._count("git_timeout")
            return None


def _read(stat: ProcessStat) -> _Seen:
    pid = stat.pid
    executable = read_executable(pid)
    arguments = read_arguments(pid)
    cgroup = read_cgroup(pid)
    placement = parse_placement(cgroup)
    facts = ProcessFacts(
        executable=executable,
        user=_owner(pid),
        cgroup=cgroup,
        command_line=" ".join(arguments),
        container=placement.container_id,
        image=find_image(placement.container_id) if placement.container_id else "",
        pod=placement.pod_uid,
        unit=placement.systemd_unit,
    )
    program = parse_program(arguments, executable or stat.command, PurePosixPath(read_folder(pid)).name)
    own = _own_attributes(read_environment(pid, ENVIRONMENT_NAMES))
    return _Seen(facts, program, own, placement)


def _own_attributes(environment: Mapping[str, str]) -> dict[str, str]:
    attributes = {
        key: value
        for key, value in parse_resource_attributes(environment.get("OTEL_RESOURCE_ATTRIBUTES", "")).items()
        if value and not key.startswith(("process.", "host.", "telemetry."))
    }
    if name := environment.get("OTEL_SERVICE_NAME", "").strip():
        attributes[semconv.SERVICE_NAME] = name[:VALUE_CHARS_MAX]
    return attributes


def _release(commit: Commit | None, image: str) -> dict[str, str]:
    """Return what tells one release from the next where nobody said it: the commit, else the image's tag."""
    tag = split_reference(image)[1]
    found = {semconv.SERVICE_VERSION: "" if tag in _TAGS_WITHOUT_MEANING else tag[:VALUE_CHARS_MAX]}
    if commit:
        found = {
            semconv.SERVICE_VERSION: commit.revision[:_REVISION_CHARS],
            semconv.VCS_REF_HEAD_REVISION: commit.revision,
            semconv.VCS_REF_HEAD_NAME: commit.branch,
        }
    return _without_empty(found)


def _placement_attributes(placement: Placement, image: str) -> dict[str, str]:
    return _without_empty(
        {
            semconv.CONTAINER_ID: placement.container_id,
            semconv.CONTAINER_IMAGE_NAME: split_reference(image)[0],
            semconv.K8S_POD_UID: placement.pod_uid,
            semconv.SYSTEMD_UNIT: placement.systemd_unit,
        }
    )


def _process_attributes(stat: ProcessStat, executable: str, host: HostIdentity) -> Attributes:
    started = datetime.fromtimestamp(_started_unix_s(stat, host), tz=UTC)
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


def _role(program: Program, attributes: Attributes, parent: Attributes | None) -> Role:
    """Return a process's part: a child of its own service is a worker of it, unless its command line says more."""
    if program.role is Role.HELPER and parent is not None and parent[semconv.PROCESS_ROLE] == Role.HELPER:
        return Role.WORKER  # forked by a fork server, whose command line it still shows
    if program.role is not None:
        return program.role
    is_child = parent is not None and parent[semconv.SERVICE_NAME] == attributes[semconv.SERVICE_NAME]
    return Role.WORKER if is_child else Role.MAIN


def _started_unix_s(stat: ProcessStat, host: HostIdentity) -> float:
    return host.boot_time_s + stat.start_ticks / TICKS_PER_S


def _instance_id(host: HostIdentity, stat: ProcessStat) -> str:
    # The conventions ask for a UUID, and for the same one as long as the instance is the same.
    seed = f"{host.attributes.get(semconv.HOST_ID, '')}/{host.boot_time_s}/{stat.pid}/{stat.start_ticks}"
    return str(uuid.uuid5(_NAMESPACE, seed))


def _owner(pid: int) -> str:
    try:
        return _user_name(os.stat(f"/proc/{pid}").st_uid)  # noqa: PTH116 (a Path would intern each pid)
    except OSError:
        return ""


@lru_cache(maxsize=1024)
def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _without_empty(attributes: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in attributes.items() if value}
