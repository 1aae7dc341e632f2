"""``pyrometer record``: a profile of one process, running or started here, as a file, or sent to a collector."""

from typing import Any

import click

from agent.adhoc.naming import FORMATS, choose_format
from agent.adhoc.output import OutputFile
from agent.adhoc.plan import Plan
from agent.adhoc.session import Request, record_pid, record_program
from agent.adhoc.upload import profiles_url
from agent.commands.options import (
    DurationType,
    blocking_option,
    engine_option,
    full_filenames_option,
    gil_option,
    idle_option,
    native_option,
    nonblocking_option,
    pid_option,
    rate_option,
    subprocesses_option,
)


@click.command("record", context_settings={"allow_interspersed_args": False})
@pid_option
@click.option("-o", "--output", help="File to write; - for the standard output.  [default: named after the program]")
@click.option(
    "-f",
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS)),
    help="Format of the file.  [default: by its suffix, else html]",
)
@click.option(
    "-d",
    "--duration",
    type=DurationType(),
    help="Seconds to record.  [default: unlimited, until Ctrl-C or the program's end]",
)
@rate_option
@subprocesses_option
@click.option("-F", "--function", is_flag=True, help="Give each function's first line, not the line that runs.")
@click.option("--nolineno", is_flag=True, help="Give no line numbers.")
@click.option("-t", "--threads", is_flag=True, help="Put each thread under a frame of its own.")
@gil_option
@idle_option
@engine_option
@native_option
@blocking_option
@nonblocking_option
@full_filenames_option
@click.option("--upload", metavar="URL", help="Send the profile to a collector, such as http://127.0.0.1:4318.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.argument("program", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, /, **flags: Any) -> None:
    """
    Record where one Python process spends its time: a running one (-p PID), or a PROGRAM started here.

    Ctrl-C ends the recording and writes what was seen until then.

    \b
    Examples:
      pyrometer record -p 1234 -d 30 -o profile.html
      pyrometer record -o profile.pb.gz -- python worker.py --once
    """  # noqa: D301  # \b is click's mark for a paragraph that keeps its lines
    request = _request(**flags)
    ctx.exit(record_program(request) if request.program else record_pid(request))


def _request(
    *,
    pid: int | None,
    program: tuple[str, ...],
    output: str | None,
    format_name: str | None,
    duration: float | None,
    upload: str | None,
    quiet: bool,
    full_filenames: bool,
    function: bool,
    nolineno: bool,
    rate: int,
    **plan_flags: Any,
) -> Request:
    if (pid is None) == (not program):
        raise click.UsageError("give either a running process (-p PID) or a program to start (-- PROGRAM ARGUMENTS)")
    if upload is not None:
        profiles_url(upload)
    # A collector joins this profile with those of its agents, which carry whole paths.
    plan = Plan(
        rate_hz=rate,
        first_lines=function,
        line_numbers=not nolineno,
        full_filenames=full_filenames or upload is not None,
        **plan_flags,
    )
    file = None if output is None else OutputFile(output)
    return Request(
        pid=pid,
        program=program,
        file=file,
        chosen=choose_format(format_name, output),
        duration_s=duration,
        plan=plan,
        upload=upload,
        quiet=quiet,
    )
