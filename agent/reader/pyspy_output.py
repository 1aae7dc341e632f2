"""
Turns what py-spy writes into stacks.

Of its formats the speedscope one is read: its names, files and lines are separate JSON values, so that a function, file
or thread whose name holds semicolons, parentheses, line breaks or numbers cannot be taken for something else. The `raw`
format (`name (file:line);… count`) is ambiguous for all of these.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from pyrometer.errors import DecodeError
from pyrometer.values import STACK_DEPTH_MAX, TRUNCATED, Frame, FrameType, Sample, Stack

# `Process` stands before it where sub-processes are read too; the id is hexadecimal where the kernel's is unknown.
_THREAD = re.compile(
    r'(?:Process (?P<pid>\d+) )?Thread (?P<id>0x[0-9A-Fa-f]{1,16}|\d{1,19})(?: "(?P<name>.*)")?', re.DOTALL
)
_PROCESS_FRAME = re.compile(r'process \d+:"')
_SHARED_OBJECT = re.compile(r"\.so(?:\.[0-9.]+)?$")
_NATIVE_SUFFIXES: Final = (".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".rs", ".S")


class _Frame(msgspec.Struct):
    name: str
    file: str | None = None
    line: int | None = None


class _Shared(msgspec.Struct):
    frames: list[_Frame]


class _ThreadProfile(msgspec.Struct):
    name: str
    samples: list[list[int]]


class _Document(msgspec.Struct):
    profiles: list[_ThreadProfile]
    shared: _Shared


_DECODER: Final = msgspec.json.Decoder(_Document)


def parse_speedscope(document: bytes, *, period_ns: int) -> tuple[Sample, ...]:
    """
    Return the samples of one py-spy run, aggregated by stack and thread.

    Args:
        document: What ``py-spy record --format speedscope`` wrote.
        period_ns: What one sighting of a stack stands for, nanoseconds.

    Raises:
        DecodeError: If it is not that.
    """
    try:
        decoded = _DECODER.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"py-spy wrote something that is not a profile: {error}") from error
    frames = [_frame(frame) for frame in decoded.shared.frames]
    return tuple(sample for thread in decoded.profiles for sample in _thread_samples(thread, frames, period_ns))


def _thread_samples(thread: _ThreadProfile, frames: list[Frame], period_ns: int) -> Iterator[Sample]:
    thread_id, thread_name = parse_thread(thread.name)
    counts: dict[tuple[int, ...], int] = {}
    for indices in thread.samples:
        key = tuple(indices)
        counts[key] = counts.get(key, 0) + 1
    for key, count in counts.items():
        if key:
            yield Sample(
                stack=_stack(key, frames),
                count=count,
                value=count * period_ns,
                thread_id=thread_id,
                thread_name=thread_name,
            )


def parse_thread(title: str) -> tuple[int, str]:
    """Return a thread's id (0 where unknown) and name from ``Process 1 Thread 2 "name"``; any other text is a name."""
    match = _THREAD.fullmatch(title)
    if match is None:
        return 0, title
    return int(match["id"], base=0) if match["id"].startswith("0x") else int(match["id"]), match["name"] or ""


def _stack(indices: tuple[int, ...], frames: list[Frame]) -> Stack:
    if min(indices) < 0 or max(indices) >= len(frames):
        raise DecodeError(f"py-spy wrote a frame number outside its table of {len(frames)} frames")
    if len(indices) > STACK_DEPTH_MAX:
        return (TRUNCATED, *(frames[index] for index in indices[1 - STACK_DEPTH_MAX :]))
    return tuple(frames[index] for index in indices)


def _frame(frame: _Frame) -> Frame:
    file, line = frame.file or "", max(frame.line or 0, 0)
    return Frame(frame.name, file, line, _frame_type(frame.name, file, line))


def _frame_type(name: str, file: str, line: int) -> FrameType:
    if not file:
        return FrameType.MARKER if _PROCESS_FRAME.match(name) else FrameType.NATIVE
    # py-spy does not say which frames are native: those carry the path of their library or of their C source.
    if file.endswith(_NATIVE_SUFFIXES) or _SHARED_OBJECT.search(file):
        return FrameType.NATIVE
    # An executable, such as /usr/bin/python3.11: no source line, and not the name of a Python source either.
    if line == 0 and file.startswith("/") and not file.endswith((".py", ".pyx", ".pyc", ".ipynb")):
        return FrameType.NATIVE
    return FrameType.CPYTHON
