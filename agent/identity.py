"""Who a process is: resource attributes from its own environment, the configured rules, its tree, and then a guess."""

import dataclasses
import os
import pwd
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from agent.checkout import Commit, CommitReader
from agent.command_line import Program, Role, parse_program
from agent.containers import Placement, parse_placement
from agent.evidence import is_python_by_name
from agent.host_identity import HostIdentity
from agent.images import find_image
from agent.matching import IdentityRules, ProcessFacts
from agent.process_attributes import (
    Attributes,
    instance_id,
    own_attributes,
    placement_attributes,
    process_attributes,
    release_attributes,
    started_unix_s,
    without_empty,
)
from agent.procfs import (
    ProcessStat,
    read_arguments,
    read_cgroup,
    read_environment,
    read_executable,
    read_folder,
    read_stat,
)
from agent.resource_attributes import VALUE_CHARS_MAX
from agent.settings import IdentitySettings
from pyrometer import semconv

# The only variables of another process's environment that are read.
ENVIRONMENT_NAMES = ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES")
# Processes above one that are asked for its service, and those remembered for the next of their children.
ANCESTORS_MAX = 8
PARENTS_MAX = 512

# What a process that does not name itself has from the one that started it.
_INHERITED = (
    semconv.SERVICE_NAME,
    semconv.SERVICE_VERSION,
    semconv.SERVICE_NAMESPACE,
    semconv.DEPLOYMENT_ENVIRONMENT_NAME,
)


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
            **without_empty(
                {
                    semconv.SERVICE_NAME: named.get("service_name", ""),
                    semconv.SERVICE_VERSION: named.get("service_version", ""),
                    semconv.DEPLOYMENT_ENVIRONMENT_NAME: named.get("environment", ""),
                    semconv.SERVICE_INSTANCE_ID: instance_id(self._host, stat),
                }
            ),
            **seen.own,
        }
        attributes: Attributes = {
            semconv.SERVICE_NAME: seen.program.name[:VALUE_CHARS_MAX],
            **release_attributes(commit, seen.facts.image),
            **fallbacks,
            **placement_attributes(seen.placement, seen.facts.image),
            **self._host.attributes,
            **process_attributes(stat, seen.facts.executable, self._host),
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
            return self._commits.read(stat.pid, started_unix_s(stat, self._host))
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
    own = own_attributes(read_environment(pid, ENVIRONMENT_NAMES))
    return _Seen(facts, program, own, placement)


def _role(program: Program, attributes: Attributes, parent: Attributes | None) -> Role:
    """Return a process's part: a child of its own service is a worker of it, unless its command line says more."""
    if program.role is Role.HELPER and parent is not None and parent[semconv.PROCESS_ROLE] == Role.HELPER:
        return Role.WORKER  # forked by a fork server, whose command line it still shows
    if program.role is not None:
        return program.role
    is_child = parent is not None and parent[semconv.SERVICE_NAME] == attributes[semconv.SERVICE_NAME]
    return Role.WORKER if is_child else Role.MAIN


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
