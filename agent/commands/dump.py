"""``pyrometer dump``: what each thread of a process is doing right now."""

import click

from agent.adhoc.dump_view import dump_to_json, dump_to_text
from agent.commands.options import (
    full_filenames_option,
    native_option,
    nonblocking_option,
    required_pid_option,
    subprocesses_option,
)
from agent.evidence import runtime_version
from agent.procfs import read_arguments, read_executable
from agent.reader.engine import find_target
from agent.reader.pyspy_dump import DumpedThread, descendants, dump_threads
from pyrometer.errors import ConfigError, TargetNotFoundError


@click.command("dump")
@required_pid_option
@click.option("-j", "--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-l", "--locals", "locals_level", count=True, help="Show local variables; repeat it to see more of them.")
@subprocesses_option
@native_option
@nonblocking_option
@full_filenames_option
def command(
    *,
    pid: int,
    as_json: bool,
    locals_level: int,
    subprocesses: bool,
    native: bool,
    nonblocking: bool,
    full_filenames: bool,
) -> None:
    """Print the current stack of each thread of one Python process, the function that runs first."""
    if native and nonblocking:
        raise ConfigError("native frames need blocking reads: leave out either --native or --nonblocking")

    def read(number: int) -> list[DumpedThread]:
        target = find_target(number)
        return dump_threads(target, locals_level=locals_level, native=native, nonblocking=nonblocking)

    found = {pid: read(pid)}
    for child in descendants(pid) if subprocesses else ():
        try:
            found[child] = read(child)
        except TargetNotFoundError:
            continue  # it has ended meanwhile, or is not a Python process
    if as_json:
        click.echo(dump_to_json([thread for threads in found.values() for thread in threads]))
        return
    texts = [
        dump_to_text(threads, _heading(number), full_filenames=full_filenames) for number, threads in found.items()
    ]
    click.echo("\n\n".join(texts))


def _heading(pid: int) -> str:
    version = runtime_version(pid, read_executable(pid))
    python = f"Python {version}: " if version else ""
    return f"Process {pid}: {python}{' '.join(read_arguments(pid))}"
