"""All about one process: who it is, whether the agent would watch it, who would read it, and a trial."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.containers import parse_placement
from agent.doctor.engines import Choice, EngineName, choose_engine
from agent.doctor.files import HostFiles
from agent.doctor.finding import Finding, Level, fail, ok, warn
from agent.evidence import is_python_by_maps, is_python_by_name, runtime_version
from agent.host_identity import HostIdentity
from agent.identity import Identifier
from agent.matching import TargetRules
from agent.procfs import TICKS_PER_S, ProcessStat, read_cgroup, read_executable, read_stat
from agent.reader import pyspy_dump
from agent.reader.dumped import DumpedThread
from agent.reader.engine import Target, find_target
from agent.reader.remote import dump as remote_dump
from agent.settings import AgentSettings
from pyrometer import semconv
from pyrometer.errors import PyrometerError, TargetNotFoundError
from pyrometer.text import printable

_NAMESPACES: Final = ("pid", "mnt", "user")
_STOPPED: Final = "Tt"


def check_target(pid: int, settings: AgentSettings, host: HostIdentity, files: HostFiles) -> Iterator[Finding]:
    """
    Look at one process.

    Raises:
        TargetNotFoundError: There is none of that number.
    """
    target = find_target(pid)
    stat = read_stat(pid)
    if stat is None or stat.start_ticks != target.start_ticks:
        raise TargetNotFoundError(f"process {pid} has ended")
    program = _check_program(stat)
    yield program
    if program.level is Level.FAIL:
        return
    yield from _check_state(stat)
    yield _check_namespaces(pid, files)
    yield from _check_placement(pid, files)
    description = Identifier(host, settings.identity).describe(stat)
    shown = ", ".join(
        f"{key} {printable(str(description.attributes[key]))}"
        for key in (semconv.SERVICE_NAME, semconv.SERVICE_VERSION)
        if key in description.attributes
    )
    yield ok("identity", shown)
    if TargetRules(settings.targets).permits(description.facts):
        yield ok("rules", "it is watched")
    else:
        yield warn("rules", "it is left out", "see targets.allow and targets.deny")
    yield from _check_engine(target, settings.sampling.engine)


def _check_program(stat: ProcessStat) -> Finding:
    executable = read_executable(stat.pid)
    shown = printable(executable or stat.command)
    if is_python_by_name(stat, executable) or is_python_by_maps(stat.pid):
        version = runtime_version(stat.pid, executable) or "of unknown version"
        return ok("program", f"{shown}, Python {version}, uid {_owner(stat.pid)}")
    return fail("program", f"{shown} is not Python, as far as its name and what it has mapped tell", "give another pid")


def _check_state(stat: ProcessStat) -> Iterator[Finding]:
    if stat.state in _STOPPED:
        yield warn("state", "it is stopped, and not read while it is", f"kill -CONT {stat.pid}")
    else:
        yield ok("state", f"runs, {stat.cpu_ns / 1e9:.1f} s of CPU time since its start ({TICKS_PER_S} ticks a second)")


def _check_namespaces(pid: int, files: HostFiles) -> Finding:
    other = [name for name in _NAMESPACES if files.link(f"proc/{pid}/ns/{name}") != files.link(f"proc/self/ns/{name}")]
    text = f"its {', '.join(other)} namespace{'s are' if len(other) > 1 else ' is'} not ours" if other else "ours"
    return ok("namespaces", text)


def _check_placement(pid: int, files: HostFiles) -> Iterator[Finding]:
    """A process with a small CPU quota suffers from being stopped, which only the ad-hoc commands may do."""
    cgroup = read_cgroup(pid)
    placement = parse_placement(cgroup)
    if placement.systemd_unit:
        yield ok("unit", printable(placement.systemd_unit))
    if placement.container_id:
        yield ok("container", printable(placement.container_id))
    for line in cgroup.splitlines():
        path = line.removeprefix("0::")
        quota, _, period = files.read(f"sys/fs/cgroup{path}/cpu.max").partition(" ")
        if line.startswith("0::") and quota.isdigit() and period.isdigit():
            cores = int(quota) / int(period)
            yield warn(
                "CPU quota",
                f"it may use {cores:.2f} of a core: stopping it to read it costs it much of that",
                "record, top and dump: with --nonblocking, where py-spy reads",
            )


def _check_engine(target: Target, wanted: EngineName) -> Iterator[Finding]:
    choice = choose_engine(target, wanted)
    if not choice.engine:
        yield fail(
            "engine",
            f"none reads it: {printable(choice.why)}",
            "run the doctor without -p: it looks at the rights",
            is_right=choice.is_right,
        )
        return
    yield ok("engine", f"{choice.engine} reads it{f': {printable(choice.why)}' if choice.why else ''}")
    try:
        threads = _dump(target, choice)
    except PyrometerError as error:
        yield warn("trial", f"its stacks were not read: {printable(str(error))}", "try again; it may have just ended")
        return
    running = sum(thread.active for thread in threads)
    yield ok("trial", f"the stacks of {len(threads)} threads were read, {running} of them on a CPU or waiting for one")


def _dump(target: Target, choice: Choice) -> list[DumpedThread]:
    if choice.engine == "remote":
        return remote_dump.dump_threads(target)
    return pyspy_dump.dump_threads(target, nonblocking=True)


def _owner(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return os.geteuid()
