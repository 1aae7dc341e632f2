"""The stacks of all threads at one moment, read without stopping the process."""

import time
from typing import Final

from agent.reader.dumped import DumpedFrame, DumpedThread
from agent.reader.engine import Target
from agent.reader.remote.clock import ThreadGoneError
from agent.reader.remote.code import CodeTable
from agent.reader.remote.gil import Gil
from agent.reader.remote.learn import ChangedError, Reading
from agent.reader.remote.locate import Located, locate_python
from agent.reader.remote.memory import Memory, UnreadableError
from agent.reader.remote.roster import PythonThread, Roster
from agent.reader.remote.stack import StackReader
from pyrometer.errors import RefusedError, TargetNotFoundError
from pyrometer.values import STACK_DEPTH_MAX, TRUNCATED, UNSTABLE

# Looks at one thread until its stack was the same from beginning to end, and the pause between them.
_TRIES: Final = 50
_PAUSE_S: Final = 0.001


def dump_threads(target: Target) -> list[DumpedThread]:
    """
    Return what each thread of a process was doing, one after the other, the main thread first.

    A stack whose leaf part could not be read consistently in many tries begins with ``[unstable]``.

    Raises:
        RefusedError: It is Python, and not one that is known well enough to be read.
        PyrometerError: See `Attachment.sample`.
    """
    located = locate_python(Memory(target.pid))
    roster = Roster(Memory(target.pid), located)
    try:
        return _dump(target, located, roster)
    finally:
        roster.close()


def _dump(target: Target, located: Located, roster: Roster) -> list[DumpedThread]:
    _list_threads(target, roster)
    codes = CodeTable(Memory(target.pid), located.layout, code_type=located.code_type, text_type=located.text_type)
    stacks = StackReader(target.pid, located.layout, codes, depth_max=STACK_DEPTH_MAX)
    gil = Gil(Memory(target.pid), located)
    process_name = next((thread.name for thread in roster.threads if thread.tid == target.pid), "")
    dumped: list[DumpedThread] = []
    for thread in sorted(roster.threads, key=lambda thread: thread.tid):
        try:
            reading = _read(stacks, thread)
            active, owns_gil = thread.clock.is_running(), _holds(gil, thread)
        except (ThreadGoneError, ChangedError):
            continue  # it ended meanwhile
        dumped.append(
            DumpedThread(
                pid=target.pid,
                os_thread_id=thread.tid,
                # Python names its threads to the kernel from 3.14 on; before, all are called like the process.
                thread_name=thread.name if thread.name != process_name else None,
                active=active,
                owns_gil=owns_gil,
                frames=_frames(reading, codes),
            )
        )
    return dumped


def _list_threads(target: Target, roster: Roster) -> None:
    for _ in range(_TRIES):
        try:
            roster.refresh()
        except UnreadableError:
            roster.forget()
        if roster.threads:
            return
        if not target.is_alive():
            raise TargetNotFoundError(f"process {target.pid} has ended")
        time.sleep(_PAUSE_S)
    raise RefusedError(f"the threads of process {target.pid} cannot be listed", reason="check")


def _read(stacks: StackReader, thread: PythonThread) -> Reading | None:
    """Return the stack, of several tries the first that is whole, else the longest."""
    best: Reading | None = None
    for _ in range(_TRIES):
        try:
            reading = stacks.read_innermost(thread.states)
        except UnreadableError:
            reading = None
        if reading is not None and not reading.unstable:
            return reading
        if reading is not None and (best is None or len(reading.frames) > len(best.frames)):
            best = reading
        time.sleep(_PAUSE_S)
    return best


def _holds(gil: Gil, thread: PythonThread) -> bool:
    try:
        return gil.holder() in [state.address for state in thread.states]
    except UnreadableError:
        return False


def _frames(reading: Reading | None, codes: CodeTable) -> list[DumpedFrame]:
    """Return the frames, leaf first."""
    if reading is None:
        return [DumpedFrame(name=UNSTABLE.function)]
    shown = [codes.frames[number] for number in reading.frames]
    if reading.truncated:
        shown[:1] = [TRUNCATED]
    if reading.unstable:
        shown.append(UNSTABLE)
    return [DumpedFrame(name=frame.function, filename=frame.file, line=frame.line) for frame in reversed(shown)]
