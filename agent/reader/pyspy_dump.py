"""The stacks of one moment, with what each thread was doing: ``py-spy dump``."""

from typing import Final

import msgspec

from agent.procfs import list_pids, read_stat
from agent.reader.engine import Target
from agent.reader.pyspy_failure import explain_failure
from agent.reader.pyspy_process import PySpyProcess
from pyrometer.errors import DecodeError

# One moment; with native frames the symbols of all libraries are read first.
TIMEOUT_S: Final = 60.0
LOCALS_LEVEL_MAX: Final = 5


class Local(msgspec.Struct, frozen=True):
    """
    A local variable.

    Attributes:
        name: Hostile text.
        arg: It is an argument of the function.
        repr: py-spy's rendering of the value; hostile text.
    """

    name: str
    arg: bool = False
    repr: str | None = None


class DumpedFrame(msgspec.Struct, frozen=True):
    """
    One level of a stack. All text is hostile.

    Attributes:
        name: Qualified name of the function.
        filename: Its file: the part below the package, unless whole names were asked for.
        line: Being executed; 0 where unknown.
        locals: None unless asked for.
    """

    name: str
    filename: str = ""
    line: int = 0
    locals: list[Local] | None = None


class DumpedThread(msgspec.Struct, frozen=True):
    """
    A thread at that moment.

    Attributes:
        pid: Its process.
        os_thread_id: The kernel's number of it; None where unknown.
        thread_id: The address that `threading.get_ident` returns.
        thread_name: None where the program does not use `threading`.
        active: It was running or ready to run.
        owns_gil: It held the GIL.
        frames: Leaf first.
    """

    pid: int
    thread_id: int
    active: bool
    owns_gil: bool
    frames: list[DumpedFrame]
    os_thread_id: int | None = None
    thread_name: str | None = None


_DECODER: Final = msgspec.json.Decoder(list[DumpedThread])


def dump_threads(
    target: Target, *, locals_level: int = 0, native: bool = False, nonblocking: bool = False
) -> list[DumpedThread]:
    """
    Return what each thread of a process was doing at one moment.

    Args:
        target: The process.
        locals_level: 0 for no local variables; more shows more of their values.
        native: Also frames of extensions.
        nonblocking: Do not stop the process meanwhile.

    Raises:
        PyrometerError: If it cannot be read; see `Attachment.sample`.
    """
    switches = {"--native": native, "--nonblocking": nonblocking}
    arguments = ["dump", "--json", "--full-filenames", "--pid", str(target.pid)]
    arguments += [flag for flag, wanted in switches.items() if wanted]
    arguments += ["--locals"] * min(locals_level, LOCALS_LEVEL_MAX)
    with PySpyProcess(arguments, to_file=False) as process:
        finished = process.wait(interrupt_after_s=TIMEOUT_S)
    if finished.exit_code != 0:
        raise explain_failure(finished, target)
    try:
        threads = _DECODER.decode(finished.output)
    except msgspec.MsgspecError as error:
        raise DecodeError(f"py-spy printed something that is not a dump: {error}") from error
    # py-spy's order changes from call to call; the main thread has the lowest number.
    return sorted(threads, key=lambda thread: (thread.os_thread_id or 0, thread.thread_id))


def descendants(pid: int) -> list[int]:
    """Return the pids of the children of a process, and of theirs, ascending."""
    parents = {other: stat.parent_pid for other in list_pids() if (stat := read_stat(other)) is not None}
    found = {pid}
    # A child may have a lower number than its parent where numbers have wrapped: repeat until nothing is new.
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return sorted(found - {pid})
