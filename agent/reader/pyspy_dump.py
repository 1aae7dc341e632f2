"""The stacks of one moment, with what each thread was doing: ``py-spy dump``."""

from typing import Final

import msgspec

from agent.reader.dumped import DumpedThread
from agent.reader.engine import Target
from agent.reader.pyspy_failure import explain_failure
from agent.reader.pyspy_process import PySpyProcess
from pyrometer.errors import DecodeError

# One moment; with native frames the symbols of all libraries are read first.
TIMEOUT_S: Final = 60.0
LOCALS_LEVEL_MAX: Final = 5

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
    return sorted(threads, key=lambda thread: (thread.os_thread_id or 0, thread.thread_id or 0))
