"""One recording from beginning to end: reserve the output, record, write or send the profile, tell the exit code."""

import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

import click
from rich.console import Console

from agent.adhoc.identify import identify, service_of
from agent.adhoc.interrupts import Interrupts, noted_interrupts
from agent.adhoc.naming import default_output
from agent.adhoc.output import OutputFile
from agent.adhoc.plan import Plan, PlannedEngine
from agent.adhoc.program import Program, describe_exit
from agent.adhoc.progress import BarDisplay, Display, NoDisplay
from agent.adhoc.reader import ProcessReader, Reader
from agent.adhoc.recording import STARTUP_S, Recorder, Recording
from agent.adhoc.tree import TreeReader
from agent.adhoc.upload import upload_profile
from agent.command_line import parse_program
from agent.reader.engine import Target, find_target
from pyrometer import semconv
from pyrometer.errors import TargetNotFoundError
from pyrometer.formats import Format, encode_profile
from pyrometer.text import printable
from pyrometer.units import NS_PER_S
from pyrometer.values import Profile

EXIT_INTERRUPTED: Final = 130
# How often the display is redrawn and signals are looked at.
_POLL_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    What was asked for on the command line.

    Attributes:
        pid: A running process; None where a program is to be started.
        program: Its command line.
        file: Where to write; None for a name of our choice, or nowhere where it is uploaded.
        chosen: Format of the file.
        duration_s: Seconds to record; None for no end.
        plan: How to read.
        upload: Base address of a collector.
        quiet: Print nothing but errors.
    """

    pid: int | None
    program: tuple[str, ...]
    file: OutputFile | None
    chosen: Format
    duration_s: float | None
    plan: Plan
    upload: str | None
    quiet: bool

    def say(self, text: str) -> None:
        """Print a line for a person, apart from the recorded program's output."""
        if not self.quiet:
            click.echo(f"pyrometer: {text}", err=True)


def record_pid(request: Request) -> int:
    """
    Record a running process and return the command's exit code.

    Raises:
        PyrometerError: If it cannot be recorded or the profile cannot be delivered.
    """
    target = find_target(request.pid or 0)
    attributes = identify(target.pid)
    service = service_of(attributes)
    file = _output_file(request, service)
    with noted_interrupts() as interrupts:
        engine = PlannedEngine(request.plan)
        recorder = Recorder(_reader(engine, target), target, duration_s=request.duration_s)
        with _display(request) as display:
            recording = _run(request, recorder, interrupts, display, None)
        _explain_engine(request, engine)
        _deliver(request, recording, attributes, file, f"{service} (pid {target.pid})")
    return _exit_code(request, interrupts)


def record_program(request: Request) -> int:
    """
    Start a program, record it, end it where it outlives the recording, and return the command's exit code.

    Raises:
        PyrometerError: If it cannot be started or recorded, or the profile cannot be delivered.
    """
    service = parse_program(request.program, request.program[0]).name
    file = _output_file(request, service)
    with noted_interrupts() as interrupts, Program(list(request.program)) as program:
        attributes: dict[str, str | int] = {semconv.SERVICE_NAME: service}
        attributes |= identify(program.pid)
        try:
            target = find_target(program.pid)
            engine = PlannedEngine(request.plan)
            reader = _reader(engine, target, doubtful_s=STARTUP_S)
            recorder = Recorder(reader, target, duration_s=request.duration_s, startup_s=STARTUP_S)
            recording = _run(request, recorder, interrupts, NoDisplay(), program)
        except TargetNotFoundError as error:
            raise _explain_early_end(program, request, error) from error
        code = program.end(ending_by_itself=interrupts.first is not None or not target.is_alive())
        request.say(f"the program {describe_exit(code)}")
        _explain_engine(request, engine)
        _deliver(request, recording, attributes, file, f"{service} (pid {target.pid})")
    return _exit_code(request, interrupts)


def _reader(engine: PlannedEngine, target: Target, *, doubtful_s: float = 0.0) -> Reader:
    if engine.plan.subprocesses:
        return TreeReader(engine, target, doubtful_s=doubtful_s)
    return ProcessReader(engine, target, doubtful_s=doubtful_s)


def _explain_engine(request: Request, engine: PlannedEngine) -> None:
    for text in engine.refusals.values():
        stops = "" if request.plan.nonblocking else ", which stops the process for each sample (--nonblocking: never)"
        request.say(f"read with py-spy{stops}: {printable(text)}")


def _explain_early_end(program: Program, request: Request, error: TargetNotFoundError) -> TargetNotFoundError:
    code = program.exit_code()
    if code is None:
        return error
    return TargetNotFoundError(
        f"{printable(request.program[0])} {describe_exit(code)} before anything of it was seen: check that it runs "
        "without pyrometer, and give it more to do or a higher rate (-r)"
    )


def _output_file(request: Request, service: str) -> OutputFile | None:
    if request.file is not None or request.upload is not None:
        return request.file
    return OutputFile(default_output(service, time.time_ns(), request.chosen))


def _display(request: Request) -> Display:
    console = Console(stderr=True)
    if request.quiet or not console.is_terminal:
        return NoDisplay()
    return BarDisplay(console, request.duration_s)


def _run(
    request: Request, recorder: Recorder, interrupts: Interrupts, display: Display, program: Program | None
) -> Recording:
    """Record in a thread, as the main one has the signals and the display; return what was recorded."""
    recording = Recording(period_ns=NS_PER_S // request.plan.rate_hz, wall=request.plan.idle)
    with ThreadPoolExecutor(1, "recorder") as pool:
        try:
            future = pool.submit(recorder.run, recording.add)
            while not wait([future], timeout=_POLL_S).done:
                display.update(recording.totals)
                if interrupts.first is not None:
                    break
            # The terminal sends Ctrl-C to the program too; the other signals come to us alone.
            if program is not None and interrupts.first not in (None, signal.SIGINT):
                program.forward(interrupts.first or signal.SIGTERM)
        finally:
            recorder.stop()
    recording.add_samples(future.result())
    return recording


def _deliver(
    request: Request, recording: Recording, attributes: Mapping[str, str | int], file: OutputFile | None, title: str
) -> None:
    profile = recording.profile(attributes)
    if file is not None:
        file.write(encode_profile(profile, request.chosen, title))
        request.say(f"wrote {printable(file.path)} ({request.chosen}): {_summary(recording, profile)}")
    if request.upload is not None:
        upload_profile(profile, request.upload)
        request.say(f"sent to {printable(request.upload)}: {_summary(recording, profile)}")
    totals = recording.totals
    if totals.lost:
        request.say(f"the reader fell behind and lost about {totals.lost} samples: lower the rate with -r")
    if totals.merged_stacks:
        request.say(f"{totals.merged_stacks} samples of too many different stacks are under [other stacks]")
    if not totals.samples:
        request.say("no thread was running: add --idle to see where threads wait")


def _summary(recording: Recording, profile: Profile) -> str:
    totals = recording.totals
    seconds = profile.duration_ns / NS_PER_S
    count = f"{totals.samples} sample{'' if totals.samples == 1 else 's'} in {seconds:.1f} s"
    unstable = f", {totals.unstable_share:.1%} unstable" if totals.unstable else ""
    return f"{count}, {totals.errors} errors{unstable}"


def _exit_code(request: Request, interrupts: Interrupts) -> int:
    # Without a duration Ctrl-C is the way to end a recording; with one it cuts it short.
    return EXIT_INTERRUPTED if interrupts.first == signal.SIGINT and request.duration_s is not None else 0
