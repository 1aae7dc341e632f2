"""Which Python processes are there, and who would read them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from time import monotonic
from typing import Final

import msgspec

from agent.doctor.engines import Choice, EngineName, choose_engine, pyspy_missing
from agent.doctor.finding import Finding, ok, warn
from agent.host_identity import HostIdentity
from agent.identity import Identifier
from agent.python_process import PythonProcess
from agent.settings import AgentSettings
from agent.targets import Scan, Scanner, State
from pyrometer import semconv
from pyrometer.text import printable

# A report is wanted in three seconds: who is looked at, and for how long.
_PROCESSES_MAX: Final = 500
_ATTACH_S: Final = 0.7
_CLASSIFY_MS_MAX: Final = 700.0
_PIDS_SHOWN: Final = 5
_LEFT_OUT: Final = {
    State.DENIED: "left out by the rules in targets.allow and targets.deny",
    State.STOPPED: "stopped by a signal or a debugger: not read while they are",
    State.PENDING: "not looked at in the time there was",
}


def check_pyspy() -> Finding:
    """Whether the program that stands in where our own reader does not serve is there."""
    if missing := pyspy_missing():
        return warn("py-spy", missing, "pip install 'pyrometer[agent]', or py-spy alone")
    return ok("py-spy", "is there: it reads what our own reader refuses, and native frames")


def check_processes(settings: AgentSettings, host: HostIdentity) -> Iterator[Finding]:
    """Look for Python processes as the agent does, and ask for each who would read it."""
    targets = msgspec.structs.replace(settings.targets, young_s=0.0, classify_ms_max=_CLASSIFY_MS_MAX)
    scanner = Scanner(targets, Identifier(host, settings.identity).describe)
    try:
        scan = scanner.scan()
        yield from _report(scan)
        yield from _report_choices(list(scan.processes.values()), settings.sampling.engine)
    finally:
        scanner.close()


def _report(scan: Scan) -> Iterator[Finding]:
    if not scan.processes:
        yield ok("processes", "no Python process runs that would be watched")
    for state, why in _LEFT_OUT.items():
        if count := scan.states[state]:
            yield ok("processes", f"{count} {why}")
    beyond = scan.states[State.OVER_LIMIT] + scan.ignored
    if beyond:
        yield warn("processes", f"{beyond} beyond the limit", "raise targets.targets_max or targets.processes_max")


def _report_choices(processes: list[PythonProcess], wanted: EngineName) -> Iterator[Finding]:
    deadline_s = monotonic() + _ATTACH_S
    groups: dict[tuple[str, Choice], list[int]] = {}
    asked = 0
    for process in processes[:_PROCESSES_MAX]:
        if monotonic() > deadline_s:
            break
        asked += 1
        choice = choose_engine(process.target, wanted)
        # What is said of one process often names it; one of a kind stands for all.
        kind = replace(choice, why=choice.why.replace(str(process.target.pid), "PID"))
        groups.setdefault((_version(process), kind), []).append(process.target.pid)
    for (version, choice), pids in sorted(groups.items(), key=lambda group: (group[0][0], group[0][1].engine)):
        yield _finding(version, choice, pids)
    if asked < len(processes):
        yield ok("processes", f"{len(processes) - asked} more were not tried in the time there was")


def _version(process: PythonProcess) -> str:
    return str(process.attributes.get(semconv.PROCESS_RUNTIME_VERSION, "unknown"))


def _finding(version: str, choice: Choice, pids: list[int]) -> Finding:
    count = f"{len(pids)} process{'' if len(pids) == 1 else 'es'} ({_some(pids)})"
    topic = f"Python {printable(version, 20)}"
    if not choice.engine:
        mend = "see the rights above" if choice.is_right else "leave them out with targets.deny, if you know them"
        return warn(topic, f"{count} cannot be read: {printable(choice.why)}", mend)
    why = f": {printable(choice.why)}" if choice.why else ""
    return ok(topic, f"{count} read by {choice.engine}{why}")


def _some(pids: Iterable[int]) -> str:
    listed = sorted(pids)
    return "pid " + ", ".join(map(str, listed[:_PIDS_SHOWN])) + (", ..." if len(listed) > _PIDS_SHOWN else "")
