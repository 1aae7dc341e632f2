"""``pyrometer dump``: what each thread of a process is doing right now."""

import click
import msgspec

from agent.adhoc.descendants import descendants
from agent.adhoc.dump_view import dump_to_json, dump_to_text
from agent.adhoc.plan import EngineName, Plan
from agent.commands.options import (
    blocking_option,
    engine_option,
    full_filenames_option,
    native_option,
    nonblocking_option,
    required_pid_option,
    subprocesses_option,
)
from agent.evidence import runtime_version
from agent.procfs import read_arguments, read_executable
from agent.reader import pyspy_dump
from agent.reader.dumped import DumpedThread
from agent.reader.engine import Target, find_target
from agent.reader.remote import dump as remote_dump
from pyrometer.errors import ConfigError, NotPythonError, PyrometerError, RefusedError, TargetNotFoundError


@click.command("dump")
@required_pid_option
@click.option("-j", "--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "-l",
    "--locals",
    "locals_level",
    count=True,
    help="Show local variables; repeat it to see more of them. Read by py-spy.",
)
@subprocesses_option
@engine_option
@native_option
@blocking_option
@nonblocking_option
@full_filenames_option
def command(
    *,
    pid: int,
    as_json: bool,
    locals_level: int,
    subprocesses: bool,
    engine: EngineName,
    native: bool,
    blocking: bool,
    nonblocking: bool,
    full_filenames: bool,
) -> None:
    """Print the current stack of each thread of one Python process, the function that runs first."""
    plan = Plan(engine=engine, native=native, blocking=blocking, nonblocking=nonblocking)
    if locals_level and engine == "remote":
        raise ConfigError("only py-spy reads local variables: leave out either --locals or --engine remote")
    found = {pid: _dump(find_target(pid), plan, locals_level)}
    for child in descendants(pid) if subprocesses else ():
        try:
            found[child.pid] = _dump(Target(child.pid, child.start_ticks), plan, locals_level)
        except TargetNotFoundError:
            continue  # it has ended meanwhile, or is not a Python process
    if as_json:
        click.echo(dump_to_json([thread for threads in found.values() for thread in threads]))
        return
    texts = [
        dump_to_text(threads, _heading(number), full_filenames=full_filenames) for number, threads in found.items()
    ]
    click.echo("\n\n".join(texts))


def _dump(target: Target, plan: Plan, locals_level: int) -> list[DumpedThread]:
    """Read with our own engine, or with py-spy where that cannot do it."""
    if not (plan.needs_pyspy or locals_level):
        try:
            return _with_names(target, remote_dump.dump_threads(target), plan)
        except (RefusedError, NotPythonError):
            if plan.engine == "remote":
                raise
    return pyspy_dump.dump_threads(target, locals_level=locals_level, native=plan.native, nonblocking=plan.nonblocking)


def _with_names(target: Target, threads: list[DumpedThread], plan: Plan) -> list[DumpedThread]:
    """Give threads the names that only py-spy finds; it reads them without stopping the process either."""
    if plan.engine == "remote":
        return threads
    try:
        known = pyspy_dump.dump_threads(target, nonblocking=True)
    except PyrometerError:
        return threads  # names are nice to have
    names = {thread.os_thread_id: thread.thread_name for thread in known if thread.thread_name}
    return [
        msgspec.structs.replace(thread, thread_name=names.get(thread.os_thread_id, thread.thread_name))
        for thread in threads
    ]


def _heading(pid: int) -> str:
    version = runtime_version(pid, read_executable(pid))
    python = f"Python {version}: " if version else ""
    return f"Process {pid}: {python}{' '.join(read_arguments(pid))}"
