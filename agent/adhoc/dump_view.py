"""How a dump looks: as text for a person, where nothing of the process can steer the terminal, or as JSON."""

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePath

import click
import msgspec

from agent.reader.dumped import DumpedFrame, DumpedThread, Local
from pyrometer.text import printable


def dump_to_text(threads: Sequence[DumpedThread], heading: str, *, full_filenames: bool) -> str:
    """Return the threads of one process under a heading, leaf first as in py-spy, styled for a terminal."""
    lines = [click.style(printable(heading), bold=True)]
    for thread in threads:
        lines += ["", *_thread_lines(thread, full_filenames=full_filenames)]
    return "\n".join(lines)


def dump_to_json(threads: Sequence[DumpedThread]) -> str:
    """Return threads as JSON in ASCII, so that no text of the process can steer a terminal."""
    return json.dumps(msgspec.to_builtins(threads), indent=2, ensure_ascii=True)


def _thread_lines(thread: DumpedThread, *, full_filenames: bool) -> Iterator[str]:
    state = "active" if thread.active else "idle"
    state += "+gil" if thread.owns_gil else ""
    number = thread.os_thread_id if thread.os_thread_id is not None else f"{thread.thread_id or 0:#x}"
    name = f': "{printable(thread.thread_name)}"' if thread.thread_name else ""
    shown_state = click.style(state, fg="green" if thread.active else None, dim=not thread.active)
    yield f"Thread {number} ({shown_state}){name}"
    if not thread.frames:
        yield "    (no Python frame)"
    for frame in thread.frames:
        yield _frame_line(frame, full_filenames=full_filenames)
        yield from _local_lines(frame.locals or ())


def _frame_line(frame: DumpedFrame, *, full_filenames: bool) -> str:
    file = frame.filename if full_filenames else PurePath(frame.filename).name or frame.filename
    place = f"{printable(file)}:{frame.line}" if frame.line else printable(file)
    return f"    {printable(frame.name)} {click.style(f'({place})', dim=True)}"


def _local_lines(variables: Sequence[Local]) -> Iterator[str]:
    for title, wanted in (("Arguments:", True), ("Locals:", False)):
        chosen = [variable for variable in variables if variable.arg is wanted]
        if chosen:
            yield f"        {title}"
            yield from (f"            {printable(item.name)}: {printable(item.repr or '?')}" for item in chosen)
